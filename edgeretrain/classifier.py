"""A model file -> `Classifier`, which runs on the device. Needs only NumPy, Pillow and a runtime."""

import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from edgeretrain.data.pixels import FITS, Fit, PhotoSource, load_pixels
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto
from edgeretrain.tflite.package import Package, read_package
from edgeretrain.tflite.runtime import Network, check_is_tflite, load_runtime

if TYPE_CHECKING:
    from concurrent.futures import Future

_Photo = TypeVar("_Photo", bound=PhotoSource)


@dataclass(frozen=True)
class Prediction:
    """A class and its probability, 0 to 1."""

    label: str
    score: float


class Classifier:
    """A model written by edgeretrain, ready to classify photos.

    Threads may share a classifier: they decode in parallel, and the interpreter runs one photo at a time. Use it as a
    context manager, or call `close()`, to free its memory.

    >>> with Classifier("flowers/model.int8.tflite") as classifier:
    ...     classifier("tulip.jpg", top_k=1)
    [Prediction(label='tulips', score=0.98828125)]

    Attributes:
        labels: class names, in the order of the model's output.
        fit: how photos are made square, as in training.
        size: side S of the model's input, pixels.
        card: how the model was made.
    """

    def __init__(self, model: str | os.PathLike[str], *, threads: int = 1, runtime: str | None = None) -> None:
        """Load a model.

        Args:
            threads: of the interpreter.
            runtime: `ai_edge_litert`, `tflite_runtime` or `tensorflow`; default the first one installed.

        Raises:
            EdgeretrainError: no such file, not a model of ours, damaged, or no runtime can load it.
        """
        path = Path(model)
        package = read_own_package(path)
        self.labels = package.labels
        self.card = package.card
        self.fit: Fit = package.card["fit"]
        self._network: Network | None = Network(path, threads=threads, runtime=load_runtime(runtime))
        self._lock = threading.Lock()
        self.runtime = self._network.runtime
        self.size = self._network.size
        if self._network.outputs != len(self.labels):
            raise EdgeretrainError(
                f"{path}: the model has {self._network.outputs} outputs but {len(self.labels)} labels. Make it again."
            )

    @property
    def reject_below(self) -> float:
        """The top score below which a photo is likely none of the classes, 0 to 1; 0 for models of older versions."""
        value = self.card.get("reject_below", 0.0)
        return float(value) if isinstance(value, (int, float)) and 0 <= value <= 1 else 0.0

    def close(self) -> None:
        """Free the interpreter, as soon as no thread runs it. The attributes stay; classifying raises an error."""
        with self._lock:
            self._network = None

    def __enter__(self) -> "Classifier":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def probabilities(self, photo: PhotoSource) -> npt.NDArray[np.float32]:
        """Probabilities float32 `[k]` in the order of `labels`; `photo` as in `load_pixels`."""
        return self._run(load_pixels(photo, self.size, self.fit))

    def __call__(self, photo: PhotoSource, *, top_k: int | None = None) -> list[Prediction]:
        """The classes of a photo, most probable first.

        Args:
            photo: a path, the bytes of a photo file, a PIL image, or uint8 `[h, w, 3]` RGB.
            top_k: how many; default all.

        Raises:
            EdgeretrainError: the photo cannot be read, or the classifier is closed.
        """
        return self.ranked(self.probabilities(photo), top_k)

    def batch(
        self, photos: Iterable[_Photo], *, top_k: int | None = None, workers: int | None = None
    ) -> Iterator[tuple[_Photo, list[Prediction] | UnreadablePhoto]]:
        """Classify many photos: the next ones are decoded by other threads while one runs through the model.

        Args:
            photos: each as in `load_pixels`; they are taken one by one, so a generator works.
            top_k: how many classes; default all.
            workers: threads that decode; default one per core.

        Yields:
            `(photo, its classes or the reason why it cannot be read)`, in the order given. Memory holds the pixels of
            two photos per worker.

        Raises:
            EdgeretrainError: an entry has a type that `load_pixels` does not take, or the classifier is closed.
        """
        from collections import deque
        from concurrent.futures import ThreadPoolExecutor

        from edgeretrain.threads import available_cores

        count = max(1, workers or available_cores())
        pending: deque[tuple[_Photo, Future[npt.NDArray[np.uint8]]]] = deque()
        upcoming = iter(photos)
        pool = ThreadPoolExecutor(count, thread_name_prefix="decode")
        try:
            while True:
                while len(pending) < 2 * count:
                    for photo in upcoming:
                        pending.append((photo, pool.submit(load_pixels, photo, self.size, self.fit)))
                        break
                    else:
                        break
                if not pending:
                    return
                photo, decoded = pending.popleft()
                try:
                    pixels = decoded.result()
                except UnreadablePhoto as error:
                    yield photo, error
                else:
                    yield photo, self.ranked(self._run(pixels), top_k)
        finally:
            pool.shutdown(cancel_futures=True)

    def ranked(self, scores: npt.NDArray[np.float32], top_k: int | None = None) -> list[Prediction]:
        """Probabilities `[k]`, in the order of `labels`, as predictions: most probable first, of a tie the earlier."""
        order = np.argsort(-scores, kind="stable")[:top_k]
        return [Prediction(self.labels[index], float(scores[index])) for index in order]

    def _run(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with self._lock:
            if self._network is None:
                raise EdgeretrainError("This classifier is closed. Create a new one from the model file.")
            return self._network(pixels)


def read_own_package(model: Path) -> Package:
    """Labels and card of a model written by edgeretrain.

    Raises:
        EdgeretrainError: the file is not a TFLite model, is damaged, or was not written by edgeretrain: then it does
            not say how photos must be prepared.
    """
    check_is_tflite(model)
    package = read_package(model)
    if package.card.get("fit") not in FITS:
        raise EdgeretrainError(
            f"{model}: this model was not written by edgeretrain: it has no card, which would say how its photos must "
            "be prepared. Use a model written by `edgeretrain retrain`."
        )
    return package
