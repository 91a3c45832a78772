"""Below which score a classifier should say "none of these"."""

import numpy as np
import numpy.typing as npt

KEPT = 0.95
"""Share of the validation photos classified rightly that the threshold lets pass."""

HIGHEST = 0.5
"""A class that is more probable than all others together is never rejected. On a few easy photos the scores are all so
near to 1 that 95 % of them would be a threshold that rejects the next photo."""


def reject_below(probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    """The top score that all but 5 % of the rightly classified photos reach, at most HIGHEST.

    A softmax head has to name one of its classes, whatever it is shown; a low top score is what tells that the photo
    resembles none of them (Hendrycks and Gimpel, arXiv:1610.02136).

    Args:
        probabilities: `[n, k]`, of photos that the head was not trained on.
        labels: `[n]`, the true classes.

    Returns:
        0 to HIGHEST, rounded down to 1/1000; 0, which rejects nothing, when no photo is classified rightly.

    >>> reject_below(np.array([[0.9, 0.05, 0.05], [0.3, 0.4, 0.3], [0.3, 0.3, 0.4]], np.float32), np.array([0, 1, 0]))
    0.4
    """
    right = probabilities.argmax(axis=1) == labels
    if not right.any():
        return 0.0
    scores = np.sort(probabilities.max(axis=1)[right])
    lowest = np.floor(1000 * scores[int((1 - KEPT) * len(scores))]) / 1000
    return float(min(lowest, HIGHEST))
