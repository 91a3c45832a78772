"""Pixels against an implementation of docs/pixels.md alone, against the golden vectors, and against bad files."""

import hashlib
import importlib.util
import io
import json
import os
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features
from support.pixels_reference import golden_rgb, over, reference

from edgeretrain.data.pixels import MAX_PIXELS, check_header, load_pixels
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto

GOLDEN = Path(__file__).parents[1] / "golden" / "pixels"
MANIFEST = json.loads((GOLDEN / "manifest.json").read_text(encoding="utf-8"))
BILINEAR = Image.Resampling.BILINEAR
FORMATS = ["JPEG", "PNG", "GIF", "BMP", "TIFF", *(["WEBP"] if features.check("webp") else [])]


def encode(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


# Golden vectors


@pytest.mark.parametrize("entry", MANIFEST, ids=[entry["output"] for entry in MANIFEST])
def test_golden(entry: dict) -> None:
    expected = (GOLDEN / entry["output"]).read_bytes()
    assert hashlib.sha256(expected).hexdigest() == entry["sha256"]
    pixels = load_pixels(GOLDEN / entry["input"], entry["size"], entry["fit"])
    assert pixels.shape == (entry["size"], entry["size"], 3)
    assert pixels.dtype == np.uint8
    if entry["kind"] == "profile":  # versions of Little CMS may round otherwise
        assert np.abs(pixels.reshape(-1).astype(int) - np.frombuffer(expected, np.uint8)).max() <= 1
    else:
        assert pixels.tobytes() == expected
    # The decoder is not part of docs/pixels.md: of a JPEG, what was decoded from it lies beside it.
    rgb, orientation = golden_rgb((GOLDEN / entry.get("decoded", entry["input"])).read_bytes())
    whole, s = None, 1
    if entry["kind"] in ("jpeg", "profile"):
        whole, s = (entry["width"], entry["height"]), entry["denominator"]
    assert reference(rgb, entry["size"], entry["fit"], orientation, whole, s).tobytes() == expected


def test_golden_inputs_are_what_the_script_makes(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.make(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    checked_in = {p.name: p.read_bytes() for p in GOLDEN.iterdir() if p.is_file() and p.suffix != ".py"}
    assert made == checked_in


# The resize


def test_resize_equals_the_document_on_random_sizes() -> None:
    rng = np.random.default_rng(7)
    for _ in range(60):
        width, height = (int(side) for side in rng.integers(1, 90, 2))
        size = int(rng.integers(1, 70))
        photo = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        for fit in ("squash", "crop"):
            assert np.array_equal(load_pixels(photo, size, fit), reference(photo, size, fit)), (width, height, size)


@pytest.mark.parametrize("size", [96, 128, 160, 192, 224])
@pytest.mark.parametrize("shape", [(240, 320), (500, 333), (47, 1024), (2000, 90)])
def test_resize_equals_the_document_at_the_sizes_of_the_presets(size: int, shape: tuple[int, int]) -> None:
    photo = noise(sum(shape), *shape, 3)
    assert np.array_equal(load_pixels(photo, size), reference(photo, size))


def test_black_and_white_survive_the_resize() -> None:
    for value in (0, 255):
        photo = np.full((37, 151, 3), value, np.uint8)
        assert (load_pixels(photo, 50) == value).all()


# To RGB


def test_every_source_of_the_same_photo_gives_the_same_pixels(tmp_path: Path) -> None:
    photo = noise(1, 33, 47, 3)
    data = encode(Image.fromarray(photo), "PNG")
    path = tmp_path / "a photo ä.PNG"
    path.write_bytes(data)
    expected = reference(photo, 20)
    sources = (path, str(path), data, bytearray(data), Image.open(path), Image.fromarray(photo), photo, photo[:, :, :])
    for source in sources:
        assert np.array_equal(load_pixels(source, 20), expected)
    flipped = photo[::-1, :, ::-1]  # strides that are not contiguous
    assert np.array_equal(load_pixels(flipped, 20), reference(np.ascontiguousarray(flipped), 20))


def test_result_belongs_to_the_caller() -> None:
    photo = noise(1, 20, 20, 3)
    pixels = load_pixels(photo, 20)
    pixels[:] = 0
    assert photo.any()


@pytest.mark.parametrize("image_format", FORMATS)
def test_formats(image_format: str) -> None:
    image = Image.fromarray(noise(2, 30, 44)).convert("RGB")
    data = encode(image, image_format, **({"lossless": True} if image_format == "WEBP" else {}))
    decoded = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(load_pixels(data, 16), reference(decoded, 16))


@pytest.mark.parametrize("image_format", [f for f in FORMATS if f in ("GIF", "TIFF", "PNG", "WEBP")])
def test_first_frame_counts(image_format: str) -> None:
    frames = [Image.new("RGB", (12, 12), colour) for colour in ("red", "lime", "blue")]
    options: dict[str, object] = {"lossless": True} if image_format == "WEBP" else {}
    data = encode(frames[0], image_format, save_all=True, append_images=frames[1:], **options)
    assert (load_pixels(data, 4) == (255, 0, 0)).all()


def test_gray_equals_its_three_channel_twin() -> None:
    gray = noise(3, 31, 53)
    expected = reference(np.repeat(gray[..., None], 3, axis=2), 24)
    assert np.array_equal(load_pixels(encode(Image.fromarray(gray), "PNG"), 24), expected)


def test_one_bit() -> None:
    bits = noise(4, 20, 30) > 127
    data = encode(Image.fromarray(bits), "PNG")
    expected = np.repeat(np.where(bits, 255, 0).astype(np.uint8)[..., None], 3, axis=2)
    assert np.array_equal(load_pixels(data, 9), reference(expected, 9))


def alpha_images() -> list[tuple[str, Image.Image, np.ndarray]]:
    """Image, and what lies on white; every pair of alpha and colour comes up."""
    alpha, value = np.mgrid[0:256, 0:256].astype(np.uint8)
    gray = np.repeat(over(alpha, value)[..., None], 3, axis=2)
    rgba = np.stack([value, value[::-1], value.T, alpha], axis=2)
    return [
        ("RGBA", Image.fromarray(rgba), over(alpha[..., None], rgba[..., :3])),
        ("LA", Image.merge("LA", [Image.fromarray(value), Image.fromarray(alpha)]), gray),
    ]


@pytest.mark.parametrize(("mode", "image", "expected"), alpha_images(), ids=["RGBA", "LA"])
def test_alpha_lies_on_white(mode: str, image: Image.Image, expected: np.ndarray) -> None:
    assert image.mode == mode
    assert np.array_equal(load_pixels(image, 256), expected)
    assert np.array_equal(load_pixels(encode(image, "PNG"), 256), expected)
    assert np.array_equal(load_pixels(encode(image, "PNG"), 40), reference(expected, 40))


def test_transparent_colours_of_palettes_gray_and_rgb() -> None:
    palette = Image.fromarray(noise(5, 40, 40) % 4)
    palette.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200, 90, 90, 90])
    entries = np.array([[200, 10, 10], [10, 200, 10], [10, 10, 200], [90, 90, 90]], np.uint8)
    index = np.asarray(palette)
    one = entries.copy()
    one[2] = 255
    for data in (encode(palette, "PNG", transparency=2), encode(palette, "GIF", transparency=2)):
        assert np.array_equal(load_pixels(data, 40), one[index])
    opacity = np.array([255, 128, 3, 0], np.uint8)
    data = encode(palette, "PNG", transparency=opacity.tobytes())
    assert np.array_equal(load_pixels(data, 40), over(opacity[:, None], entries)[index])

    gray = noise(6, 16, 16)
    expected = np.repeat(np.where(gray == gray[3, 3], 255, gray)[..., None], 3, axis=2)
    data = encode(Image.fromarray(gray), "PNG", transparency=int(gray[3, 3]))
    assert np.array_equal(load_pixels(data, 16), expected)

    rgb = noise(7, 16, 16, 3)
    rgb[2:5, 2:5] = (7, 8, 9)
    expected = rgb.copy()
    expected[2:5, 2:5] = 255
    assert np.array_equal(load_pixels(encode(Image.fromarray(rgb), "PNG", transparency=(7, 8, 9)), 16), expected)


def test_premultiplied_and_palette_alpha_images() -> None:
    rgba = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    palette = Image.new("RGB", (8, 8), (255, 0, 0)).convert("P")
    palette.putalpha(0)
    assert palette.mode == "PA"
    for image in (rgba.convert("RGBa"), rgba.convert("LA").convert("La"), palette):
        assert (load_pixels(image, 8) == 255).all()


def test_cmyk() -> None:
    ink = noise(8, 64, 64, 4)
    n = 255 - ink[..., 3:].astype(np.int32)
    t = ink[..., :3].astype(np.int32) * n + 128
    expected = (n - ((t + (t >> 8)) >> 8)).astype(np.uint8)
    image = Image.frombytes("CMYK", (64, 64), ink.tobytes())
    assert np.array_equal(load_pixels(image, 64), expected)
    assert np.array_equal(load_pixels(encode(image, "TIFF"), 64), expected)
    # JPEG: white paper stays white, whichever way round the file holds it.
    assert (load_pixels(encode(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG"), 4) == 255).all()


def gray16_png(samples: np.ndarray, transparent: int | None = None) -> bytes:
    height, width = samples.shape
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0))]
    if transparent is not None:
        chunks.append((b"tRNS", struct.pack(">H", transparent)))
    chunks += [(b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def test_16_bit_gray_keeps_its_high_byte() -> None:
    samples = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    expected = np.repeat((samples >> 8).astype(np.uint8)[..., None], 3, axis=2)
    little = Image.frombytes("I;16", (256, 256), samples.astype("<u2").tobytes())
    big = Image.frombytes("I;16B", (256, 256), samples.astype(">u2").tobytes())
    for source in (gray16_png(samples), little, big, encode(little, "TIFF"), encode(big, "TIFF")):
        assert np.array_equal(load_pixels(source, 256), expected)
    transparent = gray16_png(samples, transparent=0x1234)
    expected[0x12, 0x34] = 255
    assert np.array_equal(load_pixels(transparent, 256), expected)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_gray_without_a_known_range_is_refused(mode: str) -> None:
    image = Image.new(mode, (8, 8))
    for source in (image, encode(image, "TIFF")):
        with pytest.raises(UnreadablePhoto, match=rf"32-bit gray \(mode {mode}\), which has no known range"):
            load_pixels(source, 8)


# Upright


def exif_block(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", [f for f in FORMATS if f not in ("GIF", "BMP")])
def test_exif_orientation(image_format: str, orientation: int) -> None:
    image = Image.fromarray(noise(9, 21, 34, 3))
    options: dict[str, object] = {"lossless": True} if image_format == "WEBP" else {}
    plain = np.asarray(Image.open(io.BytesIO(encode(image, image_format, **options))).convert("RGB"))
    data = encode(image, image_format, exif=exif_block(orientation), **options)
    for fit in ("squash", "crop"):
        expected = reference(plain, 13, fit, orientation)
        assert np.array_equal(load_pixels(data, 13, fit), expected)
        assert np.array_equal(load_pixels(Image.open(io.BytesIO(data)), 13, fit), expected)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
def test_tiff_is_turned_once(compression: str) -> None:
    photo = noise(10, 15, 26, 3)
    data = encode(Image.fromarray(photo), "TIFF", compression=compression, tiffinfo={274: 6})
    assert np.array_equal(load_pixels(data, 26), reference(photo, 26, orientation=6))
    opened = Image.open(io.BytesIO(data))
    opened.load()
    assert np.array_equal(load_pixels(opened, 26), reference(photo, 26, orientation=6))


@pytest.mark.parametrize(
    "block", [exif_block(9), exif_block(0), b"Exif\0\0MM\0*\0\0\0\x08\0\5", b"Exif\0\0 nonsense", b"x"]
)
def test_damaged_exif_leaves_the_photo_as_it_is(block: bytes) -> None:
    image = Image.fromarray(noise(11, 16, 24, 3))
    data = encode(image, "JPEG", exif=block)
    assert np.array_equal(load_pixels(data, 12), load_pixels(encode(image, "JPEG"), 12))


# Bad input


def reason(source: object) -> str:
    with pytest.raises(UnreadablePhoto) as caught:
        load_pixels(source, 8)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("image_format", FORMATS)
def test_truncated_anywhere(image_format: str) -> None:
    data = encode(Image.fromarray(noise(12, 60, 60, 3)), image_format)
    for share in (0.05, 0.3, 0.6, 0.9):
        assert reason(data[: int(len(data) * share)]) == "truncated or damaged file"
    assert reason(data[:16]) in ("truncated or damaged file", "not a JPEG, PNG, WebP, GIF, BMP or TIFF file")


def test_empty_and_foreign_files(tmp_path: Path) -> None:
    assert reason(b"") == "empty file"
    for data in (b"x", b"\0" * 4096, b"text"):
        assert reason(data) == "not a JPEG, PNG, WebP, GIF, BMP or TIFF file"
    path = tmp_path / "page.jpg"
    path.write_bytes(b"<html>")
    foreign = "a web page, not a photo. Download the file itself"
    with pytest.raises(UnreadablePhoto, match=foreign) as caught:
        load_pixels(path, 8)
    assert caught.value.name == str(path)
    assert str(tmp_path) not in caught.value.reason


def test_paths_that_cannot_be_opened(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.jpg") == "no such file"
    assert reason("with\0nul") == "cannot be opened"
    if os.name != "nt":
        assert reason(tmp_path) == "a folder, not a file"


def test_name_of_what_is_not_a_path() -> None:
    for source, name in ((b"", "<bytes>"), (Image.new("F", (4, 4)), "<image>")):
        with pytest.raises(UnreadablePhoto) as caught:
            load_pixels(source, 8)
        assert caught.value.name == name


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_arrays_of_another_kind(array: np.ndarray) -> None:
    with pytest.raises(
        EdgeretrainError, match=r"must be uint8 \[height, width, 3\], RGB; this one is (uint8|float32) \["
    ):
        load_pixels(array, 8)


def test_arguments_that_make_no_sense() -> None:
    photo = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(EdgeretrainError, match="at least 1, not 0"):
        load_pixels(photo, 0)
    with pytest.raises(EdgeretrainError, match="Choose one of: squash, crop"):
        load_pixels(photo, 8, "stretch")  # type: ignore[arg-type]
    with pytest.raises(EdgeretrainError, match="not list"):
        load_pixels([1, 2], 8)  # type: ignore[arg-type]


def bomb(side: int) -> bytes:
    """A one-colour 1-bit PNG, small as a file."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (side + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks
    )


def test_too_many_pixels_are_refused_from_the_header(tmp_path: Path) -> None:
    too_large = f"more than {MAX_PIXELS:,} pixels"
    between = bomb(9460)  # above the limit, below twice the limit, where Pillow only warns
    huge = bomb(30000)
    assert reason(between) == reason(huge) == too_large
    assert reason(bomb(9460)[:200]) == too_large  # before decoding: the data is not even there
    for data in (between, huge):
        with pytest.raises(UnreadablePhoto, match="pixels"):
            check_header(io.BytesIO(data), "x.png")


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory of a process as Linux counts it")
def test_bomb_eats_no_memory_and_nothing_is_printed(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(30000))
    (tmp_path / "large.png").write_bytes(bomb(9460))
    palette = Image.fromarray(noise(5, 40, 40) % 4)
    palette.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200, 90, 90, 90])
    palette.save(tmp_path / "palette.png", transparency=b"\xff\x80\x00\xff")
    program = """
import resource, sys
from edgeretrain.errors import UnreadablePhoto
from edgeretrain.data.pixels import load_pixels
load_pixels(sys.argv[1] + "/palette.png", 8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in ("bomb.png", "large.png"):
    try:
        load_pixels(sys.argv[1] + "/" + name, 8)
        raise SystemExit("read it")
    except UnreadablePhoto:
        pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    command = [sys.executable, "-W", "always", "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert int(done.stdout) < 20_000  # kB; decoding would take 112 MB


def test_damaged_exif_prints_nothing_and_an_import_sets_no_filter(tmp_path: Path) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0\x0f\x01\x02\0\xff\xff\0\0\xff\xff\0\0"  # points behind its end
    (tmp_path / "damaged.jpg").write_bytes(encode(Image.fromarray(noise(3, 40, 40, 3)), "JPEG", exif=exif))

    def printed(program: str) -> str:
        command = [sys.executable, "-W", "always", "-c", program, str(tmp_path / "damaged.jpg")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr

    ours = """
import sys, warnings
import numpy, PIL.Image
before = list(warnings.filters)
from edgeretrain.data.pixels import load_pixels
assert warnings.filters == before
for _ in range(2):
    with warnings.catch_warnings():
        load_pixels(sys.argv[1], 8)
    assert warnings.filters == before
load_pixels(sys.argv[1], 8)
warnings.warn("the caller's own")
"""
    assert [line for line in printed(ours).splitlines() if "Warning: " in line] == [
        "<string>:12: UserWarning: the caller's own"
    ]
    pillows = "import sys; from PIL import Image; Image.open(sys.argv[1]).getexif()"
    assert "UserWarning: Corrupt EXIF data" in printed(pillows)


def test_damage_in_the_middle_gives_pixels_or_a_reason() -> None:
    rng = np.random.default_rng(13)
    image = Image.fromarray(noise(14, 24, 31, 3))
    photos = [encode(image, image_format) for image_format in FORMATS]
    photos.append(encode(image, "JPEG", exif=exif_block(6)))
    photos.append(encode(image.quantize(16), "PNG", transparency=3))
    photos.append(encode(image, "TIFF", compression="tiff_lzw", tiffinfo={274: 6}))
    refused = 0
    for data in photos:
        for _ in range(60):
            damaged = bytearray(data)
            for position in rng.integers(0, min(len(data), 400), 3):
                damaged[position] = rng.integers(0, 256)
            try:
                assert load_pixels(bytes(damaged), 8).shape == (8, 8, 3)
            except UnreadablePhoto as error:
                assert len(error.reason) < 100 and "0x" not in error.reason
                refused += 1
    assert refused > 50


def test_threads_agree() -> None:
    photos = [encode(Image.fromarray(noise(seed, 90, 70, 3)), "JPEG") for seed in range(8)]
    alone = [load_pixels(photo, 32) for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda photo: load_pixels(photo, 32), photos * 8))
    assert all(np.array_equal(pixels, alone[i % 8]) for i, pixels in enumerate(together))


def test_needs_nothing_but_numpy_and_pillow() -> None:
    program = """
import sys
import edgeretrain.data.pixels
heavy = {"typer", "rich", "tensorflow", "ai_edge_litert", "scipy", "skimage", "jinja2"} & set(sys.modules)
raise SystemExit(f"imported {sorted(heavy)}" if heavy else 0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
