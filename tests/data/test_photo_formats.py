"""Photos as cameras, browsers and phones save them: the bytes decide what they are, and nothing is dropped silently."""

import gzip
import io
import struct
import sys
import types
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFile
from support.class_photos import find_class_photos
from support.garden import encoded, jpeg, put, texture

from edgeretrain.data import photo_formats
from edgeretrain.data.photo_formats import AVIF, HEIC, JPEG_2000, JPEG_XL, RAW
from edgeretrain.data.photos import Skipped, find_photos
from edgeretrain.data.pixels import load_pixels
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto

HEIC_FILE = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(400)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 41817\n"
PHOTO = texture("dots", 1)


def reason(data: bytes, tmp_path: Path, name: str = "photo.jpg") -> str:
    path = put(tmp_path / name, data)
    with pytest.raises(UnreadablePhoto) as caught:
        load_pixels(path, 8)
    assert "\n" not in str(caught.value)
    return caught.value.reason


def smooth(side: int = 64) -> npt.NDArray[np.float64]:
    """0 to 1, [side, side, 3]."""
    y, x = np.mgrid[:side, :side] / (side - 1)
    return np.stack([x, y, (x + y) / 2], axis=2)


def tiff(
    samples: npt.NDArray[Any], *, sample_format: int = 1, tags: dict[int, int] | None = None, deflate: bool = False
) -> bytes:
    """One strip, little endian; samples [h, w] or [h, w, 3]."""
    height, width = samples.shape[:2]
    bands, bits = (3 if samples.ndim == 3 else 1), samples.dtype.itemsize * 8
    data = samples.astype(samples.dtype.newbyteorder("<")).tobytes()
    data = zlib.compress(data) if deflate else data
    entries = {
        256: (4, 1, width), 257: (4, 1, height), 258: (3, bands, bits), 259: (3, 1, 8 if deflate else 1),
        262: (3, 1, 2 if bands == 3 else 1), 273: (4, 1, 0), 277: (3, 1, bands), 278: (4, 1, height),
        279: (4, 1, len(data)), 339: (3, bands, sample_format),
    }  # fmt: skip
    entries |= {tag: (3, 1, value) for tag, value in (tags or {}).items()}
    after = 8 + 2 + 12 * len(entries) + 4
    extra = struct.pack("<3H", bits, bits, bits) + struct.pack("<3H", *[sample_format] * 3)
    out = b"II*\0" + struct.pack("<IH", 8, len(entries))
    for tag, (kind, count, value) in sorted(entries.items()):
        if count == 3:
            value = after + (0 if tag == 258 else 6)
        if tag == 273:
            value = after + len(extra)
        out += struct.pack("<HHII" if kind == 4 or count == 3 else "<HHIHxx", tag, kind, count, value)
    return out + bytes(4) + extra + data


def png16(samples: npt.NDArray[np.uint16], significant: int | None = None) -> bytes:
    """samples [h, w], [h, w, 3] or [h, w, 4]."""
    height, width = samples.shape[:2]
    colour = {1: 0, 3: 2, 4: 6}[samples.size // (height * width)]
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples.reshape(height, -1))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))]
    if significant is not None:
        chunks.append((b"sBIT", bytes([significant] * (samples.size // (height * width)))))
    chunks += [(b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


heif_is_read = photo_formats._heif_is_read


@pytest.fixture(autouse=True)
def without_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_formats, "_heif_is_read", lambda: False)


# Names


@pytest.mark.parametrize(
    "name", ["a.jfif", "a.JPE", "a.jif", "a.mpo", "a.png", "a", "a.jpg.download", "a.txt", "a.heic"]
)
def test_a_jpeg_is_used_whatever_its_name(garden: Path, name: str) -> None:
    put(garden / "rose" / name, jpeg(900))
    found = find_photos(garden, strict=True)
    assert f"rose/{name}" in [photo.name for photo in found.photos]
    assert f"rose/{name}" in [photo.name for photo in find_class_photos("rose", [garden / "rose"])[0]]


def test_what_is_no_photo_is_named_or_counted(garden: Path) -> None:
    for number in range(12):
        put(garden / "rose" / f"IMG_{number}.HEIC", HEIC_FILE)
    put(garden / "tulip" / "raw.CR2", b"II*\0\x10\0\0\0CR\x02\0" + bytes(64))
    put(garden / "tulip" / "thing.xyz", b"something")
    put(garden / "tulip" / "clip.MOV", b"\0\0\0\x14ftypqt  " + bytes(32))
    found = find_photos(garden)
    assert len(found.photos) == 50
    assert found.skipped[-2:] == (
        Skipped("tulip/raw.CR2", RAW),
        Skipped("tulip/thing.xyz", "not a JPEG, PNG, WebP, GIF, BMP or TIFF file"),
    )
    assert found.skipped[:12] == tuple(
        sorted((Skipped(f"rose/IMG_{n}.HEIC", HEIC) for n in range(12)), key=lambda s: s.name)
    )
    assert found.warnings == (
        "Files that are no photos, not used: 1 (1 .mov).",
        f"Class 'rose': 12 of its 37 files cannot be used. Each is {HEIC}.",
        f"Class 'tulip': 1 of its 27 files cannot be used. Each is {RAW}.",
    )
    with pytest.raises(EdgeretrainError, match="14 photos are unreadable"):
        find_photos(garden, strict=True)


def test_a_class_of_nothing_but_heic_says_what_to_do(garden: Path) -> None:
    put(garden / "lily" / "a.heic", HEIC_FILE)
    with pytest.raises(EdgeretrainError, match=r"class 'lily' .*HEIC photo\. Run pip install \"edgeretrain\[heif\]\""):
        find_photos(garden)


# Formats


def test_photos_that_are_not_what_they_are_called(tmp_path: Path) -> None:
    assert reason(HEIC_FILE, tmp_path) == HEIC
    assert reason(HEIC_FILE[:8] + b"mif1\0\0\0\0mif1heic" + bytes(99), tmp_path) == HEIC
    assert reason(b"\0\0\0\x0cJXL \r\n\x87\n", tmp_path) == JPEG_XL
    assert reason(b"\xff\x0a\xfa", tmp_path) == JPEG_XL
    assert reason(b"\0\0\0\x0cjP  \r\n\x87\n", tmp_path) == JPEG_2000
    assert reason(b"<!DOCTYPE html><html>", tmp_path) == "a web page, not a photo. Download the file itself"
    assert reason(gzip.compress(jpeg(1)), tmp_path) == "compressed by gzip, not a photo. Unpack it with gunzip"
    assert reason(POINTER, tmp_path).startswith("a Git LFS pointer, not a photo. Fetch the file itself with `git lfs")


def test_raw_files_are_not_taken_for_their_thumbnails(tmp_path: Path) -> None:
    thumbnail = encoded(PHOTO, "TIFF")
    assert load_pixels(put(tmp_path / "photo.tif", thumbnail), 8).shape == (8, 8, 3)
    assert reason(thumbnail, tmp_path, "photo.NEF") == RAW
    dng = tiff((smooth() * 255).astype(np.uint8), tags={50706: 1})
    assert reason(dng, tmp_path, "photo.tif") == RAW
    assert load_pixels(put(tmp_path / "jpeg.dng", encoded(PHOTO)), 8).shape == (8, 8, 3)


def test_tiffs_without_a_known_range_are_named(tmp_path: Path) -> None:
    floats = tiff(smooth().astype(np.float32), sample_format=3)
    assert reason(floats, tmp_path).startswith("a TIFF of floating-point numbers (32 bits), which have no known range")
    assert "32 bits per sample" in reason(tiff((smooth() * 9).astype(np.uint32)), tmp_path)


def test_avif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = pytest.importorskip("PIL.AvifImagePlugin")
    if not plugin.SUPPORTED:
        pytest.skip("this Pillow has no AVIF")
    pixels = (smooth() * 255).astype(np.uint8)
    data = encoded(pixels, "AVIF")
    difference = np.abs(load_pixels(data, 64).astype(int) - pixels)
    assert difference.mean() < 4
    put(tmp_path / "photos" / "a" / "x.avif", data)
    monkeypatch.setattr(photo_formats, "_avif_is_read", lambda: False)
    assert reason(data, tmp_path) == AVIF


def test_heic_is_read_where_its_extra_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    monkeypatch.setattr(photo_formats, "_heif_is_read", heif_is_read)
    pixels = (smooth() * 255).astype(np.uint8)
    data = encoded(pixels, "HEIF")
    difference = np.abs(load_pixels(data, 64).astype(int) - pixels)
    assert difference.mean() < 4
    stream = io.BytesIO()
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(stream, "HEIF", exif=turned.tobytes())
    difference = np.abs(load_pixels(stream.getvalue(), 64).astype(int) - np.rot90(pixels, -1))
    assert difference.mean() < 4
    for damaged in (HEIC_FILE, data[:300]):
        with pytest.raises(UnreadablePhoto, match="truncated or damaged file"):
            load_pixels(damaged, 8)


def test_the_plugin_of_heic_is_registered_with_the_first_such_photo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Opened(ImageFile.ImageFile):
        format = "HEIF"

        def _open(self) -> None:
            self._size, self._mode = (5, 4), "RGB"
            self.im = Image.new("RGB", (5, 4), (9, 8, 7)).im

        def load(self) -> Any:
            return self.im.pixel_access(False)

    registered: list[bool] = []

    def register() -> None:
        registered.append(True)
        Image.register_open("HEIF", Opened, lambda prefix: prefix[4:12] == b"ftypheic")

    before = dict(Image.OPEN)
    plugin: Any = types.ModuleType("pillow_heif")
    plugin.register_heif_opener = register
    monkeypatch.setitem(sys.modules, "pillow_heif", plugin)
    monkeypatch.setattr(photo_formats, "_heif_is_read", heif_is_read)
    heif_is_read.cache_clear()
    try:
        load_pixels(jpeg(1), 4)
        assert not registered
        assert (load_pixels(HEIC_FILE, 4) == (9, 8, 7)).all()
        load_pixels(HEIC_FILE, 4)
        assert registered == [True]
    finally:
        heif_is_read.cache_clear()
        Image.OPEN.clear()
        Image.OPEN.update(before)


# JPEGs without their end


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": "4:4:4"}, {"restart_marker_blocks": 2}])
@pytest.mark.parametrize("size", [16, 64])
def test_a_jpeg_that_lacks_its_end_marker_only(options: dict[str, Any], size: int) -> None:
    for number in range(4):
        stream = io.BytesIO()
        Image.fromarray(texture("checks", number)).resize((200, 150)).save(stream, "JPEG", **options)
        data = stream.getvalue()
        expected = load_pixels(data, size)
        for cut in (data[:-2], data[:-1], data[:-2] + bytes(50)):
            assert np.array_equal(load_pixels(cut, size), expected)
        for missing in (8, 60, 400, len(data) // 2):
            with pytest.raises(UnreadablePhoto, match="truncated or damaged"):
                load_pixels(data[:-missing], size)
        with pytest.raises(UnreadablePhoto, match="truncated or damaged"):
            load_pixels(data[:-400] + bytes(9), size)


def test_it_is_told_which_jpegs_lack_their_end(garden: Path) -> None:
    thumbnail = Image.Exif()
    thumbnail[0x010E] = "an end marker inside: \xff\xd9"
    stream = io.BytesIO()
    Image.fromarray(PHOTO).save(stream, "JPEG", exif=thumbnail)
    put(garden / "rose" / "cut.jpg", stream.getvalue()[:-2])
    put(garden / "rose" / "more.jpg", jpeg(77) + b"a phone's own data" * 20)
    found = find_photos(garden)
    assert [photo.name for photo in found.photos if photo.lacks_end] == ["rose/cut.jpg"]
    assert found.warnings == ("JPEGs that lack their end marker, used all the same: 1 (rose/cut.jpg).",)


# More than 8 bits


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("colours", [1, 3, 4])
@pytest.mark.parametrize("kind", ["PNG", "PNG sBIT", "TIFF", "TIFF MaxSampleValue"])
def test_samples_are_scaled_by_what_they_hold(bits: int, colours: int, kind: str) -> None:
    if colours == 4 and kind.startswith("TIFF"):
        pytest.skip("written here without alpha")
    pixels = smooth()[..., 0] if colours == 1 else smooth()
    if colours == 4:
        pixels = np.dstack([pixels, np.ones(pixels.shape[:2])])
    samples = (pixels * (2**bits - 1)).round().astype(np.uint16)
    declared = bits if " " in kind and bits < 16 else None
    data = (
        png16(samples, declared)
        if kind.startswith("PNG")
        else tiff(samples, tags={281: 2**declared - 1} if declared else None)
    )
    expected = (samples >> (bits - 8)).astype(np.uint8)
    expected = np.repeat(expected[..., None], 3, 2) if colours == 1 else expected[..., :3]
    assert np.array_equal(load_pixels(data, 64), expected)


def test_what_a_file_says_of_its_samples_goes_before_the_guess() -> None:
    dim = (smooth() * 900).astype(np.uint16)  # 12 bits, a dark photo: it would be guessed to hold 10
    expected = (dim >> 4).astype(np.uint8)
    for data in (png16(dim, 12), tiff(dim, tags={281: 4095})):
        assert np.array_equal(load_pixels(data, 64), expected)
    high = ((smooth() * 4095).astype(np.uint16)) << 4  # sBIT as its standard means it: in the upper bits
    assert np.array_equal(load_pixels(png16(high, 12), 64), (high >> 8).astype(np.uint8))


@pytest.mark.parametrize("compression", ["raw", "tiff_adobe_deflate", "tiff_lzw"])
def test_compressed_tiffs_of_16_bits(compression: str) -> None:
    samples = (smooth()[..., 0] * 4095).astype(np.uint16)
    stream = io.BytesIO()
    Image.fromarray(samples).save(stream, "TIFF", compression=compression)
    assert np.array_equal(load_pixels(stream.getvalue(), 64)[..., 0], (samples >> 4).astype(np.uint8))


@pytest.mark.parametrize("bits", [12, 16])
def test_compressed_tiffs_of_16_bit_colour(bits: int) -> None:
    samples = (smooth() * (2**bits - 1)).round().astype(np.uint16)
    expected = (samples >> (bits - 8)).astype(np.uint8)
    assert np.array_equal(load_pixels(tiff(samples, deflate=True), 64), expected)
