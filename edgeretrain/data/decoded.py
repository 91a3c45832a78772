"""The decoded photos of a run in one file on disk: memory stays flat however many there are, and no epoch decodes."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeretrain.data.photos import Photo
from edgeretrain.data.pixels import Fit, load_pixels
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.atomic import partial_file
from edgeretrain.progress import Progress, silent
from edgeretrain.threads import available_cores

Pixels = npt.NDArray[np.uint8]

_BLOCK = 64  # photos decoded before the next ones are handed to the threads


def decoded_photos(
    path: Path,
    photos: Sequence[Photo],
    size: int,
    fit: Fit,
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> Pixels:
    """The photos as `load_pixels` decodes them, `uint8 [n,size,size,3]`, mapped from a file.

    Args:
        path: of the file; written when it is not there whole, 3 * size * size bytes for each photo.
        workers: threads; default one per core.

    Raises:
        EdgeretrainError: a photo is no longer what it was; the file cannot be written.
    """
    shape = (len(photos), size, size, 3)
    if not (path.is_file() and path.stat().st_size == np.prod(shape)):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with (
                partial_file(path) as temporary,
                temporary.open("wb") as file,
                ThreadPoolExecutor(workers or available_cores()) as threads,
            ):
                for start in range(0, len(photos), _BLOCK):
                    progress("Decoding for fine-tuning", start, len(photos))
                    for pixels in threads.map(lambda one: _pixels(one, size, fit), photos[start : start + _BLOCK]):
                        file.write(pixels.tobytes())
            progress("Decoding for fine-tuning", len(photos), len(photos))
        except OSError as error:
            raise EdgeretrainError(
                f"{path}: the decoded photos ({np.prod(shape) / 1e6:,.0f} MB) cannot be written "
                f"({error.strerror or error}). Free some room, or point EDGERETRAIN_CACHE to another folder."
            ) from None
    return np.memmap(path, np.uint8, "r", shape=shape)


def _pixels(photo: Photo, size: int, fit: Fit) -> Pixels:
    changed = EdgeretrainError(f"{photo.path}: this photo changed while edgeretrain was running. Run it again.")
    try:
        content = photo.path.read_bytes()
    except OSError:
        raise changed from None
    if hashlib.sha256(content).hexdigest() != photo.digest:
        raise changed
    return load_pixels(content, size, fit)
