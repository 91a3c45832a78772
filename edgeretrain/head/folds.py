"""K-fold cross-validation on bottlenecks: every photo is judged once, by a head that has not seen it.

A tenth of 600 photos says little about which of two heads is better. All of them, each judged by the head of the other
folds, say more. Only heads are fitted, so it takes seconds.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgeretrain.data.photos import Photo
from edgeretrain.data.split import photo_families
from edgeretrain.head.lbfgs import minimise
from edgeretrain.head.softmax import ClassWeight, Doubles, Floats, Labels, Rows, photo_weights, softmax
from edgeretrain.threads import one_blas_thread

FOLDS = 5
STRENGTHS = (3.16, 1.0, 0.316, 0.1, 0.0316, 0.01, 0.00316, 0.001, 0.000316, 0.0001, 0.0000316)
"""Of the penalty, tried strongest first: each fit starts from its neighbour's solution."""

_LEAST_DEVIATION = 0.1  # as in head.logistic
_WORSE = 1.1
"""Weaker penalties are not tried once the log loss is so many times the least one: they only fit closer."""
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class HeldOut:
    """How heads do on photos that they have not seen; of n photos.

    Attributes:
        l2: strength of the penalty, the one with the least log loss.
        losses: negative log-likelihood of each photo's own class `[n]` [nats].
        right: whether the top class of each photo is its own `[n]`.
        weights: of the photos in `log_loss`, `[n]`, mean 1.
        folds: number of each photo's fold `[n]`.
    """

    l2: float
    losses: Doubles
    right: npt.NDArray[np.bool_]
    weights: Doubles
    folds: Rows

    @property
    def log_loss(self) -> float:
        """Weighted mean over all photos [nats]."""
        return float(np.average(self.losses, weights=self.weights))

    @property
    def top1(self) -> float:
        """Share of all photos whose top class is right [0 to 1]."""
        return float(self.right.mean())

    def fold_log_losses(self) -> Doubles:
        """Weighted mean of each fold, `[folds]` [nats]."""
        return _fold_means(self.losses, self.weights, self.folds)

    def fold_top1(self) -> Doubles:
        """Top-1 of each fold, `[folds]` [0 to 1]."""
        return _fold_means(self.right.astype(np.float64), np.ones(len(self.right)), self.folds)


@dataclass(frozen=True)
class PairedDifference:
    """The mean difference of two heads on the same photos, and its standard error."""

    mean: float
    standard_error: float


def log_loss_difference(one: HeldOut, other: HeldOut) -> PairedDifference:
    """By how much the log loss of `one` is above that of `other` on the same folds [nats].

    The standard error is that of the folds' means: `nan` with a single fold.
    """
    differences = one.losses - other.losses
    means = _fold_means(differences, one.weights, one.folds)
    return PairedDifference(float(np.average(differences, weights=one.weights)), _standard_error(means))


def top1_difference(one: HeldOut, other: HeldOut) -> PairedDifference:
    """By how much the top-1 of `one` is above that of `other` on the same folds [0 to 1]."""
    differences = one.right.astype(np.float64) - other.right
    means = _fold_means(differences, np.ones(len(differences)), one.folds)
    return PairedDifference(float(differences.mean()), _standard_error(means))


def choose_narrowest(judged: Sequence[HeldOut]) -> int:
    """The first of heads on more and more features that is as good as the best one, as far as the folds can tell.

    As good: its log loss is above the least one by no more than a standard error of the paired difference.
    """
    best = min(judged, key=lambda one: one.log_loss)
    for place, one in enumerate(judged):
        above = log_loss_difference(one, best)
        if one is best or above.mean <= above.standard_error:
            return place
    raise ValueError("no head was judged")


def deal_folds(photos: Sequence[Photo], folds: int = FOLDS, *, seed: int = 0) -> Rows:
    """The fold of each photo, `[n]`, 0 to folds - 1; every class is spread evenly.

    Copies of a photo, and photos whose names agree up to `_nohash_`, are in one fold. The folds depend on the photos'
    bytes and the seed only: not on the photos' order, nor, but for `_nohash_`, on their names.

    Args:
        folds: at least 2. With fewer photos that differ, some folds are empty.
    """
    rows: dict[tuple[str, str], list[int]] = {}
    for row, photo in enumerate(photos):
        rows.setdefault((photo.name, photo.digest), []).append(row)

    def order(family: Sequence[Photo]) -> str:
        first = min(photo.digest for photo in family)
        return hashlib.sha256(f"{seed} {first}".encode()).hexdigest()

    families = sorted(photo_families(photos), key=lambda family: (min(photo.label for photo in family), order(family)))
    numbers = np.zeros(len(photos), np.int64)
    for dealt, family in enumerate(families):
        for photo in family:
            numbers[rows[photo.name, photo.digest]] = dealt % folds
    return numbers


@one_blas_thread
def cross_validate(
    bottlenecks: Floats,
    labels: Labels,
    folds: Rows,
    classes: int,
    *,
    lengths: Sequence[int] | None = None,
    class_weight: ClassWeight = "balanced",
    strengths: Sequence[float] = STRENGTHS,
) -> list[HeldOut]:
    """Logistic regression on all folds but one, judged on that one, for each fold; at the best of the strengths.

    One strength for all folds. The bottlenecks are standardised once, over all photos given: labels have no part in
    that. The best of a dozen strengths flatters the figure a little, and all lengths alike.

    Args:
        bottlenecks: `[n, d]`, of photos that may be used to choose: no test photos.
        labels: `[n]`, 0 to classes - 1. A class may be missing in a fold, and in all folds but one.
        folds: `[n]`; see `deal_folds`. At least two numbers.
        lengths: heads on the first so many features, each; default all. Ascending.

    Returns:
        For each length.
    """
    weights = photo_weights(labels, classes, class_weight)
    products = np.zeros((len(labels), len(labels)))
    found, start = [], 0
    for length in lengths or (bottlenecks.shape[1],):
        group = _standardised(bottlenecks[:, start:length])
        products += group @ group.T
        start = length
        problem = _FoldsProblem(products / len(labels), labels, folds, classes, class_weight)
        found.append(_best(problem, weights, strengths))
    return found


def _best(problem: "_FoldsProblem", weights: Doubles, strengths: Sequence[float]) -> HeldOut:
    tried: list[HeldOut] = []
    solution = None
    for l2 in strengths:
        solution = problem.solve(l2, solution)
        tried.append(replace(problem.judge(solution, weights), l2=l2))
        if tried[-1].log_loss > _WORSE * min(one.log_loss for one in tried):
            break
    return min(tried, key=lambda one: one.log_loss)


def _standardised(values: Floats) -> Floats:
    """Mean 0 and deviation 1; a tiny deviation counts as a share of the usual one, as in `head.logistic`."""
    centred = values - values.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = np.sqrt(np.square(centred).mean(axis=0, dtype=np.float64))
    usual = float(np.sqrt(np.mean(np.square(deviation))))
    least = max(_LEAST_DEVIATION * usual, 1e-6 * float(np.abs(values).max())) or 1.0
    return np.asarray(centred / np.maximum(deviation, least).astype(np.float32), np.float32)


class _FoldsProblem:
    """The softmax regressions of all folds, solved side by side on the photos' principal axes.

    See `head.logistic._LogisticProblem` for the units that make it well conditioned. The folds share the axes, so
    that one product with the photos serves all of them.
    """

    def __init__(self, products: Doubles, labels: Labels, folds: Rows, classes: int, class_weight: ClassWeight) -> None:
        """Args: products: the photos' scalar products, divided by their number, `[n, n]`."""
        variances, axes = np.linalg.eigh(products)
        kept = variances > max(1e-7 * variances[-1], 1e-12)
        self.variances = variances[kept]
        self.photos = (axes[:, kept] * np.sqrt(self.variances * len(labels))).astype(np.float32)
        self.labels, self.folds, self.classes = labels, folds, classes
        self.numbers = np.unique(folds)
        self.shares = np.zeros((len(labels), len(self.numbers)))
        for column, number in enumerate(self.numbers):
            learnt = folds != number
            if learnt.any():
                shares = photo_weights(labels[learnt], classes, class_weight)
                self.shares[learnt, column] = shares / shares.sum()
        self.shape = (len(self.variances) + 1, len(self.numbers) * classes)

    def solve(self, l2: float, start: Doubles | None) -> Doubles:
        """Weights along the axes and, last row, the biases of each fold's head: `[axes + 1, folds * classes]`."""
        units = np.append(1 / np.sqrt(self.variances / 2 + l2), 1.0)[:, None]
        point = np.zeros(self.shape) if start is None else start / units

        def loss_and_gradient(point: Doubles) -> tuple[float, Doubles]:
            loss, gradient = self._loss_and_gradient(point * units, l2)
            return loss, gradient * units

        return np.asarray(minimise(loss_and_gradient, point, tolerance=_TOLERANCE) * units)

    def judge(self, solution: Doubles, weights: Doubles) -> HeldOut:
        """Each photo by the head that has not seen it."""
        rows = np.arange(len(self.labels))
        own = self._logits(solution)[rows, np.searchsorted(self.numbers, self.folds)]
        probabilities = softmax(own)
        losses = -np.log(np.maximum(probabilities[rows, self.labels], 1e-7))
        return HeldOut(0.0, losses, own.argmax(axis=1) == self.labels, weights, self.folds)

    def _logits(self, solution: Doubles) -> Doubles:
        """`[n, folds, classes]`."""
        logits = (self.photos @ solution[:-1].astype(np.float32)).astype(np.float64) + solution[-1]
        return np.asarray(logits.reshape(len(self.labels), len(self.numbers), self.classes))

    def _loss_and_gradient(self, solution: Doubles, l2: float) -> tuple[float, Doubles]:
        count = len(self.labels)
        rows = np.arange(count)
        logits = self._logits(solution)
        logits -= logits.max(axis=2, keepdims=True)
        exponentials = np.exp(logits)
        sums = exponentials.sum(axis=2)
        loss = float(((np.log(sums) - logits[rows, :, self.labels]) * self.shares).sum())
        residual = exponentials / sums[:, :, None]
        residual[rows, :, self.labels] -= 1
        residual *= self.shares[:, :, None]
        flat = residual.reshape(count, -1)
        gradient = np.empty(self.shape)
        # Scaled up for the product: float32 is short of digits.
        gradient[:-1] = (self.photos.T @ (flat * count).astype(np.float32)).astype(np.float64) / count
        gradient[:-1] += l2 * solution[:-1]
        gradient[-1] = flat.sum(axis=0)
        return loss + 0.5 * l2 * float(np.square(solution[:-1]).sum()), gradient


def _fold_means(values: Doubles, weights: Doubles, folds: Rows) -> Doubles:
    numbers = np.unique(folds)
    return np.array([np.average(values[folds == number], weights=weights[folds == number]) for number in numbers])


def _standard_error(means: Doubles) -> float:
    return float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else float("nan")
