"""The learning rate of every step: a linear warm-up, then half a cosine (Loshchilov and Hutter, arXiv:1608.03983)."""

import math


def learning_rate(step: int, *, steps: int, warm_up: int, peak: float) -> float:
    """The learning rate of a step.

    Args:
        step: from 0 to steps - 1.
        steps: of the whole training.
        warm_up: so many steps rise to the peak; the first has 1 / warm_up of it. Fewer than `steps`.
        peak: of the first step after the warm-up, and the last of it.
    """
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))
