"""Standardised bottlenecks, in coordinates in which a step of fitting a head is cheap."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgeretrain.head.softmax import Doubles, Floats, Rows

# The least deviation, as a share of the features' root mean square, that a feature is taken to have. In photos that
# are all alike (one material, one studio) some features are all but constant; divided by their own tiny deviation they
# get weights so large that int8 rounds all others to 0. On flower_photos and trashnet no feature varies that little.
_LEAST_DEVIATION = 0.1

_ROWS = 256
"""Photos in float64 at a time: a float64 copy of all bottlenecks would double the peak memory of a retrain."""
_FEATURES = 512
"""Features in float64 at a time."""
_JITTER = 1e-6
"""What is added to the Gram matrix's diagonal, relative to its mean: photos may be copies of each other."""


@dataclass(frozen=True)
class _Standardisation:
    """Bottlenecks as they are -> of mean 0 and deviation 1, or below 1 for features that hardly vary.

    Attributes:
        mean: float64 `[d]`.
        inverse: 1 / standard deviation, float64 `[d]`.
    """

    mean: Doubles
    inverse: Doubles

    def apply(self, bottlenecks: Floats) -> Doubles:
        """`[n, d]` -> float64 `[n, d]`."""
        return np.asarray((bottlenecks - self.mean) * self.inverse)


class Coordinates:
    """Photos as vectors z, so that the logits z @ w with the penalty |w|^2 are those of standardised bottlenecks.

    With at least twice as many features as photos, z is the photo's row of the Gram matrix's Cholesky factor, which has
    a number per photo: the penalty keeps the weights a sum of photos. Otherwise z is the standardised bottleneck.

    Attributes:
        photos: float32 `[n, m]`.
        variance: of z, summed over its m numbers.
    """

    def __init__(self, bottlenecks: Floats, rows: Rows) -> None:
        """
        Args:
            bottlenecks: `[*, d]`.
            rows: the n photos that a head is fitted to.
        """
        self._standardisation = _standardisation(bottlenecks, rows)
        self._standardised = np.empty((len(rows), bottlenecks.shape[1]), np.float32)
        for start in range(0, len(rows), _ROWS):
            block = rows[start : start + _ROWS]
            self._standardised[start : start + _ROWS] = self._standardisation.apply(bottlenecks[block])
        self._factor = _cholesky(self._standardised) if 2 * len(rows) <= bottlenecks.shape[1] else None
        self.photos = self._standardised if self._factor is None else self._factor.astype(np.float32)
        squares = sum(float(np.vdot(photo, photo)) for photo in self.photos)
        self.variance = squares / len(rows)

    def of(self, bottlenecks: Floats) -> Doubles:
        """The z of other photos, as far as the photos fitted to tell: `[n, d]` -> float64 `[n, m]`."""
        standardised = self._standardisation.apply(bottlenecks)
        if self._factor is None:
            return standardised
        products = self._standardised @ standardised.T.astype(np.float32)
        return np.asarray(np.linalg.solve(self._factor, products.astype(np.float64)).T, np.float64)

    def to_features(self, weights: Doubles, bias: Doubles) -> tuple[Floats, Floats]:
        """Weights `[m, k]` and bias `[k]` on z -> on bottlenecks as they are, float32 `[d, k]` and `[k]`."""
        if self._factor is not None:
            per_photo = np.linalg.solve(self._factor.T, weights)
            weights = (self._standardised.T @ per_photo.astype(np.float32)).astype(np.float64)
        weights = weights * self._standardisation.inverse[:, None]
        bias = bias - self._standardisation.mean @ weights
        return weights.astype(np.float32), bias.astype(np.float32)


def _standardisation(bottlenecks: Floats, rows: Rows) -> _Standardisation:
    mean = sum(bottlenecks[block].sum(axis=0, dtype=np.float64) for block in _blocks(rows)) / len(rows)
    squares = sum(np.square(bottlenecks[block] - mean).sum(axis=0) for block in _blocks(rows))
    deviation = np.sqrt(squares / len(rows))
    usual = float(np.sqrt(np.mean(np.square(deviation))))
    # The second bound is for photos without any difference, whose deviations are rounding errors.
    least = max(_LEAST_DEVIATION * usual, 1e-6 * float(np.abs(mean).max())) or 1.0
    return _Standardisation(np.asarray(mean), 1 / np.maximum(deviation, least))


def _blocks(rows: Rows) -> Iterator[Rows]:
    return (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))


def _cholesky(photos: Floats) -> Doubles:
    """The lower triangular L with L @ L.T = photos @ photos.T, all but a little on the diagonal."""
    gram = np.zeros((len(photos), len(photos)))
    for start in range(0, photos.shape[1], _FEATURES):
        block = photos[:, start : start + _FEATURES].astype(np.float64)
        gram += block @ block.T
    diagonal = np.einsum("ii->i", gram)
    diagonal += max(_JITTER * float(diagonal.mean()), 1e-12)  # the second for photos without any difference
    return np.asarray(np.linalg.cholesky(gram))
