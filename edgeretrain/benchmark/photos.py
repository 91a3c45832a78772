"""The photos that end-to-end times are measured on: the user's, or one that is made up."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from edgeretrain.data.pixels import load_pixels
from edgeretrain.data.walk import UNREAD_EXTENSIONS, photo_files
from edgeretrain.errors import EdgeretrainError

WIDTH, HEIGHT = 1280, 960
MOST_PHOTOS = 20


def find_given(given: Sequence[Path]) -> list[Path]:
    """The photos of these files and folders (searched at any depth, as `photo_files` does), each known to be readable.

    Of more than MOST_PHOTOS photos that many are taken, evenly spread over the sorted list.

    Raises:
        EdgeretrainError: nothing there, no photo in a folder, or a photo that cannot be decoded.
    """
    found: list[Path] = []
    for path in given:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(photo for photo, _ in photo_files(path) if photo.suffix.lower() not in UNREAD_EXTENSIONS)
        if not inside:
            raise EdgeretrainError(f"{path}: there is no photo in this folder. Give a photo, or a folder with photos.")
        found += inside
    chosen = np.unique(np.linspace(0, len(found) - 1, min(MOST_PHOTOS, len(found))).round().astype(int))
    photos = [found[index] for index in chosen]
    for photo in photos:
        load_pixels(photo, 8)
    return photos


def made_up_jpeg() -> bytes:
    """A JPEG of WIDTH x HEIGHT pixels, quality 90, the same at every call: gradients, edges and sensor noise.

    About as many bytes as a camera's photo of this size, so that decoding costs about as much.
    """
    random = np.random.default_rng(0)
    y, x = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None], np.linspace(0, 1, WIDTH, dtype=np.float32)[None]
    pixels = 6 * random.standard_normal((HEIGHT, WIDTH, 3), np.float32)
    pixels += 30 * random.standard_normal((HEIGHT // 16, WIDTH // 16, 3), np.float32).repeat(16, 0).repeat(16, 1)
    for channel, gradient in enumerate((200 * x, 200 * y, 200 - 100 * x)):
        pixels[..., channel] += gradient
    file = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()
