"""The head of a tuned backbone."""

import numpy as np
import pytest

from edgeretrain.head.blend import TEMPERATURES, blend, choose_blend
from edgeretrain.head.softmax import Head, log_loss


def made(seed: int, strength: float = 1) -> Head:
    random = np.random.default_rng(seed)
    return Head((strength * random.normal(size=(6, 3))).astype(np.float32), random.normal(size=3).astype(np.float32))


def test_a_blend_is_the_mean_of_the_logits() -> None:
    trained, fitted = made(0), made(1)
    values = np.random.default_rng(2).normal(size=(5, 6)).astype(np.float32)
    logits = [values @ head.weights + head.bias for head in (trained, fitted, blend(trained, fitted, 2.5))]
    assert logits[2] == pytest.approx(logits[0] / 5 + logits[1] / 2, abs=1e-5)
    assert blend(trained, fitted, 2.5).weights.dtype == np.float32


def test_the_temperature_is_the_one_with_the_least_log_loss() -> None:
    random = np.random.default_rng(3)
    values, labels = random.normal(size=(60, 6)).astype(np.float32), random.integers(0, 3, 60)
    weights = random.uniform(0.5, 2, 60)
    trained, fitted = made(4, 3), made(5, 0.1)
    chosen = choose_blend(trained, fitted, values, labels, weights)
    losses = {
        temperature: log_loss(blend(trained, fitted, temperature).probabilities(values), labels, weights)
        for temperature in TEMPERATURES
    }
    assert losses[chosen.temperature] == min(losses.values()) == chosen.validation_log_loss
    said = blend(trained, fitted, chosen.temperature).probabilities(values).argmax(axis=1)
    assert chosen.validation_top1 == (said == labels).mean()


def test_a_head_that_is_too_sure_is_cooled_down() -> None:
    """The labels are drawn from the right head's own probabilities."""
    random = np.random.default_rng(6)
    values = random.normal(size=(4000, 6)).astype(np.float32)
    right = made(7, 0.7)
    labels = np.array([random.choice(3, p=row / row.sum()) for row in right.probabilities(values).astype(np.float64)])
    sure = Head(3 * right.weights, 3 * right.bias)
    assert choose_blend(sure, right, values, labels, np.ones(4000)).temperature == pytest.approx(3, rel=0.15)
    assert choose_blend(right, right, values, labels, np.ones(4000)).temperature == pytest.approx(1, rel=0.15)
