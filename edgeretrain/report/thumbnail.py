"""Small JPEGs of photos, for the page."""

import io
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

from PIL import Image

from edgeretrain.data.pixels import load_pixels
from edgeretrain.errors import UnreadablePhoto

MOST = 200
"""Thumbnails in one page: about 6 kB each, so that the page stays near 2 MB."""

LONG_SIDE = 160
QUALITY = 80

_LYING = (5, 6, 7, 8)
"""Values of the EXIF orientation with which width and height change places."""


class Thumbnails:
    """JPEG thumbnails of photos, upright, in their own aspect ratio; no photo is decoded twice for them."""

    def __init__(self) -> None:
        self._made: dict[Path, bytes | None] = {}

    def of(self, photos: Mapping[str, Path], names: Iterable[str], most: int = MOST) -> dict[str, bytes]:
        """The thumbnails of the first photos of a list.

        Args:
            photos: where the photo of each name lies.
            names: which ones, the most wanted first (`mistaken(report)` has that order). Repeated ones count once.
            most: how many at most.

        Returns:
            By name, in that order: JPEG bytes, long side LONG_SIDE pixels, the same bytes for the same photo and
            Pillow. Photos that cannot be read (any more) are left out.
        """
        found = {}
        for name in islice(dict.fromkeys(names), most):
            thumbnail = self._of(photos[name]) if name in photos else None
            if thumbnail is not None:
                found[name] = thumbnail
        return found

    def _of(self, path: Path) -> bytes | None:
        if path not in self._made:
            try:
                self._made[path] = _thumbnail(path)
            except UnreadablePhoto:
                self._made[path] = None
        return self._made[path]


def _thumbnail(path: Path) -> bytes:
    # The square that a model would get, laid back into the photo's own shape: every format and colour mode that
    # load_pixels knows, without a second decoder.
    square = Image.fromarray(load_pixels(path, LONG_SIDE))
    width, height = _upright_size(path)
    scale = LONG_SIDE / max(width, height)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    buffer = io.BytesIO()
    square.resize(shape, Image.Resampling.BILINEAR).save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()


def _upright_size(path: Path) -> tuple[int, int]:
    """Width and height as seen; load_pixels has read this photo before, so its header is sound."""
    with Image.open(path) as image:
        width, height = image.size
        # Pillow gives the size of a TIFF as seen.
        lying = image.format != "TIFF" and image.getexif().get(0x0112) in _LYING
    return (height, width) if lying else (width, height)
