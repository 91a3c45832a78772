"""Photos through networks on all cores: decoded once, batch 1, decoding and inference overlapped.

Every worker thread reads, decodes and runs one photo at a time with single-threaded interpreters of its own. That
beats one interpreter with many threads: nothing waits, and a result does not depend on how many cores there are.
Pillow and the runtimes release the GIL while they work.
"""

import hashlib
import queue
import threading
from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeretrain.data.photos import Photo
from edgeretrain.data.pixels import Fit, load_pixels
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto
from edgeretrain.tflite.runtime import Network, Runtime
from edgeretrain.threads import available_cores

Vectors = tuple[npt.NDArray[np.float32], ...]


def run_photos(
    photos: Sequence[Photo],
    models: Sequence[Path],
    *,
    fit: Fit,
    flip: bool = False,
    workers: int | None = None,
    runtime: Runtime | None = None,
) -> Generator[tuple[int, Vectors | UnreadablePhoto], None, None]:
    """Run each photo through every model.

    Args:
        fit: how a photo is made square.
        flip: mirror the photos left to right.
        workers: threads; default one per core.

    Yields:
        `(index of the photo, one float32 vector per model)` in the order they finish, or the reason why a photo could
        not be read in place of the vectors.

    Raises:
        EdgeretrainError: a model cannot be loaded, or a photo is no longer the file that was found.

    Close it (`contextlib.closing`) when leaving it early: that ends the threads.
    """
    count = min(max(1, workers or available_cores()), len(photos))
    indices: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(photos)):
        indices.put(index)
    # Bounded, so that a slow reader of the results slows the workers down instead of filling the memory.
    results: queue.Queue[tuple[int, Vectors | Exception]] = queue.Queue(maxsize=16 * count)
    stop = threading.Event()

    def work() -> None:
        try:
            networks = [Network(model, runtime=runtime) for model in models]
            while not stop.is_set():
                index = indices.get_nowait()
                try:
                    results.put((index, _run_photo(photos[index], networks, fit, flip)))
                except UnreadablePhoto as error:
                    results.put((index, error))
        except queue.Empty:
            pass
        except Exception as error:  # carried to the caller's thread, which raises it
            results.put((-1, error))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(len(photos)):
            index, outcome = results.get()
            if isinstance(outcome, Exception) and not isinstance(outcome, UnreadablePhoto):
                raise outcome
            yield index, outcome
    finally:
        stop.set()
        while any(thread.is_alive() for thread in threads):
            try:  # a worker may be waiting for room
                results.get(timeout=0.01)
            except queue.Empty:
                continue


def _run_photo(photo: Photo, networks: Sequence[Network], fit: Fit, flip: bool) -> Vectors:
    try:
        content = photo.path.read_bytes()
    except OSError as error:
        raise UnreadablePhoto(photo.name, f"cannot be read ({error.strerror})") from None
    if hashlib.sha256(content).hexdigest() != photo.digest:
        raise EdgeretrainError(f"{photo.path}: this photo changed while edgeretrain was running. Run it again.")
    vectors = []
    size, pixels = 0, np.empty(0, np.uint8)
    try:
        for network in networks:
            if network.size != size:
                size, pixels = network.size, load_pixels(content, network.size, fit)
                if flip:
                    pixels = np.ascontiguousarray(pixels[:, ::-1])
            vectors.append(network(pixels))
    except UnreadablePhoto as error:
        raise UnreadablePhoto(photo.name, error.reason) from None
    return tuple(vectors)
