"""The bottlenecks of a run, kept in its run folder: `teach` trains on them when the photos are no longer there.

A NumPy archive without pickles: the bottlenecks, to the bit as the head saw them, and `photos.json` with the name,
digest, label and subset of every photo. Bottlenecks of an int8 backbone have at most 256 different values: these are
stored once, as a code book (`steps.npy`), and each number as its index there, one byte. The same run gives the same
bytes.
"""

import contextlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL

from edgeretrain.data.dataset import label_indices
from edgeretrain.data.photos import Photo, PhotoSet
from edgeretrain.data.pixels import PIXELS_VERSION
from edgeretrain.data.split import SUBSETS, Split, Subset
from edgeretrain.errors import EdgeretrainError
from edgeretrain.head.softmax import Floats
from edgeretrain.tflite.runtime import Runtime

_FORMAT = 1
_LISTING = "photos.json"
_DATE = (1980, 1, 1, 0, 0, 0)  # a fixed one: the same run gives the same bytes
_LEVEL = 1
_CODE_BOOK = "steps.npy"
_MOST_CODES = 256
_ROWS = 256  # at a time: no second copy of all bottlenecks
_FIRST_ROWS = 2  # of another backbone than int8, these hold more than 256 numbers already
# What reading a file raises that is damaged or not ours.
_TROUBLE = (
    *(KeyError, ValueError, TypeError, IndexError, AttributeError, EOFError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True)
class Listing:
    """The contents of a bottleneck file, without the bottlenecks.

    Attributes:
        backbone: SHA-256 of the backbone file, hexadecimal.
        makers: what made the bottlenecks (see `maker`); several when photos were added later.
        options: of the retrain, as in `report.json`.
        labels: sorted.
        photos: sorted by name; their paths are not usable.
        subsets: the subset of each photo, by its name.
    """

    backbone: str
    makers: tuple[str, ...]
    options: dict[str, Any]
    labels: tuple[str, ...]
    photos: tuple[Photo, ...]
    subsets: dict[str, Subset]

    def split(self) -> Split:
        """The photos in their three subsets."""
        subsets = {
            subset: tuple(photo for photo in self.photos if self.subsets[photo.name] == subset) for subset in SUBSETS
        }
        return Split(**subsets)


def maker(runtime: Runtime) -> str:
    """The versions that turn photos into bottlenecks here: others may round differently."""
    return f"{runtime}, Pillow {PIL.__version__}, pixels {PIXELS_VERSION}"


def write_bottlenecks(
    path: Path,
    photo_set: PhotoSet,
    split: Split,
    values: Floats,
    mirrored: Floats | None,
    *,
    backbone: str,
    makers: tuple[str, ...],
    options: dict[str, Any],
) -> None:
    """Write the bottlenecks of a run.

    Args:
        values: `[n, d]`, a row per photo of the set.
        mirrored: `[m, d]`, of the mirrored photos, those of training and then those of validation; None without.
        backbone, makers, options: as in `Listing`.
    """
    columns = label_indices(photo_set.labels, photo_set.photos).tolist()
    subsets = split.subsets
    listing = {
        "format": _FORMAT,
        "backbone": backbone,
        "makers": makers,
        "options": options,
        "labels": photo_set.labels,
        "photos": [
            [photo.name, photo.digest, column, subsets[photo.name]]
            for photo, column in zip(photo_set.photos, columns, strict=True)
        ],
    }
    arrays = {"values": values} if mirrored is None else {"values": values, "mirrored": mirrored}
    code_book = _code_book(list(arrays.values()))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        text = json.dumps(listing, ensure_ascii=False, separators=(",", ":"))
        _write_member(archive, _LISTING, iter([text.encode()]))
        if code_book is not None:
            _write_member(archive, _CODE_BOOK, _npy(code_book))
        for name, array in arrays.items():
            _write_member(archive, f"{name}.npy", _npy(array, code_book))


def _code_book(arrays: list[Floats]) -> Floats | None:
    """The different numbers in the arrays, sorted, if they are at most 256."""
    codes = np.empty(0, np.float32)
    for array in arrays:
        for start in (0, *range(_FIRST_ROWS, len(array), _ROWS)):
            block = array[start : start + (_ROWS if start else _FIRST_ROWS)]
            # As bits: -0.0 and 0.0 are two numbers here.
            codes = np.union1d(codes.view(np.uint32), block.view(np.uint32)).view(np.float32)
            if len(codes) > _MOST_CODES:
                return None
    return codes


def _npy(array: Floats, code_book: Floats | None = None) -> Iterator[bytes]:
    """An array in NumPy's file format, piece by piece; with a code book, the index of each number in it, uint8."""
    header = io.BytesIO()
    kind = np.dtype(np.float32 if code_book is None else np.uint8)
    np.lib.format.write_array_header_1_0(header, {"descr": kind.str, "fortran_order": False, "shape": array.shape})
    yield header.getvalue()
    for start in range(0, len(array), _ROWS):
        block = array[start : start + _ROWS]
        if code_book is not None:
            yield np.searchsorted(code_book.view(np.uint32), block.view(np.uint32)).astype(np.uint8).tobytes()
        else:
            yield block.astype("<f4", copy=False).tobytes()


def _write_member(archive: zipfile.ZipFile, name: str, pieces: Iterator[bytes]) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as member:
        if name.endswith(".npy"):
            # Bottlenecks repeat little but zeros. Without a search for longer repetitions deflate takes half the time,
            # and the file is smaller: by 2 % (float32) to 14 % (int8). zipfile has no public way to ask for it; where
            # it keeps its compressor under another name, the file is as large as before.
            fast = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_RLE)
            member._compressor = fast  # type: ignore[attr-defined]
        for piece in pieces:
            member.write(piece)


def read_listing(path: Path) -> Listing:
    """Read a bottleneck file, without the bottlenecks.

    Raises:
        EdgeretrainError: the file is missing, damaged, or written by a newer edgeretrain.
    """
    with _reading(path), zipfile.ZipFile(path) as archive:
        listing = json.loads(archive.read(_LISTING))
        if listing["format"] != _FORMAT:
            raise EdgeretrainError(
                f"{path}: was written by another version of edgeretrain (format {listing['format']}). "
                "Use the version that wrote it, or retrain with this one."
            )
        labels = tuple(map(str, listing["labels"]))
        photos = tuple(
            Photo(Path(name), str(name), labels[label], digest) for name, digest, label, _ in listing["photos"]
        )
        subsets: dict[str, Subset] = {name: subset for name, _, _, subset in listing["photos"]}
        "".join([*subsets, *labels]).encode()  # raises ValueError at what no file name holds
        for photo in photos:
            sound = f"/{photo.label}/" in f"/{photo.name}" and len(bytes.fromhex(photo.digest)) == 32
            if not sound or subsets[photo.name] not in SUBSETS:
                raise ValueError(f"the entry of {photo.name} is invalid")
        makers = tuple(map(str, listing["makers"]))
        return Listing(str(listing["backbone"]), makers, dict(listing["options"]), labels, photos, subsets)


def read_bottlenecks(path: Path, listing: Listing, length: int) -> tuple[Floats, Floats | None]:
    """The bottlenecks `[n, d]` of the photos of a listing, and the mirrored ones as in `write_bottlenecks`.

    Args:
        length: d, as the model has it.

    Raises:
        EdgeretrainError: the file is damaged or not of this length.
    """
    with _reading(path), zipfile.ZipFile(path) as archive:
        members = set(archive.namelist())
        code_book = _read_array(archive, _CODE_BOOK, None) if _CODE_BOOK in members else None
        values = _read_floats(archive, "values.npy", (len(listing.photos), length), code_book)
        if "mirrored.npy" not in members:
            return values, None
        rows = sum(listing.subsets[photo.name] != "testing" for photo in listing.photos)
        return values, _read_floats(archive, "mirrored.npy", (rows, length), code_book)


def _read_floats(archive: zipfile.ZipFile, name: str, shape: tuple[int, int], code_book: Floats | None) -> Floats:
    array = _read_array(archive, name, shape)
    values = array if code_book is None else code_book[array]
    if values.dtype != np.float32 or not np.isfinite(values).all():
        raise ValueError(f"{name} does not hold bottlenecks")
    return np.asarray(values)


def _read_array(archive: zipfile.ZipFile, name: str, shape: tuple[int, int] | None) -> npt.NDArray[Any]:
    with archive.open(name) as member:
        # The header is looked at first: what it claims is allocated.
        if np.lib.format.read_magic(member) != (1, 0):
            raise ValueError(f"{name} has another format")
        claimed, _, kind = np.lib.format.read_array_header_1_0(member)
        fits = claimed == shape if shape else len(claimed) == 1 and claimed[0] <= _MOST_CODES
        if not fits or kind not in (np.float32, np.uint8):
            raise ValueError(f"{name} holds {kind} {list(claimed)}")
    with archive.open(name) as member:
        return np.asarray(np.lib.format.read_array(member, allow_pickle=False))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn the errors of reading a damaged or missing file into an EdgeretrainError."""
    try:
        yield
    except OSError as error:
        raise EdgeretrainError(f"{path}: cannot be read ({error.strerror or error}). Check the file.") from None
    except _TROUBLE as error:
        raise EdgeretrainError(
            f"{path}: the bottleneck file is damaged ({error}). Copy it again from where the model was retrained, or "
            "retrain."
        ) from None
