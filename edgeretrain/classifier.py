"""A model file -> `Classifier`: what runs on the device. Needs NumPy, Pillow and a runtime, nothing else."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError
from edgeretrain.pixels import FITS, Fit, PhotoSource, load_pixels
from edgeretrain.tflite.package import Package, read_package
from edgeretrain.tflite.runtime import Network, check_is_tflite, load_runtime


@dataclass(frozen=True)
class Prediction:
    """A class and its probability, 0 to 1."""

    label: str
    score: float


class Classifier:
    """A model written by edgeretrain, ready to classify photos. Use it from one thread at a time.

    >>> classifier = Classifier("flowers/model.int8.tflite")
    >>> classifier("tulip.jpg", top_k=1)
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
        self._network = Network(path, threads=threads, runtime=load_runtime(runtime))
        self.runtime = self._network.runtime
        self.size = self._network.size
        if self._network.outputs != len(self.labels):
            raise EdgeretrainError(
                f"{path}: the model has {self._network.outputs} outputs but {len(self.labels)} labels. Make it again."
            )

    def probabilities(self, photo: PhotoSource) -> npt.NDArray[np.float32]:
        """Probabilities float32 `[k]` in the order of `labels`; `photo` as in `load_pixels`."""
        return self._network(load_pixels(photo, self.size, self.fit))

    def __call__(self, photo: PhotoSource, *, top_k: int | None = None) -> list[Prediction]:
        """The classes of a photo, most probable first.

        Args:
            photo: a path, the bytes of a photo file, a PIL image, or uint8 `[h, w, 3]` RGB.
            top_k: how many; default all.

        Raises:
            EdgeretrainError: the photo cannot be read.
        """
        scores = self.probabilities(photo)
        order = np.argsort(-scores, kind="stable")[:top_k]
        return [Prediction(self.labels[index], float(scores[index])) for index in order]


def read_own_package(model: Path) -> Package:
    """Labels and card of a model written by edgeretrain.

    Raises:
        EdgeretrainError: the file is no TFLite model, damaged, or not written by edgeretrain: then nothing says how its
            photos must be prepared.
    """
    check_is_tflite(model)
    package = read_package(model)
    if package.card.get("fit") not in FITS:
        raise EdgeretrainError(
            f"{model}: this model was not written by edgeretrain (it has no card), so nothing says how its photos "
            "must be prepared. Use a model written by `edgeretrain retrain`."
        )
    return package
