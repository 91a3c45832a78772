"""The bottlenecks of a run, kept in its run folder: what `teach` learns from when the photos are no longer there.

A NumPy archive without pickles: the bottlenecks, to the bit as the head saw them, and `photos.json` with the name,
digest, label and set of every photo. Bottlenecks of an int8 backbone stand on at most 256 steps and are kept as such:
one byte each. The same run gives the same bytes.
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

from edgeretrain.data.photos import Photo, PhotoSet
from edgeretrain.data.pixels import PIXELS_VERSION
from edgeretrain.data.split import PLACES, Place, Split
from edgeretrain.errors import EdgeretrainError
from edgeretrain.head.softmax import Floats
from edgeretrain.tflite.runtime import Runtime

_FORMAT = 1
_LISTING = "photos.json"
_DATE = (1980, 1, 1, 0, 0, 0)  # a fixed one: the same run gives the same bytes
_LEVEL = 1  # of deflate: level 6 saves 4 % more and takes three to six times as long
_STEPS = 256
_ROWS = 256  # in one go: no second copy of all bottlenecks
# What a file that is damaged, or not ours, does to code that reads it.
_TROUBLE = (
    *(KeyError, ValueError, TypeError, IndexError, AttributeError, EOFError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error),
)


@dataclass(frozen=True)
class Listing:
    """What a bottleneck file says of its photos.

    Attributes:
        backbone: SHA-256 of the backbone file, hexadecimal.
        makers: what made the bottlenecks (see `maker`); several when photos were added later.
        options: of the retrain, as in `report.json`.
        labels: sorted.
        photos: sorted by name; their paths lead nowhere.
        places: the set of each photo, by its name.
    """

    backbone: str
    makers: tuple[str, ...]
    options: dict[str, Any]
    labels: tuple[str, ...]
    photos: tuple[Photo, ...]
    places: dict[str, Place]

    def split(self) -> Split:
        """The photos in their three sets."""
        sets = {place: tuple(one for one in self.photos if self.places[one.name] == place) for place in PLACES}
        return Split(**sets)


def maker(runtime: Runtime) -> str:
    """What turns photos into bottlenecks here: others may round differently."""
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
    position = {label: index for index, label in enumerate(photo_set.labels)}
    places = split.places
    listing = {
        "format": _FORMAT,
        "backbone": backbone,
        "makers": makers,
        "options": options,
        "labels": photo_set.labels,
        "photos": [[photo.name, photo.digest, position[photo.label], places[photo.name]] for photo in photo_set.photos],
    }
    arrays = {"values": values} if mirrored is None else {"values": values, "mirrored": mirrored}
    steps = _steps(list(arrays.values()))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        text = json.dumps(listing, ensure_ascii=False, separators=(",", ":"))
        _write_member(archive, _LISTING, iter([text.encode()]))
        if steps is not None:
            _write_member(archive, "steps.npy", _npy(steps))
        for name, array in arrays.items():
            _write_member(archive, f"{name}.npy", _npy(array, steps))


def _steps(arrays: list[Floats]) -> Floats | None:
    """The numbers that all the arrays are made of, sorted, if they are at most 256."""
    found = np.empty(0, np.float32)
    for array in arrays:
        for start in range(0, len(array), _ROWS):
            # As bits: -0.0 and 0.0 are two numbers here.
            found = np.union1d(found.view(np.uint32), array[start : start + _ROWS].view(np.uint32)).view(np.float32)
            if len(found) > _STEPS:
                return None
    return found


def _npy(array: Floats, steps: Floats | None = None) -> Iterator[bytes]:
    """An array in NumPy's file format, piece by piece; with steps, which of them each number is, uint8."""
    header = io.BytesIO()
    kind = np.dtype(np.float32 if steps is None else np.uint8)
    np.lib.format.write_array_header_1_0(header, {"descr": kind.str, "fortran_order": False, "shape": array.shape})
    yield header.getvalue()
    for start in range(0, len(array), _ROWS):
        block = array[start : start + _ROWS]
        if steps is not None:
            yield np.searchsorted(steps.view(np.uint32), block.view(np.uint32)).astype(np.uint8).tobytes()
        else:
            yield block.astype("<f4", copy=False).tobytes()


def _write_member(archive: zipfile.ZipFile, name: str, pieces: Iterator[bytes]) -> None:
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as member:
        for piece in pieces:
            member.write(piece)


def read_listing(path: Path) -> Listing:
    """What is in a bottleneck file, without the bottlenecks.

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
        places: dict[str, Place] = {name: place for name, _, _, place in listing["photos"]}
        "".join([*places, *labels]).encode()  # raises ValueError at what no file name holds
        for photo in photos:
            sound = f"/{photo.label}/" in f"/{photo.name}" and len(bytes.fromhex(photo.digest)) == 32
            if not sound or places[photo.name] not in PLACES:
                raise ValueError(f"the entry of {photo.name} makes no sense")
        makers = tuple(map(str, listing["makers"]))
        return Listing(str(listing["backbone"]), makers, dict(listing["options"]), labels, photos, places)


def read_bottlenecks(path: Path, listing: Listing, length: int) -> tuple[Floats, Floats | None]:
    """The bottlenecks `[n, d]` of the photos of a listing, and the mirrored ones as in `write_bottlenecks`.

    Args:
        length: d, as the model has it.

    Raises:
        EdgeretrainError: the file is damaged or not of this length.
    """
    with _reading(path), zipfile.ZipFile(path) as archive:
        members = set(archive.namelist())
        steps = _read_array(archive, "steps.npy", None) if "steps.npy" in members else None
        values = _read_floats(archive, "values.npy", (len(listing.photos), length), steps)
        if "mirrored.npy" not in members:
            return values, None
        learnt = sum(listing.places[photo.name] != "testing" for photo in listing.photos)
        return values, _read_floats(archive, "mirrored.npy", (learnt, length), steps)


def _read_floats(archive: zipfile.ZipFile, name: str, shape: tuple[int, int], steps: Floats | None) -> Floats:
    array = _read_array(archive, name, shape)
    values = array if steps is None else steps[array]
    if values.dtype != np.float32 or not np.isfinite(values).all():
        raise ValueError(f"{name} does not hold bottlenecks")
    return np.asarray(values)


def _read_array(archive: zipfile.ZipFile, name: str, shape: tuple[int, int] | None) -> npt.NDArray[Any]:
    with archive.open(name) as member:
        # The header is looked at first: what it claims is allocated.
        if np.lib.format.read_magic(member) != (1, 0):
            raise ValueError(f"{name} has another format")
        claimed, _, kind = np.lib.format.read_array_header_1_0(member)
        fits = claimed == shape if shape else len(claimed) == 1 and claimed[0] <= _STEPS
        if not fits or kind not in (np.float32, np.uint8):
            raise ValueError(f"{name} holds {kind} {list(claimed)}")
    with archive.open(name) as member:
        return np.asarray(np.lib.format.read_array(member, allow_pickle=False))


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what reading a damaged or missing file does into an EdgeretrainError."""
    try:
        yield
    except OSError as error:
        raise EdgeretrainError(f"{path}: cannot be read ({error.strerror or error}). Check the file.") from None
    except _TROUBLE as error:
        raise EdgeretrainError(
            f"{path}: the bottleneck file is damaged ({error}). Copy it again from where the model was retrained, or "
            "retrain."
        ) from None
