"""Many frames -> one label that does not flicker: smoothing, hold and rejection."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError

SMOOTH_SECONDS = 0.5
HOLD_SECONDS = 0.5


@dataclass(frozen=True)
class Held:
    """What stands after a frame.

    Attributes:
        label: the class that has held for long enough; None for none of them, or none yet.
        score: smoothed probability of that label; without a label, the highest of all classes.
        scores: smoothed probabilities, float32 `[k]`.
        changed: the label is another one than after the frame before.
    """

    label: str | None
    score: float
    scores: npt.NDArray[np.float32]
    changed: bool


class Smoother:
    """Exponential smoothing by time, so that it does the same at 5 and at 50 frames a second.

    After a frame with probabilities x, taken dt seconds after the one before, the smoothed ones are
    `s + (1 - exp(-dt / seconds)) (x - s)`: of a sudden change, 63 % is there after `seconds`. The class with the
    highest s is the candidate, or none when that is below `reject_below`. A candidate becomes the label once it has
    been the candidate for `hold` seconds without a break.
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        seconds: float = SMOOTH_SECONDS,
        hold: float = HOLD_SECONDS,
        reject_below: float = 0.0,
    ) -> None:
        """Begin anew; zero seconds smooth nothing, zero hold waits for nothing, zero rejects nothing.

        Raises:
            EdgeretrainError: a time below 0, or a score outside 0 to 1.
        """
        if not (0 <= seconds < math.inf and 0 <= hold < math.inf and 0 <= reject_below <= 1):
            raise EdgeretrainError(
                f"Smoothing over {seconds} s, holding {hold} s and rejecting below {reject_below} make no sense: "
                "seconds must be 0 or more, a score 0 to 1."
            )
        self._labels = tuple(labels)
        self._seconds, self._hold, self._reject_below = seconds, hold, reject_below
        self._scores: npt.NDArray[np.float64] | None = None
        self._taken = 0.0
        self._candidate: int | None = None
        self._candidate_since = -math.inf  # before the first frame there was nothing, for ever
        self._label: int | None = None

    def add(self, scores: npt.NDArray[np.float32], taken: float) -> Held:
        """Take in the probabilities `[k]` of a frame taken at that time, seconds of any clock."""
        if self._scores is None or self._seconds == 0:
            self._scores = scores.astype(np.float64)
        else:
            passed = max(0.0, taken - self._taken)
            self._scores += -math.expm1(-passed / self._seconds) * (scores - self._scores)
        self._taken = taken
        top = int(self._scores.argmax())
        candidate = top if self._scores[top] >= self._reject_below else None
        if candidate != self._candidate:
            self._candidate, self._candidate_since = candidate, taken
        changed = candidate != self._label and taken - self._candidate_since >= self._hold
        if changed:
            self._label = candidate
        smoothed = self._scores.astype(np.float32)
        label = None if self._label is None else self._labels[self._label]
        return Held(label, float(smoothed[top if self._label is None else self._label]), smoothed, changed)
