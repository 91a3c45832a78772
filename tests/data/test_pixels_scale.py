"""At which scale a JPEG is decoded, that Pillow does what is asked, and that nothing but large JPEGs changes."""

import io
import json
import random
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin
from support.pixels_reference import denominator, reference, shrunk

from edgeretrain.data import pixels
from edgeretrain.data.jpeg_scale import can_be_scaled, scale_denominator
from edgeretrain.data.pixels import FITS, MAX_PIXELS, Fit, load_pixels, load_pixels_at
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto

GOLDEN = Path(__file__).parents[1] / "golden" / "pixels"
MODES = ("RGB", "L", "CMYK")


def smooth(seed: int, width: int, height: int, channels: int = 3) -> np.ndarray:
    """uint8 [height, width, channels]: slopes between 60 and 200, which no decoder has to clip."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    waves = [np.sin(x * rng.uniform(4, 25) + y * rng.uniform(4, 25) + rng.uniform(0, 6)) for _ in range(channels)]
    return (130 + 70 * np.stack(waves, axis=2)).astype(np.uint8)


def jpeg(photo: np.ndarray, **options: Any) -> bytes:
    image = Image.fromarray(photo if photo.shape[2] == 3 else photo[..., 0])
    return encoded(image, **options)


def encoded(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def at_scale(data: bytes, s: int) -> np.ndarray:
    """RGB as Pillow decodes it at 1/s, asked for in the plainest way: by the sides of the result."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (image.width // s, image.height // s))
        return np.asarray(image.convert("RGB"))


def expected(data: bytes, size: int, fit: Fit = "squash", orientation: int = 1) -> np.ndarray:
    """What docs/pixels.md makes of a JPEG that Pillow decodes at the scale of the rule."""
    with Image.open(io.BytesIO(data)) as image:
        whole = image.size
    s = denominator(*whole, size)
    return reference(at_scale(data, s), size, fit, orientation, whole, s)


def exif_block(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


class Decodes:
    """Counts what passes `pixels._decode`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.denominators: list[int] = []
        self._decode = pixels._decode
        monkeypatch.setattr(pixels, "_decode", self)

    def __call__(self, image: Image.Image, name: str, denominator: int = 1, *more: Any) -> Image.Image:
        self.denominators.append(denominator)
        return self._decode(image, name, denominator, *more)


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> Decodes:
    return Decodes(monkeypatch)


# The rule


def test_table_of_scales() -> None:
    lines = (GOLDEN / "scales.tsv").read_text(encoding="utf-8").splitlines()[1:]
    assert len(lines) >= 30
    for line in lines:
        width, height, size, expected = map(int, line.split("\t"))
        assert scale_denominator(width, height, size) == denominator(width, height, size) == expected, line


def test_rule_equals_the_document() -> None:
    rng = random.Random(0)
    for _ in range(20_000):
        width, height = rng.randint(1, 6000), rng.randint(1, 6000)
        size = rng.choice((1, 8, 96, 128, 160, 192, 224, 299, 331, rng.randint(1, 800)))
        expected = denominator(width, height, size)
        assert scale_denominator(width, height, size) == scale_denominator(height, width, size) == expected


def headers(width: int, height: int) -> Image.Image:
    """A JPEG of any size of which only the header is there."""
    data = jpeg(np.zeros((1, 1, 3), np.uint8))
    frame = data.index(b"\xff\xc0")
    return Image.open(io.BytesIO(data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]))


def test_pillow_takes_the_scale_that_is_asked_for() -> None:
    """Pillow's `draft` chooses the scale itself, by a rule of its own."""
    rng = random.Random(1)
    sides = [(n, n) for n in range(8, 80)] + [(65500, n) for n in range(8, 40)]
    sides += [(rng.randint(8, 9000), rng.randint(8, 9000)) for _ in range(1000)]
    for width, height in sides:
        for s in (2, 4, 8):
            for shape in ((width, height), (height, width)):
                image = headers(*shape)
                pixels._ask_for_scale(image, s)  # raises if it is another
                assert image.decoderconfig == (s, 0), (shape, s)
                assert image.mode == "RGB"


def test_another_rule_in_pillow_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "draft", lambda *_: None)
    with pytest.raises(EdgeretrainError, match="cannot decode a JPEG at the requested scale"):
        load_pixels(jpeg(smooth(0, 100, 100)), 8)


# The pixels


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("progressive", [False, True])
def test_decoded_at_the_scale_of_the_rule(mode: str, progressive: bool) -> None:
    rng = random.Random(f"{mode}{progressive}")
    seen = set()
    for seed in range(40):
        width, height, size = rng.randint(1, 150), rng.randint(1, 150), rng.randint(1, 24)
        subsampling = rng.choice(("4:4:4", "4:2:2", "4:2:0"))
        image = Image.fromarray(smooth(seed, width, height)).convert(mode)
        data = encoded(image, progressive=progressive, subsampling=subsampling)
        s = denominator(width, height, size)
        seen.add(s)
        assert at_scale(data, s).shape[:2] == (-(-height // s), -(-width // s))
        for fit in FITS:
            assert np.array_equal(load_pixels(data, size, fit), expected(data, size, fit)), (width, height, size)
    assert seen == {1, 2, 4, 8}


@pytest.mark.parametrize("s", [2, 4, 8])
@pytest.mark.parametrize("sides", [(96, 64), (101, 77), (97, 128)])
def test_scaled_decoding_gives_means(s: int, sides: tuple[int, int]) -> None:
    photo = smooth(s, *sides, 1)
    data = jpeg(photo, quality=95)
    means = shrunk(at_scale(data, 1)[..., :1], s)
    difference = abs(at_scale(data, s)[..., :1] - means)
    assert difference[: sides[1] // s, : sides[0] // s].max() <= 1
    assert difference.max() <= 8  # in the last row and column, what the encoder has put behind the photo counts, too


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("sides", [(137, 99), (99, 137), (129, 105)])
def test_scaled_before_it_is_turned(orientation: int, sides: tuple[int, int]) -> None:
    y, x = np.mgrid[0 : sides[1], 0 : sides[0]] / max(sides)
    photo = np.stack([40 + 170 * x, 40 + 170 * y, 40 + 85 * (x + y)], axis=2).astype(np.uint8)
    data = jpeg(photo, quality=100, subsampling="4:4:4", exif=exif_block(orientation))
    turned = {
        1: photo,
        2: photo[:, ::-1],
        3: photo[::-1, ::-1],
        4: photo[::-1],
        5: photo.transpose(1, 0, 2),
        6: photo[::-1].transpose(1, 0, 2),
        7: photo[::-1, ::-1].transpose(1, 0, 2),
        8: photo[:, ::-1].transpose(1, 0, 2),
    }[orientation]
    for size, s in ((6, 8), (12, 4), (20, 2)):
        assert denominator(*sides, size) == s
        for fit in FITS:
            found = load_pixels(data, size, fit)
            assert np.array_equal(found, expected(data, size, fit, orientation))
            # What the photo shows lies where it would lie without any scale, also where its sides are odd.
            unscaled = load_pixels(np.ascontiguousarray(turned), size, fit)
            assert abs(found.astype(int) - unscaled).max() <= 2


def test_first_picture_of_an_mpo(decodes: Decodes) -> None:
    first, second = (Image.fromarray(smooth(seed, 120, 90)) for seed in (1, 2))
    file = io.BytesIO()
    first.save(file, "MPO", save_all=True, append_images=[second], exif=exif_block(6))
    with Image.open(io.BytesIO(file.getvalue())) as image:
        assert image.format == "MPO"
    at_sizes = load_pixels_at(file.getvalue(), (5, 20, 40))
    for size, s in ((5, 8), (20, 2), (40, 1)):
        assert denominator(120, 90, size) == s
        assert np.array_equal(at_sizes[size], expected(file.getvalue(), size, "squash", 6))
    assert decodes.denominators == [8, 2, 1]


@pytest.mark.parametrize("side", [4 * 24 - 2, 4 * 24 - 1])
def test_small_photos_are_as_they_were(side: int, decodes: Decodes) -> None:
    """Just too small for 1/2, and just large enough."""
    data = jpeg(smooth(3, side, 200), quality=90)
    as_before = reference(at_scale(data, 1), 24)
    assert np.array_equal(load_pixels(data, 24), as_before) == (side == 94)
    assert decodes.denominators == [1 if side == 94 else 2]


@pytest.mark.parametrize("image_format", ["PNG", "BMP", "GIF", "TIFF"])
def test_other_formats_are_decoded_whole(image_format: str, decodes: Decodes) -> None:
    photo = smooth(4, 200, 160)
    file = io.BytesIO()
    Image.fromarray(photo).save(file, image_format, **({"compression": "jpeg"} if image_format == "TIFF" else {}))
    decoded = np.asarray(Image.open(io.BytesIO(file.getvalue())).convert("RGB"))
    at_sizes = load_pixels_at(file.getvalue(), (8, 16, 90))
    assert all(np.array_equal(at_sizes[size], reference(decoded, size)) for size in (8, 16, 90))
    assert decodes.denominators == [1]


def test_arrays_and_images_are_taken_as_they_are() -> None:
    """A JPEG that Pillow has opened but not decoded is an image like any other, and keeps its size."""
    data = jpeg(smooth(5, 180, 130))
    whole = reference(at_scale(data, 1), 16)
    assert np.array_equal(load_pixels(at_scale(data, 1), 16), whole)
    assert not np.array_equal(load_pixels(data, 16), whole)
    opened = Image.open(io.BytesIO(data))
    for _ in range(2):
        assert np.array_equal(load_pixels(opened, 16), whole)
        assert opened.size == (180, 130)


@pytest.mark.skipif(find_spec("skimage") is None, reason="the photographs are scikit-image's")
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("sides", [(2048, 1856), (2041, 1849)])
def test_a_photo_looks_the_same_as_decoded_whole(sides: tuple[int, int], fit: Fit) -> None:
    """A photograph with the grain of a sensor; the sides are multiples of 8, or just not."""
    spec = find_spec("skimage")
    assert spec is not None and spec.submodule_search_locations
    with Image.open(Path(spec.submodule_search_locations[0]) / "data" / "coffee.png") as photograph:
        large = np.asarray(photograph.convert("RGB").resize(sides, Image.Resampling.BICUBIC))
    grain = np.random.default_rng(0).normal(0, 6, large.shape)
    data = jpeg((large + grain).round().clip(0, 255).astype(np.uint8), quality=92)
    for size, s in ((224, 4), (96, 8)):
        assert denominator(*sides, size) == s
        difference = abs(load_pixels(data, size, fit).astype(int) - load_pixels(at_scale(data, 1), size, fit))
        assert 0 < difference.mean() <= 0.5
        assert (difference > 4).mean() < 0.001
        assert difference.max() <= 12


# Several sizes


@pytest.mark.parametrize("fit", FITS)
def test_each_size_is_as_if_alone(fit: Fit, tmp_path: Path, decodes: Decodes) -> None:
    rng = random.Random(fit)
    for seed in range(25):
        image = Image.fromarray(smooth(seed, rng.randint(1, 300), rng.randint(1, 300))).convert(rng.choice(MODES))
        path = tmp_path / "photo.jpg"
        image.save(path, exif=exif_block(rng.randint(1, 8)), progressive=rng.random() < 0.5)
        sizes = [rng.randint(1, 80) for _ in range(rng.randint(1, 7))]
        alone = {size: load_pixels(path, size, fit) for size in sizes}
        decodes.denominators.clear()
        for photo in (path, path.read_bytes()):
            together = load_pixels_at(photo, sizes, fit)
            assert list(together) == list(dict.fromkeys(sizes))
            assert all(np.array_equal(together[size], alone[size]) for size in sizes)
        needed = {denominator(*image.size, size) for size in sizes}
        assert sorted(decodes.denominators) == sorted([*needed, *needed])


def test_sizes_of_one_scale_share_a_decode(tmp_path: Path, decodes: Decodes, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg(smooth(6, 800, 600)))
    opened: list[Path] = []
    open_path = Path.open

    def counted(self: Path, mode: str) -> Any:
        opened.append(self)
        return open_path(self, mode)

    monkeypatch.setattr(Path, "open", counted)
    assert list(load_pixels_at(path, (224, 96, 128, 75, 224, 10))) == [224, 96, 128, 75, 10]
    assert decodes.denominators == [1, 2, 4, 8]
    assert opened == [path]
    decodes.denominators.clear()
    load_pixels_at(path, (80, 96, 128))
    assert decodes.denominators == [2]
    decodes.denominators.clear()
    load_pixels(path, 96)
    assert decodes.denominators == [2]
    assert load_pixels_at(path, ()) == {}


def test_sizes_of_arrays_and_images() -> None:
    photo = smooth(7, 90, 70)
    for source in (photo, Image.fromarray(photo)):
        at_sizes = load_pixels_at(source, [9, 16], "crop")
        assert all(np.array_equal(at_sizes[size], reference(photo, size, "crop")) for size in (9, 16))


def test_every_size_must_make_sense() -> None:
    with pytest.raises(EdgeretrainError, match="at least 1, not 0"):
        load_pixels_at(smooth(0, 9, 9), (8, 0))


# Bad input


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [4, 9, 20])
def test_truncated_at_every_scale(size: int, progressive: bool) -> None:
    data = jpeg(np.random.default_rng(8).integers(0, 256, (97, 103, 3)).astype(np.uint8), progressive=progressive)
    load_pixels(data, size)
    for share in (0.3, 0.6, 0.9, 0.97):
        with pytest.raises(UnreadablePhoto, match="truncated or damaged"):
            load_pixels(data[: int(len(data) * share)], size)


class FailingDisk(io.BytesIO):
    """A file of which every read or seek fails after so many."""

    left = 0

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError("input/output error")

    def read(self, size: int | None = -1, /) -> bytes:
        self._count()
        return super().read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._count()
        return super().seek(offset, whence)


def test_failing_disk_makes_a_photo_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    data = jpeg(smooth(1, 150, 110))
    refused = 0
    disk = FailingDisk(data)
    monkeypatch.setattr(Path, "open", lambda *_: disk)
    for disk.left in range(10_000):
        try:
            at_sizes = load_pixels_at("photo.jpg", (10, 20))
            break
        except UnreadablePhoto as error:
            assert error.reason == "truncated or damaged file"
            refused += 1
            disk = FailingDisk(data)
    assert refused > 20
    assert all(np.array_equal(at_sizes[size], expected(data, size)) for size in (10, 20))


def test_whole_size_counts_against_the_limit() -> None:
    image = headers(9500, 9500)
    assert image.width * image.height > MAX_PIXELS
    assert image.fp is not None
    image.fp.seek(0)
    with pytest.raises(UnreadablePhoto, match="pixels"):
        load_pixels(image.fp.read(), 8)


def lossless_jpeg(gray: np.ndarray) -> bytes:
    """A JPEG of process 14 (SOF3): each sample as its difference from the one to the left."""
    height, width = gray.shape
    samples = gray.astype(int)
    before = np.concatenate([np.concatenate([[[128]], samples[:-1, :1]]), samples[:, :-1]], axis=1)
    bits = ""
    for difference in (samples - before).ravel().tolist():
        length = abs(difference).bit_length()  # which is also its code, of four bits
        bits += f"{length:04b}"
        if length:
            bits += f"{difference if difference > 0 else difference + (1 << length) - 1:0{length}b}"
    bits += "1" * (-len(bits) % 8)
    table = bytes([0, 0, 0, 0, 9, *[0] * 12, *range(9)])
    frame = struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)
    segments = [(0xC3, frame), (0xC4, table), (0xDA, bytes([1, 1, 0, 1, 0, 0]))]
    header = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    return b"\xff\xd8" + header + coded + b"\xff\xd9"


def test_lossless_jpeg_is_not_scaled(decodes: Decodes) -> None:
    """Libjpeg cannot scale one, and Pillow would write past the end of its memory."""
    gray = smooth(9, 120, 100, 1)[..., 0]
    data = lossless_jpeg(gray)
    assert not can_be_scaled(io.BytesIO(data))
    try:
        found = load_pixels(data, 6)
    except UnreadablePhoto as error:  # a libjpeg that knows no lossless JPEG
        assert error.reason == "truncated or damaged file"
    else:
        assert np.array_equal(found, reference(np.repeat(gray[..., None], 3, axis=2), 6))
    assert decodes.denominators == [1]


def test_what_can_be_scaled() -> None:
    baseline = jpeg(smooth(0, 20, 20))
    progressive = jpeg(smooth(0, 20, 20), progressive=True)
    frame = baseline.index(b"\xff\xc0")
    filled = baseline[:frame] + b"junk\xff\0\xff\xff\xff\xd0\xff" + baseline[frame:]
    arithmetic = baseline[:frame] + b"\xff\xc9" + baseline[frame + 2 :]
    for data in (baseline, progressive, filled, arithmetic):
        assert can_be_scaled(io.BytesIO(data))
    no_frame = [baseline[:frame], baseline[:2], baseline[: frame + 1], baseline[:2] + b"\xff\xfe\0\1" + baseline[2:]]
    lossless = [baseline[:frame] + bytes([0xFF, marker]) + baseline[frame + 2 :] for marker in (0xC3, 0xC7, 0xCB, 0xCF)]
    ended = [baseline[:2] + bytes([0xFF, marker]) + baseline[2:] for marker in (0xD8, 0xD9, 0xDA)]
    for data in (*no_frame, *lossless, *ended):
        assert not can_be_scaled(io.BytesIO(data))
    # A frame header inside another segment, as a thumbnail in EXIF has one, is not the photo's.
    thumbnail = b"\xff\xe1" + struct.pack(">H", len(baseline) + 2) + baseline
    assert not can_be_scaled(io.BytesIO(b"\xff\xd8" + thumbnail + lossless[0][2:]))


def test_golden_vectors_have_every_scale() -> None:
    manifest = json.loads((GOLDEN / "manifest.json").read_text(encoding="utf-8"))
    seen = set()
    for entry in manifest:
        if entry["kind"] != "jpeg":
            continue
        with Image.open(GOLDEN / entry["input"]) as image, Image.open(GOLDEN / entry["decoded"]) as decoded:
            s = denominator(image.width, image.height, entry["size"])
            assert entry["denominator"] == s
            assert decoded.size == (-(-image.width // s), -(-image.height // s))
            whole = np.asarray(image.convert("RGB"))
            assert abs(np.asarray(decoded.convert("RGB")) - shrunk(whole, s)).mean() < 1
        seen.add((s, entry["fit"]))
    assert seen == {(s, fit) for s in (1, 2, 4, 8) for fit in FITS}
