"""The head as retrain.py trained it: plain gradient descent for a number of steps."""

from dataclasses import dataclass

import numpy as np

from edgeretrain.errors import EdgeretrainError
from edgeretrain.head.softmax import ClassWeight, Floats, Head, Labels, Rows, softmax
from edgeretrain.threads import one_blas_thread

_LARGEST_WEIGHT = 1e4  # usual ones are below 10, float16 ends at 65504


@dataclass(frozen=True)
class Sgd:
    """retrain.py's training knobs, with its defaults.

    Attributes:
        steps: how many batches.
        learning_rate: constant [1].
        batch_size: photos per step.
    """

    steps: int = 4000
    learning_rate: float = 0.01
    batch_size: int = 100


@one_blas_thread
@np.errstate(over="ignore", invalid="ignore")  # divergence is told in words
def fit_sgd(
    bottlenecks: Floats, labels: Labels, rows: Rows, classes: int, sgd: Sgd, *, class_weight: ClassWeight, seed: int
) -> Head:
    """retrain.py's head: plain gradient descent on cross-entropy, from weights ~ truncated normal(0, 0.001), bias 0.

    Each batch draws photos with replacement: `balanced` draws the class first (as retrain.py), `none` any photo.

    Raises:
        EdgeretrainError: it diverges, as the learning rate is too large.
    """
    random = np.random.default_rng(seed)
    start = random.normal(size=(bottlenecks.shape[1], classes))
    while (far := np.abs(start) > 2).any():  # truncated: what lies beyond two deviations is drawn again
        start[far] = random.normal(size=int(far.sum()))
    weights = (0.001 * start).astype(np.float32)
    bias = np.zeros(classes, np.float32)
    order = rows[np.argsort(labels[rows], kind="stable")]
    counts = np.bincount(labels[rows], minlength=classes)
    first = np.cumsum(counts) - counts
    for _ in range(sgd.steps):
        if class_weight == "balanced":
            drawn = random.integers(classes, size=sgd.batch_size)
            batch = order[first[drawn] + (random.random(sgd.batch_size) * counts[drawn]).astype(np.int64)]
        else:
            batch = rows[random.integers(len(rows), size=sgd.batch_size)]
        features = bottlenecks[batch]
        residual = softmax(features @ weights + bias)
        residual[np.arange(len(batch)), labels[batch]] -= 1
        residual *= np.float32(sgd.learning_rate / len(batch))
        weights -= features.T @ residual
        bias -= residual.sum(axis=0)
        if not np.abs(weights).max() < _LARGEST_WEIGHT:  # also when it is NaN
            raise EdgeretrainError(
                f"Gradient descent diverges at a learning rate of {sgd.learning_rate:g}. Use a smaller --learning-rate."
            )
    return Head(weights, bias)
