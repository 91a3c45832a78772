"""L2-regularised multinomial logistic regression on standardised bottlenecks: the default head.

`fit_logistic` solves the convex problem with L-BFGS; `choose_logistic` picks its strength on the validation photos.
benchmarks/heads.md says why it is the default.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeretrain.head.coordinates import Coordinates
from edgeretrain.head.lbfgs import minimise
from edgeretrain.head.softmax import ClassWeight, Doubles, Floats, Head, Labels, Rows, log_loss, photo_weights, softmax
from edgeretrain.threads import one_blas_thread

# Strengths tried, strongest first so that each fit starts from its neighbour's solution; relative to the mean loss.
L2_GRID = tuple(float(f"{10**exponent:.3g}") for exponent in np.arange(0.5, -4.01, -0.5))
_WORSE = 1.03
"""Once the validation loss is so many times the least one, weaker strengths only fit the training photos closer."""
_VARIANCE = 64.0
"""What the variances of the features are scaled to add up to, for the minimiser: bias and weights move alike then.

Of 1, 16, 64 and 256 it took the fewest steps to the same accuracy on flower_photos and trashnet. Rotating the features
to their principal axes and scaling each took two to three times as many, and an eigendecomposition.
"""
_TOLERANCE = 5e-6
"""Largest gradient component at which a fit ends, in nats and the minimiser's units."""
_MEMORY = 20
"""Steps that L-BFGS remembers; with 10 the weak strengths take up to half as many again."""


class _LogisticProblem:
    """Softmax regression on standardised bottlenecks: products with the photos in float32, the rest in float64."""

    def __init__(
        self, bottlenecks: Floats, labels: Labels, rows: Rows, classes: int, class_weight: ClassWeight
    ) -> None:
        self.labels = labels[rows]
        self.index = np.arange(len(rows))
        weights = photo_weights(self.labels, classes, class_weight)
        self.shares = (weights / weights.sum())[:, None]
        self.coordinates = Coordinates(bottlenecks, rows)
        self.photos = self.coordinates.photos
        # 1 for photos without any difference, whose variance is 0.
        self.unit = np.sqrt(_VARIANCE / max(self.coordinates.variance, 1.0))
        self.shape = (self.photos.shape[1] + 1, classes)

    def solve(self, l2: float, start: Doubles | None = None) -> Doubles:
        """Weights on the coordinates and, last row, the bias: float64 `[m + 1, k]`."""
        units = np.append(np.full(self.shape[0] - 1, self.unit), 1.0)[:, None]

        def loss_and_gradient(point: Doubles) -> tuple[float, Doubles]:
            loss, gradient = self._loss_and_gradient(point * units, l2)
            return loss, gradient * units

        point = np.zeros(self.shape) if start is None else start / units
        return np.asarray(minimise(loss_and_gradient, point, tolerance=_TOLERANCE, memory=_MEMORY) * units)

    def head(self, solution: Doubles) -> Head:
        """The head on bottlenecks as they are."""
        return Head(*self.coordinates.to_features(solution[:-1], solution[-1]))

    def _loss_and_gradient(self, solution: Doubles, l2: float) -> tuple[float, Doubles]:
        weights, bias = solution[:-1], solution[-1]
        logits = (self.photos @ weights.astype(np.float32)).astype(np.float64) + bias
        logits -= logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits)
        sums = exponentials.sum(axis=1, keepdims=True)
        loss = float(((np.log(sums[:, 0]) - logits[self.index, self.labels]) * self.shares[:, 0]).sum())
        residual = exponentials / sums
        residual[self.index, self.labels] -= 1
        residual *= self.shares
        gradient = np.empty(self.shape)
        # Scaled up for the product: a photo's share of the loss is a small number, and float32 is short of digits.
        count = len(self.index)
        gradient[:-1] = (self.photos.T @ (residual * count).astype(np.float32)).astype(np.float64) / count
        gradient[:-1] += l2 * weights
        gradient[-1] = residual.sum(axis=0)
        return loss + 0.5 * l2 * float(np.vdot(weights, weights)), gradient


@one_blas_thread
def fit_logistic(
    bottlenecks: Floats,
    labels: Labels,
    rows: Rows,
    classes: int,
    *,
    l2: float,
    class_weight: ClassWeight = "balanced",
) -> Head:
    """L2-regularised multinomial logistic regression on standardised bottlenecks.

    Minimises mean cross-entropy + l2 / 2 * |W|^2, the bias free, W the weights on bottlenecks of mean 0 and standard
    deviation 1 (below 1 for features that hardly vary); returns the head for bottlenecks as they are.

    Args:
        bottlenecks: `[n, d]`, of all photos.
        labels: `[n]`, 0 to classes - 1.
        rows: the photos to fit on.
    """
    problem = _LogisticProblem(bottlenecks, labels, rows, classes, class_weight)
    return problem.head(problem.solve(l2))


@dataclass(frozen=True)
class Choice:
    """A strength that was tried, and what the validation photos said of it."""

    l2: float
    validation_log_loss: float
    validation_top1: float


@one_blas_thread
def choose_logistic(
    bottlenecks: Floats,
    labels: Labels,
    training: Rows,
    validation: Rows,
    classes: int,
    *,
    class_weight: ClassWeight = "balanced",
    tried: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Head, Choice]:
    """Fit one head per strength on the training photos; the one with the least validation log loss, and its figures.

    Log loss, not accuracy: it moves with every photo, where accuracy over a few validation photos only jumps.
    Arguments as in `fit_logistic`; `tried` is told how many strengths are done, of how many.
    """
    problem = _LogisticProblem(bottlenecks, labels, training, classes, class_weight)
    photos = problem.coordinates.of(bottlenecks[validation])
    expected = labels[validation]
    weights = photo_weights(expected, classes, class_weight)
    solution = None
    fits: list[tuple[Doubles, Choice]] = []
    for done, l2 in enumerate(L2_GRID):
        tried(done, len(L2_GRID))
        solution = problem.solve(l2, solution)
        probabilities = softmax(photos @ solution[:-1] + solution[-1])
        top1 = float((probabilities.argmax(axis=1) == expected).mean())
        fits.append((solution, Choice(l2, log_loss(probabilities, expected, weights), top1)))
        best, choice = min(fits, key=lambda fit: fit[1].validation_log_loss)
        if fits[-1][1].validation_log_loss > _WORSE * choice.validation_log_loss:
            break
    tried(len(L2_GRID), len(L2_GRID))
    return problem.head(best), choice
