"""The head of a tuned backbone: halfway between the one that was trained with it and the one fitted to its bottlenecks.

The trained head has seen every photo in many looks and is right more often, but too sure of itself; the fitted one is
calibrated and knows the bottlenecks of its own precision, but only of photos that the backbone knows by heart. Their
mean is better than either (docs/fine-tuning.md has the figures).
"""

from dataclasses import dataclass

import numpy as np

from edgeretrain.head.softmax import Doubles, Floats, Head, Labels, log_loss

TEMPERATURES = tuple(float(f"{value:.3g}") for value in np.exp(np.arange(-0.5, 1.55, 0.1)))
"""Tried on the trained head; above 1 makes it less sure (Guo et al., arXiv:1706.04599)."""


@dataclass(frozen=True)
class Blend:
    """A temperature, and what the validation photos say of the head that it gives."""

    temperature: float
    validation_log_loss: float
    validation_top1: float


def blend(trained: Head, fitted: Head, temperature: float) -> Head:
    """The mean of both heads' logits, those of the trained one divided by the temperature."""
    weights = (trained.weights / temperature + fitted.weights) / 2
    bias = (trained.bias / temperature + fitted.bias) / 2
    return Head(weights.astype(np.float32), bias.astype(np.float32))


def choose_blend(trained: Head, fitted: Head, bottlenecks: Floats, labels: Labels, weights: Doubles) -> Blend:
    """The temperature with the least log loss on the validation photos.

    Args:
        fitted: without these photos.
        bottlenecks, labels, weights: of the validation photos, `[n, d]`, `[n]`, `[n]`.
    """
    blends = []
    for temperature in TEMPERATURES:
        probabilities = blend(trained, fitted, temperature).probabilities(bottlenecks)
        top1 = float((probabilities.argmax(axis=1) == labels).mean())
        blends.append(Blend(temperature, log_loss(probabilities, labels, weights), top1))
    return min(blends, key=lambda candidate: candidate.validation_log_loss)
