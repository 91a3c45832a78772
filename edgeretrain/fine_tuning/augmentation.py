"""Augmentation: how a training photo is varied before every epoch.

Works on decoded pixels, as `load_pixels` hands them out; nothing changes at strength 0. At strength 1:

- crop: 40 to 100 % of the area, sides stretched against each other by up to a quarter, anywhere in the photo, resized
  to what the network sees; one of ten photos stays whole;
- brightness and contrast: each up to 30 % more or less;
- mirrored left to right half of the time, if `mirror` is on.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from edgeretrain.data.pixels import Pixels

DETAIL = 2
"""Sides of the pixels that crops are cut from, in sides of what the network sees. Cut from no more than it sees, every
crop would be blurred, unlike the photos that the model meets later (benchmarks/fine_tuning.md compares both)."""

_AREA = 0.6
_STRETCH = 1 / 4
_WHOLE = 0.1
_LIGHT = 0.3


@dataclass(frozen=True)
class Augmentation:
    """How one photo is varied.

    Attributes:
        box: left, top, right, bottom of the crop, as fractions of the photo's side.
        brightness: factor of the photo's mean.
        contrast: factor of the differences from the mean.
        mirrored: left to right.
    """

    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    brightness: float = 1.0
    contrast: float = 1.0
    mirrored: bool = False


def sample_augmentation(random: np.random.Generator, strength: float, *, mirror: bool) -> Augmentation:
    """A random augmentation. The number of draws is always the same, so that equal generators stay equal."""
    area, stretch, x, y, brightness, contrast, whole, side = random.random(8)
    side_fraction = np.sqrt(max(0.1, 1 - _AREA * strength * area))
    ratio = np.exp((2 * stretch - 1) * _STRETCH * strength / 2)
    width, height = min(1.0, side_fraction * ratio), min(1.0, side_fraction / ratio)
    left, top = x * (1 - width), y * (1 - height)
    box = (left, top, left + width, top + height) if whole >= _WHOLE else (0.0, 0.0, 1.0, 1.0)
    light = _LIGHT * strength
    return Augmentation(
        box, 1 + light * (2 * brightness - 1), 1 + light * (2 * contrast - 1), mirrored=bool(mirror and side < 0.5)
    )


def apply_augmentation(pixels: Pixels, detailed: Pixels, augmentation: Augmentation) -> Pixels:
    """The augmented photo, `uint8 [S,S,3]`; the default augmentation leaves every byte as it is.

    Args:
        pixels: uint8 `[S,S,3]`.
        detailed: the same photo, uint8 `[D,D,3]`: what a crop is cut from.
    """
    if augmentation.box != (0.0, 0.0, 1.0, 1.0):
        size = len(pixels)
        left, top, right, bottom = (len(detailed) * edge for edge in augmentation.box)
        image = Image.fromarray(detailed).resize((size, size), Image.Resampling.BILINEAR, (left, top, right, bottom))
        pixels = np.asarray(image)
    if (augmentation.brightness, augmentation.contrast) != (1.0, 1.0):
        mean = pixels.mean(dtype=np.float64)
        levels = (np.arange(256) - mean) * augmentation.contrast + mean * augmentation.brightness
        pixels = levels.round().clip(0, 255).astype(np.uint8)[pixels]
    return pixels[:, ::-1] if augmentation.mirrored else pixels
