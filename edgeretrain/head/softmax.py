"""A head: bottlenecks -> probabilities, and the loss that it is trained by."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]  # which photos, as indices into bottlenecks and labels

ClassWeight = Literal["balanced", "none"]
CLASS_WEIGHTS: tuple[ClassWeight, ...] = get_args(ClassWeight)


@dataclass(frozen=True)
class Head:
    """Logits = bottleneck @ weights + bias.

    Attributes:
        weights: float32 `[d, k]`.
        bias: float32 `[k]`.
    """

    weights: Floats
    bias: Floats

    def probabilities(self, bottlenecks: Floats) -> Floats:
        """Bottlenecks `[n, d]` -> softmax probabilities float32 `[n, k]`."""
        return softmax(bottlenecks @ self.weights + self.bias)


def softmax(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Softmax over the last axis, in the logits' own dtype."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def log_loss(probabilities: npt.NDArray[Any], labels: Labels, weights: npt.NDArray[Any] | None = None) -> float:
    """Mean negative log-likelihood, nats; probabilities are floored at 1e-7 (an int8 model says 0 for small ones)."""
    losses = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels].astype(np.float64), 1e-7))
    return float(np.average(losses, weights=weights))


def photo_weights(labels: Labels, classes: int, class_weight: ClassWeight) -> Doubles:
    """The weight of each photo in the loss, float64 `[n]`, mean 1.

    `balanced` gives every class the same total weight, n / (k * photos of the class): retrain.py had the same effect
    by drawing the class first and then one of its photos.
    """
    if class_weight == "none":
        return np.ones(len(labels))
    counts = np.bincount(labels, minlength=classes)
    weights = 1 / np.maximum(counts, 1)[labels]
    return np.asarray(weights * (len(labels) / weights.sum()))
