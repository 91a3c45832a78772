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
class SmoothedPrediction:
    """The prediction after a frame, smoothed over the frames before it.

    Attributes:
        label: the class that has led for long enough; None if none has, or the scores are too low.
        score: smoothed probability of that label; without a label, the highest of all classes.
        scores: smoothed probabilities, float32 `[k]`.
        changed: the label differs from the one after the previous frame.
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
        """Begin without frames.

        Args:
            labels: class names, in the order of the model's output.
            seconds: time constant of the smoothing; 0: no smoothing.
            hold: seconds that a class must lead before it becomes the label.
            reject_below: smoothed probability below which there is no label; 0: there always is one.

        Raises:
            EdgeretrainError: a time below 0, or a probability outside 0 to 1.
        """
        if not (0 <= seconds < math.inf and 0 <= hold < math.inf):
            raise EdgeretrainError(f"--smooth and --hold must be 0 seconds or more, not {seconds} and {hold}.")
        if not 0 <= reject_below <= 1:
            raise EdgeretrainError(f"--reject-below must be from 0 to 1, not {reject_below}.")
        self._labels = tuple(labels)
        self._seconds, self._hold, self._reject_below = seconds, hold, reject_below
        self._scores: npt.NDArray[np.float64] | None = None
        self._taken = 0.0
        self._candidate: int | None = None
        self._candidate_since = -math.inf  # before the first frame there was nothing, for ever
        self._label: int | None = None

    def add(self, scores: npt.NDArray[np.float32], taken: float) -> SmoothedPrediction:
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
        return SmoothedPrediction(
            label, float(smoothed[top if self._label is None else self._label]), smoothed, changed
        )
