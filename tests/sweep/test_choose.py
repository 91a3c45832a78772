from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgeretrain.records.sweep import Candidate, ChosenModel, HeldOut, Miss
from edgeretrain.sweep.budget import Budget
from edgeretrain.sweep.choose import nearest_miss, pick, with_fronts
from sweep import made_up


def candidate(preset: str, top1: float, size: int, latency: float | None = None, **more: Any) -> Candidate:
    held_out = HeldOut(top1=top1, photos=200)
    given: dict[str, Any] = {"preset": preset, "top1": top1, "bytes": size, "latency_ms": latency}
    return made_up.candidate(**{**given, "held_out": held_out, **more})


def front(candidates: list[Candidate], name: str) -> set[str]:
    return {candidate.preset for candidate in with_fronts(candidates) if getattr(candidate.front, name)}


def test_the_front_holds_whom_nobody_beats() -> None:
    candidates = [
        candidate("small", 0.80, 100, 9.0),
        candidate("good", 0.90, 300, 3.0),
        candidate("dominated", 0.85, 300, 5.0),
        candidate("best", 0.95, 900, 4.0),
    ]
    assert front(candidates, "size") == {"small", "good", "best"}
    assert front(candidates, "latency") == {"good", "best"}


def test_equals_stand_on_the_front_together() -> None:
    assert front([candidate("a", 0.9, 100), candidate("b", 0.9, 100)], "size") == {"a", "b"}


def test_at_the_same_size_only_the_more_accurate_is_on_the_front() -> None:
    assert front([candidate("a", 0.9, 100), candidate("b", 0.8, 100)], "size") == {"a"}


def test_without_a_latency_nobody_is_on_its_front() -> None:
    assert front([candidate("a", 0.9, 100), candidate("b", 0.8, 100, 1.0)], "latency") == {"b"}


def test_the_front_is_that_of_the_definition() -> None:
    random = np.random.default_rng(0)
    figures = random.integers(0, 12, (60, 2))
    candidates = [candidate(str(index), top1 / 12, int(size) + 1) for index, (top1, size) in enumerate(figures)]
    expected = {
        str(index)
        for index, (top1, size) in enumerate(figures)
        if not any((a >= top1 and b < size) or (a > top1 and b <= size) for a, b in figures)
    }
    assert front(candidates, "size") == expected


def test_the_pick_is_the_fastest_within_a_point_of_the_best() -> None:
    candidates = [
        candidate("best", 0.92, 900, 8.0),
        candidate("close", 0.912, 400, 3.0),
        candidate("fast", 0.90, 100, 1.0),
    ]
    chosen = pick(candidates)
    assert chosen is not None
    assert chosen.preset == "close"
    assert "fastest of 2 within a point of the most accurate of all, best int8" in chosen.reason
    assert "by all 200 held-out photos, validation and test (91.2 % against 92.0 %)" in chosen.reason


def test_luck_on_the_test_photos_alone_does_not_decide() -> None:
    lucky = candidate("lucky", 0.92, 100, 1.0, held_out=HeldOut(top1=0.85, photos=200))
    candidates = [lucky, candidate("good", 0.90, 400, 3.0, held_out=HeldOut(top1=0.90, photos=200))]
    chosen = pick(with_fronts(candidates))
    assert chosen is not None
    assert chosen.preset == "good"
    assert "90.0 % of 100 test photos" in chosen.reason
    assert "the most accurate of all, by all 200" in chosen.reason
    assert chosen.reason.endswith("On the test photos alone, lucky int8 did as well or better.")


def test_without_latencies_the_smallest_is_picked() -> None:
    chosen = pick([candidate("big", 0.92, 900), candidate("small", 0.915, 400)])
    assert chosen is not None
    assert chosen.preset == "small"
    assert "smallest of 2" in chosen.reason


def test_a_latency_that_is_missing_makes_size_decide() -> None:
    chosen = pick([candidate("big", 0.92, 900, 1.0), candidate("small", 0.915, 400)])
    assert chosen is not None
    assert chosen.preset == "small"


def test_only_what_keeps_the_budget_is_picked() -> None:
    miss = (Miss(budget="max_size", by=2.0),)
    chosen = pick([candidate("best", 0.99, 900, misses=miss), candidate("poor", 0.5, 400)])
    assert chosen is not None
    assert chosen.preset == "poor"
    assert "the only model that meets the budget" in chosen.reason
    assert pick([candidate("best", 0.99, 900, misses=miss)]) is None


def test_the_nearest_miss_says_what_it_lacks() -> None:
    budget = Budget(max_size=500, min_accuracy=0.9, max_latency=1.0)
    candidates = [
        candidate("too big", 0.95, 600, 0.5),
        candidate("far too big", 0.97, 6000, 0.5),
        candidate("all wrong", 0.5, 6000, 2.0),
        candidate("not measured", 0.95, 400, None),
    ]
    candidates = [replace(model, misses=budget.misses(model)) for model in candidates]
    nearest = nearest_miss(candidates, budget)
    assert nearest == ChosenModel(preset="too big", precision="int8", reason="600 bytes, at most 500 allowed.")
    assert "50.0 % top-1, at least 90 % asked for" in str(nearest_miss(candidates[2:3], budget))
    assert "could not be measured" in str(nearest_miss(candidates[3:], budget))


@pytest.mark.parametrize("budget", [Budget(), Budget(max_size=1)])
def test_no_candidates_no_pick_and_no_miss(budget: Budget) -> None:
    assert pick([]) is None
    assert nearest_miss([], budget) is None
