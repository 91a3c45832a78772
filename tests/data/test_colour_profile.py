"""Photos with a colour profile come out in sRGB; all others keep their bits."""

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms
from support.icc import ADOBE_RGB, DISPLAY_P3, SRGB, SRGB_CURVE, gray_profile, rgb_profile

from edgeretrain.data.pixels import load_pixels

SIDE = 64
SPACES = {"P3": (DISPLAY_P3, SRGB_CURVE), "Adobe RGB": (ADOBE_RGB, (2.19921875,))}


def soft() -> npt.NDArray[np.uint8]:
    """Colours that sRGB holds and that are not gray, [SIDE, SIDE, 3]."""
    y, x = np.mgrid[:SIDE, :SIDE] * (150 / (SIDE - 1)) + 50
    return np.stack([x, y, 250 - x], axis=2).round().astype(np.uint8)


def linear(values: npt.NDArray[np.float64], curve: tuple[float, ...]) -> npt.NDArray[np.float64]:
    if len(curve) == 1:
        return np.asarray(values ** curve[0])
    g, a, b, c, d = curve
    return np.where(values >= d, (a * values + b) ** g, c * values)


def as_srgb(pixels: npt.NDArray[np.uint8], space: str) -> npt.NDArray[np.float64]:
    """The same colours in sRGB, 0 to 255, by the definitions of the spaces."""
    colorants, curve = SPACES[space]
    xyz = linear(pixels / 255, curve) @ np.array(colorants)
    light = (xyz @ np.linalg.inv(np.array(SRGB))).clip(0, 1)
    g, a, b, c, d = SRGB_CURVE
    return np.asarray(np.where(light >= c * d, (light ** (1 / g) - b) / a, light / c) * 255)


def encoded(pixels: npt.NDArray[np.uint8], image_format: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, image_format, **options)
    return stream.getvalue()


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_colours_are_those_of_the_definition(space: str, image_format: str) -> None:
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(image_format, {})
    profile = rgb_profile(*SPACES[space])
    told = load_pixels(encoded(soft(), image_format, icc_profile=profile, **options), SIDE)
    difference = np.abs(told - as_srgb(soft(), space))
    assert difference.mean() < 1
    assert image_format == "JPEG" or difference.max() < 2
    assert np.abs(as_srgb(soft(), space) - soft()).max() > 15  # what would be wrong without


def test_it_comes_before_the_resize_and_after_alpha() -> None:
    profile = rgb_profile(*SPACES["P3"])
    stripes = np.zeros((SIDE, SIDE, 3), np.uint8)
    stripes[:, ::2] = 200, 60, 60
    stripes[:, 1::2] = 60, 190, 60
    expected = load_pixels(load_pixels(encoded(stripes, icc_profile=profile), SIDE), 8)
    assert np.array_equal(load_pixels(encoded(stripes, icc_profile=profile), 8), expected)
    see_through = np.dstack([soft(), np.full((SIDE, SIDE), 0, np.uint8)])
    assert (load_pixels(encoded(see_through, icc_profile=profile), SIDE) >= 254).all()


def test_srgb_and_profiles_that_cannot_be_used_keep_the_bits() -> None:
    bits = load_pixels(encoded(soft()), SIDE)
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (own, rgb_profile(SRGB), b"no profile", rgb_profile(DISPLAY_P3)[:200], gray_profile(1.8)):
        assert np.array_equal(load_pixels(encoded(soft(), icc_profile=profile), SIDE), bits)


def test_gray() -> None:
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    told = load_pixels(encoded(gray, icc_profile=gray_profile(1.8)), 16)
    light = (gray / 255) ** 1.8
    g, a, b, c, d = SRGB_CURVE
    expected = np.where(light >= c * d, (light ** (1 / g) - b) / a, light / c) * 255
    assert np.abs(told[..., 0] - expected).max() < 2
    assert (told[..., 0] == told[..., 1]).all() and (told[..., 0] == told[..., 2]).all()


def test_an_image_of_pillow_is_its_file() -> None:
    data = encoded(soft(), icc_profile=rgb_profile(*SPACES["Adobe RGB"]))
    assert np.array_equal(load_pixels(Image.open(io.BytesIO(data)), SIDE), load_pixels(data, SIDE))


def test_threads_agree() -> None:
    photos = [encoded(soft(), icc_profile=rgb_profile(*SPACES[space])) for space in SPACES] * 20
    alone = [load_pixels(photo, SIDE) for photo in photos[:2]]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda photo: load_pixels(photo, SIDE), photos))
    assert all(np.array_equal(pixels, alone[index % 2]) for index, pixels in enumerate(together))


def test_a_pillow_without_image_cms_says_it_once() -> None:
    program = f"""
import sys
sys.modules["PIL._imagingcms"] = None
import io
import numpy as np
from PIL import Image
from edgeretrain.data.pixels import load_pixels
stream = io.BytesIO()
Image.new("RGB", (8, 8), (200, 60, 60)).save(stream, "PNG", icc_profile={rgb_profile(DISPLAY_P3)!r})
for _ in range(3):
    assert (load_pixels(stream.getvalue(), 4) == (200, 60, 60)).all()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.count("no ImageCms, so the colour profiles of photos are ignored") == 1
    plain = program.replace("icc_profile", "pnginfo").replace(repr(rgb_profile(DISPLAY_P3)), "None")
    assert subprocess.run([sys.executable, "-c", plain], capture_output=True, text=True, check=True).stderr == ""
