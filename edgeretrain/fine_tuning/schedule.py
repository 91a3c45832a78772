"""The learning rate of every step: a linear warm-up, then half a cosine (Loshchilov and Hutter, arXiv:1608.03983)."""

import math


def learning_rate(step: int, *, steps: int, warm_up: int, peak: float) -> float:
    """The learning rate of a step.

    Args:
        step: from 0 to steps - 1.
        steps: of the whole training.
        warm_up: steps in which the rate rises to the peak; the first has 1 / warm_up of it. Fewer than `steps`.
        peak: the highest rate: of the last step of the warm-up and the first step after it.
    """
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))
