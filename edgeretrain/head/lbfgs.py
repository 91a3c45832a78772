"""L-BFGS, the minimiser behind the head: it keeps SciPy out of what a Raspberry Pi has to install."""

from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

_NOISE = 1e-7
"""Relative error of a value whose products run in float32."""


def minimise(
    function: Callable[[Doubles], tuple[float, Doubles]],
    start: Doubles,
    *,
    tolerance: float = 1e-5,
    iterations: int = 500,
    memory: int = 10,
) -> Doubles:
    """Minimise a smooth convex function by L-BFGS with a backtracking line search.

    Nocedal and Wright, Numerical Optimization (2006), algorithm 7.4 for the direction and 3.1 for the step. Stops when
    the largest gradient component is below `tolerance`, or no step improves.

    Args:
        function: point -> (value, gradient of the point's shape).
        start: float64, any shape.
    """
    point = start.copy()
    value, gradient = function(point)
    pairs: deque[tuple[Doubles, Doubles, float]] = deque(maxlen=memory)
    for _ in range(iterations):
        if float(np.abs(gradient).max()) <= tolerance:
            break
        direction = -_inverse_hessian_product(gradient, pairs)
        slope = float(np.vdot(direction, gradient))
        if slope >= 0:  # rounding has spoilt the pairs: start over from the steepest descent
            pairs.clear()
            direction, slope = -gradient, -float(np.vdot(gradient, gradient))
        step = 1.0 if pairs else min(1.0, 1.0 / float(np.abs(gradient).sum()))
        for _ in range(30):
            candidate = point + step * direction
            new_value, new_gradient = function(candidate)
            if new_value <= value + 1e-4 * step * slope:
                break
            # Near the minimum the values differ by rounding errors only, and the slopes still tell: the approximate
            # Wolfe condition of Hager and Zhang, SIAM J. Optim. 16 (2005), section 2, with their delta of 0.1.
            if new_value <= value + _NOISE * abs(value) and float(np.vdot(direction, new_gradient)) <= -0.8 * slope:
                break
            step /= 2
        else:
            break
        moved, change = candidate - point, new_gradient - gradient
        curvature = float(np.vdot(moved, change))
        if curvature > 1e-12 * float(np.vdot(change, change)):
            pairs.append((moved, change, curvature))
        point, value, gradient = candidate, new_value, new_gradient
    return point


def _inverse_hessian_product(gradient: Doubles, pairs: deque[tuple[Doubles, Doubles, float]]) -> Doubles:
    product = gradient.copy()
    factors = []
    for moved, change, curvature in reversed(pairs):
        factor = float(np.vdot(moved, product)) / curvature
        product -= factor * change
        factors.append(factor)
    if pairs:
        _, change, curvature = pairs[-1]
        product *= curvature / float(np.vdot(change, change))
    for (moved, change, curvature), factor in zip(pairs, reversed(factors), strict=True):
        product += (factor - float(np.vdot(change, product)) / curvature) * moved
    return product
