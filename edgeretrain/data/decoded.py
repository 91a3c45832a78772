"""The decoded photos of a training in files on disk: memory does not grow with them, and no epoch decodes again."""

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from edgeretrain.data.photos import Photo, photo_changed, read_again
from edgeretrain.data.pixels import Fit, Pixels, load_pixels_at
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto
from edgeretrain.files.atomic import partial_file
from edgeretrain.progress import Progress, silent
from edgeretrain.threads import available_cores

_BLOCK = 64  # photos decoded before the next ones are handed to the threads


def decoded_photos(
    folder: Path,
    photos: Sequence[Photo],
    sizes: Sequence[int],
    fit: Fit,
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> dict[int, Pixels]:
    """The photos as `load_pixels` decodes them, `uint8 [n, size, size, 3]` by size, mapped from files.

    Each photo is opened once for all sizes.

    Args:
        folder: of the files; a missing or incomplete file is written, 3 * size * size bytes for each photo.
        workers: threads; default one per core.

    Raises:
        EdgeretrainError: a photo has changed; a file cannot be written.
    """
    missing = [size for size in dict.fromkeys(sizes) if not _is_whole(_path(folder, size), len(photos), size)]
    if missing:
        volume = sum(3 * size * size for size in missing) * len(photos)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.ExitStack() as stack:
                temporary = [stack.enter_context(partial_file(_path(folder, size))) for size in missing]
                files = [stack.enter_context(path.open("wb")) for path in temporary]
                threads = stack.enter_context(ThreadPoolExecutor(workers or available_cores()))
                for start in range(0, len(photos), _BLOCK):
                    progress("Decoding for fine-tuning", start, len(photos))
                    block = photos[start : start + _BLOCK]
                    for decoded in threads.map(lambda photo: _pixels(photo, missing, fit), block):
                        for size, file in zip(missing, files, strict=True):
                            file.write(decoded[size].tobytes())
            progress("Decoding for fine-tuning", len(photos), len(photos))
        except OSError as error:
            raise EdgeretrainError(
                f"{folder}: the decoded photos ({volume / 1e6:,.0f} MB) cannot be written "
                f"({error.strerror or error}). Free some room, or point EDGERETRAIN_CACHE to another folder."
            ) from None
    return {size: open_decoded(folder, len(photos), size) for size in sizes}


def open_decoded(folder: Path, count: int, size: int) -> Pixels:
    """A file that `decoded_photos` wrote, `uint8 [count, size, size, 3]`, mapped into memory."""
    return np.memmap(_path(folder, size), np.uint8, "r", shape=(count, size, size, 3))


def _path(folder: Path, size: int) -> Path:
    return folder / f"photos.{size}.uint8"


def _is_whole(path: Path, count: int, size: int) -> bool:
    return path.is_file() and path.stat().st_size == count * size * size * 3


def _pixels(photo: Photo, sizes: Sequence[int], fit: Fit) -> dict[int, Pixels]:
    try:
        return load_pixels_at(read_again(photo), sizes, fit)
    except UnreadablePhoto:
        raise photo_changed(photo.path) from None
