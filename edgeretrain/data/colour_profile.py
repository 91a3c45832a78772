"""Photos with an embedded colour profile -> sRGB, which is what networks were trained on. See docs/pixels.md."""

import io
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

_AS_SRGB = 2
"""A profile that changes no colour by more levels is sRGB's own: writers round its curve and primaries differently."""

_RELATIVE_COLORIMETRIC = 1

_GRID = 17
"""Levels of each channel at which a profile is compared with sRGB."""


def to_srgb(image: Image.Image, profile: object) -> Image.Image:
    """The colours of a photo in sRGB; the same image where they are already, or where its profile cannot be used.

    Args:
        image: RGB or L.
        profile: the ICC profile embedded in the photo, bytes; anything else counts as none.
    """
    if not isinstance(profile, bytes) or not profile:
        return image
    transform = _transform(profile, image.mode)
    if transform is None:
        return image
    converted: Image.Image = transform.apply(image)
    return converted.getchannel("G") if image.mode == "L" else converted


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> Any:
    """Pillow's transform from this profile to sRGB; None where nothing is to be done."""
    cms = _image_cms()
    if cms is None:
        return None
    try:
        opened = cms.ImageCmsProfile(io.BytesIO(profile))
        if opened.profile.xcolor_space.strip() != {"RGB": "RGB", "L": "GRAY"}[mode]:
            return None
        transform = cms.buildTransform(
            opened, cms.createProfile("sRGB"), mode, "RGB", renderingIntent=_RELATIVE_COLORIMETRIC
        )
        probe = _probe(mode)
        moved = np.asarray(transform.apply(probe)).astype(np.int16) - np.asarray(probe.convert("RGB"))
    except Exception:  # a damaged profile, or one that has no way to sRGB; the photo itself is fine
        return None
    return transform if np.abs(moved).max() > _AS_SRGB else None


def _probe(mode: str) -> Image.Image:
    levels = np.linspace(0, 255, _GRID).round().astype(np.uint8)
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    return Image.fromarray(np.ascontiguousarray(grid.reshape(_GRID, -1, 3)))


@lru_cache(maxsize=1)
def _image_cms() -> Any:
    """Pillow's ImageCms; None where this Pillow was built without it, which is told once."""
    try:
        from PIL import ImageCms, _imagingcms  # noqa: F401  ImageCms alone imports everywhere
    except ImportError:
        warnings.warn(
            "This Pillow has no ImageCms, so the colour profiles of photos are ignored. Install Pillow's wheel, or "
            "build it with Little CMS.",
            stacklevel=2,
        )
        return None
    return ImageCms
