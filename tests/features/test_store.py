"""Bottlenecks in the run folder: to the bit, in the same bytes, and never a traceback for a damaged file."""

import hashlib
import io
import json
import pickle
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeretrain.data.photos import Photo, PhotoSet
from edgeretrain.data.split import Split, split_photos
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.store import Listing, read_bottlenecks, read_listing, write_bottlenecks
from edgeretrain.head.softmax import Floats
from edgeretrain.options import Options

COUNT, LENGTH = 600, 7


@pytest.fixture(scope="module")
def photo_set() -> PhotoSet:
    names = [f"{label}/{number:03d} é.jpg" for label in ("a b", "ß") for number in range(COUNT // 2)]
    photos = [
        Photo(Path("photos", name), name, name.split("/")[0], hashlib.sha256(name.encode()).hexdigest())
        for name in names
    ]
    return PhotoSet(("a b", "ß"), tuple(photos), (), ())


@pytest.fixture(scope="module")
def split(photo_set: PhotoSet) -> Split:
    return split_photos(photo_set)


def floats(rows: int, seed: int = 0) -> Floats:
    values = np.random.default_rng(seed).normal(size=(rows, LENGTH)).astype(np.float32)
    values[0, :4] = 0.0, -0.0, 1e-42, 3e38
    return values


def few_values(rows: int, seed: int = 0) -> Floats:
    """As of an int8 backbone."""
    raw = np.random.default_rng(seed).integers(-128, 128, (rows, LENGTH))
    return np.asarray((raw.astype(np.float32) + np.float32(128)) * np.float32(0.0232778))


@pytest.fixture
def write(photo_set: PhotoSet, split: Split, tmp_path: Path) -> Callable[..., Path]:
    def run(values: Floats, mirrored: Floats | None = None, name: str = "b.npz") -> Path:
        path = tmp_path / name
        write_bottlenecks(
            path,
            photo_set,
            split,
            values,
            mirrored,
            backbone="beef",
            makers=("runtime 1, Pillow 2, pixels 1",),
            options=asdict(Options(flip_left_right=mirrored is not None)),
        )
        return path

    return run


def same_bits(one: Floats, other: Floats) -> bool:
    return one.dtype == other.dtype == np.float32 and one.tobytes() == other.tobytes()


@pytest.mark.parametrize("kind", [floats, few_values])
def test_what_is_written_is_read(
    write: Callable[..., Path], photo_set: PhotoSet, split: Split, kind: Callable[..., Floats]
) -> None:
    values, mirrored = kind(COUNT), kind(COUNT - len(split.testing), seed=1)
    path = write(values, mirrored)
    listing = read_listing(path)
    assert [(one.name, one.label, one.digest) for one in listing.photos] == [
        (one.name, one.label, one.digest) for one in photo_set.photos
    ]
    for place in ("training", "validation", "testing"):
        own = [photo.name for photo in getattr(split, place)]
        assert [photo.name for photo in getattr(listing.split(), place)] == own
    assert (listing.backbone, listing.labels) == ("beef", ("a b", "ß"))
    assert Options(**listing.options) == Options(flip_left_right=True)
    found, found_mirrored = read_bottlenecks(path, listing, LENGTH)
    assert found_mirrored is not None
    assert same_bits(found, values)
    assert same_bits(found_mirrored, mirrored)
    assert read_bottlenecks(write(values), listing, LENGTH)[1] is None


def test_few_values_take_a_byte_each(write: Callable[..., Path]) -> None:
    with zipfile.ZipFile(write(few_values(COUNT))) as archive:
        assert archive.getinfo("values.npy").file_size == 128 + COUNT * LENGTH
    with zipfile.ZipFile(write(floats(COUNT))) as archive:
        assert archive.getinfo("values.npy").file_size == 128 + 4 * COUNT * LENGTH


def test_numpy_reads_it_without_pickles(write: Callable[..., Path]) -> None:
    values = floats(COUNT)
    with np.load(write(values), allow_pickle=False) as archive:
        assert same_bits(archive["values"], values)


def test_the_same_bytes(write: Callable[..., Path], tmp_path: Path) -> None:
    one, other = write(floats(COUNT)), write(floats(COUNT), name="other.npz")
    assert one.read_bytes() == other.read_bytes()
    assert str(tmp_path).encode() not in one.read_bytes()


@pytest.mark.parametrize("kind", [floats, few_values])
def test_zeros_take_little_room(write: Callable[..., Path], kind: Callable[..., Floats]) -> None:
    values = kind(COUNT)
    values[np.random.default_rng(4).random(values.shape) < 0.5] = 0  # as after a ReLU6
    with zipfile.ZipFile(write(values)) as archive:
        raw = archive.read("values.npy")
        assert archive.getinfo("values.npy").compress_size < len(zlib.compress(raw, 1))


@pytest.mark.parametrize("kind", [floats, few_values])
def test_files_of_earlier_versions_are_read(write: Callable[..., Path], kind: Callable[..., Floats]) -> None:
    """They came from zipfile's own compressor."""
    path, values = write(kind(COUNT)), kind(COUNT)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert same_bits(read_bottlenecks(path, read_listing(path), LENGTH)[0], values)


def test_a_few_photos_on_steps_make_no_int8_backbone(write: Callable[..., Path]) -> None:
    values = floats(COUNT)
    values[: COUNT // 2] = 1.0
    path = write(values)
    with zipfile.ZipFile(path) as archive:
        assert "steps.npy" not in archive.namelist()
    assert same_bits(read_bottlenecks(path, read_listing(path), LENGTH)[0], values)


def _rewritten(path: Path, **members: bytes | None) -> None:
    """The archive with other members, or without them."""
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    kept.update({f"{name.replace('_', '.')}": data for name, data in members.items() if data is not None})
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in kept.items():
            if members.get(name.replace(".", "_"), b"") is not None:
                archive.writestr(name, data)


def _relisted(path: Path, **changes: Any) -> None:
    with zipfile.ZipFile(path) as archive:
        listing = json.loads(archive.read("photos.json"))
    _rewritten(path, photos_json=json.dumps({**listing, **changes}).encode())


def _flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x55
    path.write_bytes(data)


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def _header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue()


def _entry(name: str = "ß/x", digest: str = 64 * "0", label: Any = 1, place: str = "training") -> list[Any]:
    return [name, digest, label, place]


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "a byte": _flip_a_byte,
    "no archive": lambda path: path.write_bytes(pickle.dumps({"values": 1})),
    "no listing": lambda path: _rewritten(path, photos_json=None),
    "no JSON": lambda path: _rewritten(path, photos_json=b"\xff{"),
    "another JSON": lambda path: _rewritten(path, photos_json=b"[1]"),
    "no photos": lambda path: _relisted(path, photos=[]),
    "other photos": lambda path: _relisted(path, photos=[_entry()] * 3),
    "a label too many": lambda path: _relisted(path, photos=[_entry(label=2)] * COUNT),
    "a place that is none": lambda path: _relisted(path, photos=[_entry(place="nowhere")] * COUNT),
    "a digest that is none": lambda path: _relisted(path, photos=[_entry(digest="xy")] * COUNT),
    "a name of another class": lambda path: _relisted(path, photos=[_entry(name="a b/x")] * COUNT),
    "a name that is no text": lambda path: _relisted(path, photos=[_entry(name="ß/\ud800")] * COUNT),
    "no values": lambda path: _rewritten(path, values_npy=None),
    "a pickle": lambda path: _rewritten(path, values_npy=_npy(np.array([{}], object))),
    "another shape": lambda path: _rewritten(path, values_npy=_npy(floats(COUNT - 1))),
    "a huge shape": lambda path: _rewritten(path, values_npy=_header((10**12, LENGTH))),
    "another kind": lambda path: _rewritten(path, values_npy=_npy(floats(COUNT).astype(np.float64))),
    "bytes without a code book": lambda path: _rewritten(path, values_npy=_npy(np.zeros((COUNT, LENGTH), np.uint8))),
    "not a number": lambda path: _rewritten(path, values_npy=_npy(np.full((COUNT, LENGTH), np.nan, np.float32))),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_told(write: Callable[..., Path], damage: str) -> None:
    path = write(floats(COUNT))
    DAMAGE[damage](path)
    with pytest.raises(EdgeretrainError, match="the bottleneck file is damaged") as caught:
        read_bottlenecks(path, read_listing(path), LENGTH)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_step_that_there_is_not(write: Callable[..., Path]) -> None:
    path = write(few_values(COUNT))
    _rewritten(path, steps_npy=_npy(np.zeros(9, np.float32)))
    with pytest.raises(EdgeretrainError, match="damaged"):
        read_bottlenecks(path, read_listing(path), LENGTH)


def test_another_format_is_told(write: Callable[..., Path]) -> None:
    path = write(few_values(COUNT))
    _relisted(path, format=2)
    with pytest.raises(EdgeretrainError, match=r"another version of edgeretrain \(format 2\)"):
        read_listing(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match="cannot be read"):
        read_listing(tmp_path / "none.npz")


def test_a_listing_of_another_length(write: Callable[..., Path]) -> None:
    path = write(floats(COUNT))
    listing: Listing = read_listing(path)
    with pytest.raises(EdgeretrainError, match="damaged"):
        read_bottlenecks(path, listing, LENGTH + 1)
