"""One photo, another look: what a training photo is turned into before every epoch.

Works on decoded pixels, as `load_pixels` hands them out; nothing changes at strength 0. At strength 1:

- crop: 40 to 100 % of the area, sides stretched against each other by up to a quarter, anywhere in the photo, resized
  to what the network sees; one of ten photos stays whole;
- brightness and contrast: each up to 30 % more or less;
- mirrored left to right half of the time, if that is wanted.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from edgeretrain.data.decoded import Pixels

DETAIL = 2
"""Sides of the pixels that crops are cut from, in sides of what the network sees. Cut from no more than it sees, every
crop would be blurred, and no photo that the model meets later is (benchmarks/fine_tuning.md has both)."""

_AREA = 0.6
_STRETCH = 1 / 4
_WHOLE = 0.1
_LIGHT = 0.3


@dataclass(frozen=True)
class Look:
    """What is done to one photo.

    Attributes:
        box: left, top, right, bottom of the crop, as shares of the photo's side.
        brightness: the mean is multiplied by it.
        contrast: so are the differences from the mean.
    """

    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    brightness: float = 1.0
    contrast: float = 1.0
    mirrored: bool = False


def draw_look(random: np.random.Generator, strength: float, *, mirror: bool) -> Look:
    """A look drawn by chance; always as many draws, so that equal generators stay equal."""
    area, stretch, x, y, brightness, contrast, whole, side = random.random(8)
    share = np.sqrt(max(0.1, 1 - _AREA * strength * area))
    ratio = np.exp((2 * stretch - 1) * _STRETCH * strength / 2)
    width, height = min(1.0, share * ratio), min(1.0, share / ratio)
    left, top = x * (1 - width), y * (1 - height)
    box = (left, top, left + width, top + height) if whole >= _WHOLE else (0.0, 0.0, 1.0, 1.0)
    light = _LIGHT * strength
    return Look(
        box, 1 + light * (2 * brightness - 1), 1 + light * (2 * contrast - 1), mirrored=bool(mirror and side < 0.5)
    )


def apply_look(pixels: Pixels, detailed: Pixels, look: Look) -> Pixels:
    """The photo with this look, `uint8 [S,S,3]`; the default look leaves every byte as it is.

    Args:
        pixels: uint8 `[S,S,3]`.
        detailed: the same photo, uint8 `[D,D,3]`: what a crop is cut from.
    """
    if look.box != (0.0, 0.0, 1.0, 1.0):
        size = len(pixels)
        left, top, right, bottom = (len(detailed) * edge for edge in look.box)
        image = Image.fromarray(detailed).resize((size, size), Image.Resampling.BILINEAR, (left, top, right, bottom))
        pixels = np.asarray(image)
    if (look.brightness, look.contrast) != (1.0, 1.0):
        mean = pixels.mean(dtype=np.float64)
        levels = (np.arange(256) - mean) * look.contrast + mean * look.brightness
        pixels = levels.round().clip(0, 255).astype(np.uint8)[pixels]
    return pixels[:, ::-1] if look.mirrored else pixels
