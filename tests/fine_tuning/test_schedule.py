"""The learning rate of each step."""

import math

import pytest

from edgeretrain.fine_tuning.schedule import learning_rate


def rates(steps: int, warm_up: int, peak: float = 0.1) -> list[float]:
    return [learning_rate(step, steps=steps, warm_up=warm_up, peak=peak) for step in range(steps)]


def test_it_rises_in_a_straight_line_to_the_peak() -> None:
    assert rates(20, 4)[:5] == pytest.approx([0.025, 0.05, 0.075, 0.1, 0.1])


def test_then_it_falls_along_half_a_cosine() -> None:
    falling = rates(24, 4)[4:]
    assert falling == pytest.approx([0.05 * (1 + math.cos(math.pi * step / 20)) for step in range(20)])
    assert falling == sorted(falling, reverse=True)
    assert 0 < falling[-1] < 0.001


def test_without_a_warm_up_it_starts_at_the_peak() -> None:
    assert rates(10, 0)[0] == 0.1


@pytest.mark.parametrize(("steps", "warm_up"), [(1, 0), (2, 1), (7, 6)])
def test_short_trainings(steps: int, warm_up: int) -> None:
    assert all(0 < rate < 0.1001 for rate in rates(steps, warm_up))
