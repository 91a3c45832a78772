from dataclasses import replace
from typing import Any

import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.records.sweep import Miss
from edgeretrain.sweep.budget import Budget
from sweep.made_up import candidate


def test_without_limits_everything_fits() -> None:
    assert Budget().misses(candidate(latency_ms=None)) == ()


def test_a_limit_is_kept_up_to_its_very_value() -> None:
    assert Budget(max_size=1_000_000, max_latency=10.0, min_accuracy=0.9).misses(candidate()) == ()


def test_each_limit_is_told_with_how_much_it_is_missed_by() -> None:
    misses = Budget(max_size=500_000, max_latency=4.0, min_accuracy=0.95).misses(candidate())
    assert [miss.budget for miss in misses] == ["max_size", "max_latency", "min_accuracy"]
    assert [miss.by for miss in misses] == pytest.approx([2.0, 2.5, 0.05])


def test_what_was_not_measured_keeps_no_latency() -> None:
    assert Budget(max_latency=1e6).misses(candidate(latency_ms=None)) == (Miss(budget="max_latency", by=None),)


def test_fewer_missed_limits_are_nearer_than_smaller_ones() -> None:
    budget = Budget(max_size=900_000, max_latency=9.0, min_accuracy=0.5)
    large = candidate(bytes=2_000_000, latency_ms=1.0)
    both = candidate(bytes=900_001, latency_ms=9.01)
    one_limit, two_limits = (replace(model, misses=budget.misses(model)) for model in (large, both))
    assert budget.relative_miss(one_limit) < budget.relative_miss(two_limits)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"max_size": 0}, "--max-size"),
        ({"max_size": -5}, "--max-size"),
        ({"max_latency": 0.0}, "--max-latency"),
        ({"max_latency": float("nan")}, "--max-latency"),
        ({"max_latency": float("inf")}, "--max-latency"),
        ({"min_accuracy": 0.0}, "--min-accuracy"),
        ({"min_accuracy": 1.01}, "--min-accuracy"),
    ],
)
def test_a_limit_that_nothing_or_everything_keeps_is_refused(limits: dict[str, Any], says: str) -> None:
    with pytest.raises(EdgeretrainError, match=says):
        Budget(**limits)
