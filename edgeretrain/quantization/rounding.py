"""Round depthwise weights to int8: the best of all roundings up and down, for the inputs of the channel.

The error of a layer is (rounded - exact) . input. Rounding to nearest makes each weight's error small, but the inputs
at the nine positions of a 3x3 kernel are nearly equal, so what counts is that the nine errors cancel. Nagel et al.,
"Up or Down? Adaptive Rounding for Post-Training Quantization", 2020, arXiv:2004.10568, equation 13: minimise
e^T C e, e the weights' errors, C the second moments of the inputs. They relax it to gradient descent; nine weights have
only 512 roundings, so here all are tried. C is the covariance, because a mean error is the bias's to correct
(`int8_correction.py`).
"""

import itertools

import numpy as np
import numpy.typing as npt

from edgeretrain.quantization.layers import Doubles

MOST_WEIGHTS = 9
"""Of a kernel whose roundings are all tried; a 5x5 kernel has 33 million."""

_RIDGE = 0.01
"""Added to the covariance, as a fraction of the mean variance: other inputs than those of the photos count, too."""


def round_depthwise(exact: Doubles, scale: Doubles, covariance: Doubles) -> npt.NDArray[np.int8]:
    """int8 `[k,n]`: each weight rounded down or up, so that the channel's outputs are nearest to the exact ones.

    Args:
        exact: the weights, `[k,n]`, n at most MOST_WEIGHTS.
        scale: of the int8 weights, `[k]`.
        covariance: of the n inputs of each channel, `[k,n,n]`.
    """
    count = exact.shape[1]
    ups = np.array(list(itertools.product((0.0, 1.0), repeat=count)))
    ridge = _RIDGE * np.trace(covariance, axis1=1, axis2=2) / count
    rounded = np.empty(exact.shape, np.int8)
    for channel, (weights, step) in enumerate(zip(exact, scale, strict=True)):
        candidates = np.clip(np.floor(weights / step) + ups, -127, 127)
        errors = candidates * step - weights
        costs = ((errors @ covariance[channel]) * errors).sum(axis=1) + ridge[channel] * np.square(errors).sum(axis=1)
        rounded[channel] = candidates[costs.argmin()]
    return rounded


def covariance_of(patches: npt.NDArray[np.float32]) -> Doubles:
    """The covariance of the inputs `[m,k,n]` at the n positions of each channel's kernel: float64 `[k,n,n]`."""
    centred = patches - patches.mean(axis=0)
    positions = [np.ascontiguousarray(centred[:, :, position]) for position in range(patches.shape[2])]
    covariance = np.empty((patches.shape[1], len(positions), len(positions)))
    for row, column in itertools.combinations_with_replacement(range(len(positions)), 2):
        product = np.einsum("mk,mk->k", positions[row], positions[column], dtype=np.float64) / len(patches)
        covariance[:, row, column] = covariance[:, column, row] = product
    return covariance
