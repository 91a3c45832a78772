import itertools

import numpy as np
import pytest

from edgeretrain.quantization.rounding import covariance_of, round_depthwise


def patches(seed: int = 0, count: int = 400, channels: int = 5) -> np.ndarray:
    """What 3x3 kernels see of a smooth picture: nine nearly equal numbers."""
    rng = np.random.default_rng(seed)
    return (rng.uniform(0, 6, (count, channels, 1)) + rng.normal(0, 0.3, (count, channels, 9))).astype(np.float32)


def test_the_covariance_is_that_of_each_channel() -> None:
    seen = patches()
    covariance = covariance_of(seen)
    assert covariance.shape == (5, 9, 9)
    for channel in range(5):
        expected = np.cov(seen[:, channel].astype(np.float64).T, bias=True)
        assert np.allclose(covariance[channel], expected, rtol=1e-4, atol=1e-5)


def test_each_weight_is_rounded_down_or_up_and_the_outputs_are_nearer_than_by_rounding_to_nearest() -> None:
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 1, (5, 9))
    scale = np.abs(weights).max(axis=1) / 127
    seen = patches()
    rounded = round_depthwise(weights, scale, covariance_of(seen))
    assert rounded.dtype == np.int8
    assert (np.abs(rounded - weights / scale[:, None]) < 1 + 1e-9).all()

    def noise(integers: np.ndarray) -> np.ndarray:
        errors = np.einsum("mkn,kn->mk", patches(seed=2), integers * scale[:, None] - weights)
        return errors.std(axis=0)

    nearest = noise(np.rint(weights / scale[:, None]))
    assert (noise(rounded) <= nearest * 1.02).all()
    assert noise(rounded).mean() < 0.6 * nearest.mean()


def test_independent_inputs_are_rounded_to_nearest() -> None:
    weights = np.random.default_rng(3).normal(0, 1, (4, 9))
    scale = np.abs(weights).max(axis=1) / 127
    covariance = np.broadcast_to(np.eye(9), (4, 9, 9))
    assert np.array_equal(round_depthwise(weights, scale, covariance), np.rint(weights / scale[:, None]))


@pytest.mark.parametrize("covariance", [np.zeros((1, 4, 4)), np.ones((1, 4, 4))])
def test_no_rounding_beats_the_one_that_is_found(covariance: np.ndarray) -> None:
    weights, scale = np.array([[0.4, 0.4, 0.4, -127.0]]), np.ones(1)
    rounded = round_depthwise(weights, scale, covariance)[0]
    ridge = 0.01 * covariance[0].trace() / 4
    cost = covariance[0] + ridge * np.eye(4)
    errors = [np.array(one) - weights[0] for one in itertools.product((0, 1), (0, 1), (0, 1), (-127, -126))]
    chosen = rounded - weights[0]
    assert chosen @ cost @ chosen <= min(error @ cost @ error for error in errors) + 1e-12
    assert (np.abs(chosen) <= 1).all()
