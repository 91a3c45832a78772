"""L2-regularised multinomial logistic regression on standardised bottlenecks: the default head.

`fit_logistic` solves the convex problem with L-BFGS; `choose_logistic` picks its strength on the validation photos.
benchmarks/heads.md says why it is the default.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from edgeretrain.head.lbfgs import minimise
from edgeretrain.head.softmax import ClassWeight, Doubles, Floats, Head, Labels, Rows, log_loss, photo_weights
from edgeretrain.threads import one_blas_thread

# The least deviation, as a share of the features' root mean square, that a feature is taken to have. In photos that
# are all alike (one material, one studio) some features are all but constant; divided by their own tiny deviation they
# get weights so large that int8 rounds all others to 0. On flower_photos and trashnet no feature varies that little.
_LEAST_DEVIATION = 0.1

# Strengths tried, strongest first so that each fit starts from its neighbour's solution; relative to the mean loss.
L2_GRID = tuple(float(f"{10**exponent:.3g}") for exponent in np.arange(0.5, -4.01, -0.5))


class _LogisticProblem:
    """Softmax regression on standardised bottlenecks, in coordinates where it is well conditioned.

    The standardised bottlenecks are rotated to their principal axes once. For a strength l2, the weight along an axis
    of variance v is measured in units of 1 / sqrt(v / 2 + l2): in these the Hessian is at most 1 (Boehning 1992,
    "Multinomial logistic regression algorithm", bounds it by half the covariance), so L-BFGS needs a few dozen steps
    where it took hundreds. Products with the photos run in float32, everything else in float64.
    """

    def __init__(
        self, bottlenecks: Floats, labels: Labels, rows: Rows, classes: int, class_weight: ClassWeight
    ) -> None:
        self.labels = labels[rows]
        self.index = np.arange(len(rows))
        weights = photo_weights(self.labels, classes, class_weight)
        self.shares = (weights / weights.sum())[:, None]
        self.mean, self.inverse = _standardisation(bottlenecks, rows)
        self.photos, self.variances, self.axes = _principal_axes(bottlenecks, rows, self.mean, self.inverse)
        self.shape = (len(self.variances) + 1, classes)

    def solve(self, l2: float, start: Doubles | None = None) -> Doubles:
        """Weights along the axes and, last row, the bias: float64 `[axes + 1, k]`."""
        units = np.append(1 / np.sqrt(self.variances / 2 + l2), 1.0)[:, None]
        point = np.zeros(self.shape) if start is None else start / units

        def loss_and_gradient(point: Doubles) -> tuple[float, Doubles]:
            loss, gradient = self._loss_and_gradient(point * units, l2)
            return loss, gradient * units

        return np.asarray(minimise(loss_and_gradient, point) * units)

    def head(self, solution: Doubles) -> Head:
        """The head on bottlenecks as they are."""
        weights = (self.axes @ solution[:-1]) * self.inverse[:, None]
        bias = solution[-1] - self.mean @ weights
        return Head(weights.astype(np.float32), bias.astype(np.float32))

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
        return loss + 0.5 * l2 * float(np.square(weights).sum()), gradient


def _standardisation(bottlenecks: Floats, rows: Rows) -> tuple[Doubles, Doubles]:
    """Mean and 1 / standard deviation of each feature, float64 `[d]`; a tiny deviation counts as `_LEAST_DEVIATION`."""
    # In blocks, here and below: a float64 copy of all bottlenecks would double the peak memory of a retrain.
    mean = sum(bottlenecks[block].sum(axis=0, dtype=np.float64) for block in _blocks(rows)) / len(rows)
    squares = sum(np.square(bottlenecks[block] - mean).sum(axis=0) for block in _blocks(rows))
    deviation = np.sqrt(squares / len(rows))
    usual = float(np.sqrt(np.mean(np.square(deviation))))
    # The second bound is for photos without any difference, whose deviations are rounding errors.
    least = max(_LEAST_DEVIATION * usual, 1e-6 * float(np.abs(mean).max())) or 1.0
    return np.asarray(mean), 1 / np.maximum(deviation, least)


def _blocks(rows: Rows) -> Iterator[Rows]:
    return (rows[start : start + 256] for start in range(0, len(rows), 256))


def _principal_axes(
    bottlenecks: Floats, rows: Rows, mean: Doubles, inverse: Doubles
) -> tuple[Floats, Doubles, Doubles]:
    """The standardised bottlenecks along their principal axes.

    Returns:
        photos float32 `[n, m]`, variances float64 `[m]`, axes float64 `[d, m]`; m is the rank, at most min(n, d).
    """
    count, length = len(rows), bottlenecks.shape[1]

    def standardised(block: Rows) -> Doubles:
        return np.asarray((bottlenecks[block] - mean) * inverse)

    if count <= length:  # fewer photos than features: their Gram matrix is smaller than the covariance
        photos = standardised(rows)
        variances, vectors = np.linalg.eigh(photos @ photos.T / count)
        kept = variances > 1e-9 * variances[-1]
        variances, vectors = variances[kept], vectors[:, kept]
        roots = np.sqrt(variances * count)
        return (vectors * roots).astype(np.float32), variances, photos.T @ (vectors / roots)
    covariance = np.zeros((length, length))
    for block in _blocks(rows):
        covariance += standardised(block).T @ standardised(block)
    variances, axes = np.linalg.eigh(covariance / count)
    kept = variances > 1e-9 * variances[-1]
    variances, axes = variances[kept], axes[:, kept]
    rotated = np.empty((count, len(variances)), np.float32)
    for start, block in zip(range(0, count, 256), _blocks(rows), strict=True):
        rotated[start : start + 256] = standardised(block) @ axes
    return rotated, variances, axes


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
    expected = labels[validation]
    weights = photo_weights(expected, classes, class_weight)
    solution = None
    heads: list[tuple[Head, Choice]] = []
    for done, l2 in enumerate(L2_GRID):
        tried(done, len(L2_GRID))
        solution = problem.solve(l2, solution)
        head = problem.head(solution)
        probabilities = head.probabilities(bottlenecks[validation])
        top1 = float((probabilities.argmax(axis=1) == expected).mean())
        heads.append((head, Choice(l2, log_loss(probabilities, expected, weights), top1)))
        best = min(heads, key=lambda one: one[1].validation_log_loss)
        if heads[-1][1].validation_log_loss > 1.1 * best[1].validation_log_loss:
            break  # weaker ones only fit the training photos closer
    tried(len(L2_GRID), len(L2_GRID))
    return best
