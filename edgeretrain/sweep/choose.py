"""The Pareto front, the pick, and the nearest miss."""

from collections.abc import Sequence
from dataclasses import replace

from edgeretrain.records.sweep import Candidate, ChosenModel, Front, Limit
from edgeretrain.report.figures import TOLERANCE
from edgeretrain.sweep.budget import Budget


def with_fronts(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates, each with its `front`: is it on the Pareto front of accuracy against size, and against latency?

    A candidate is on the front if none dominates it: none is at least as accurate and at most as large (or slow), and
    better in one of the two. Candidates that are equal in both are on it together; one without a latency is not on that
    front.
    """
    accuracies = [candidate.top1 for candidate in candidates]
    on_size = _front(accuracies, [candidate.bytes for candidate in candidates])
    on_latency = _front(accuracies, [candidate.latency_ms for candidate in candidates])
    return [
        replace(candidate, front=Front(size=size, latency=latency))
        for candidate, size, latency in zip(candidates, on_size, on_latency, strict=True)
    ]


def _front(accuracies: Sequence[float], costs: Sequence[float | None]) -> list[bool]:
    """Which (accuracy, cost) no other one dominates; not those without a cost."""
    points = list(zip(accuracies, costs, strict=True))

    def dominated(top1: float, cost: float) -> bool:
        return any(
            other is not None and accuracy >= top1 and other <= cost and (accuracy > top1 or other < cost)
            for accuracy, other in points
        )

    return [cost is not None and not dominated(top1, cost) for top1, cost in points]


def pick(candidates: Sequence[Candidate]) -> ChosenModel | None:
    """The candidate to take, and why; None when no candidate meets the budget.

    Of those that meet it, the fastest (the smallest, where no latency was measured) within one point of the most
    accurate, by all held-out photos (see `make_candidate`). The best of forty on a hundred test photos is mostly the
    luckiest: on flower_photos that was mobilenet_v1_025_192, six points below the best in ten-fold cross-validation.

    Args:
        candidates: with their `misses` and `front`.
    """
    fitting = [candidate for candidate in candidates if not candidate.misses]
    if not fitting:
        return None
    best = max(fitting, key=lambda candidate: (candidate.held_out.top1, -candidate.bytes))
    least = best.held_out.top1 - TOLERANCE - 1e-9
    close = [candidate for candidate in fitting if candidate.held_out.top1 >= least]
    timed = all(candidate.latency_ms is not None for candidate in close)

    def cost(candidate: Candidate) -> tuple[float, int, float]:
        latency = candidate.latency_ms if timed and candidate.latency_ms is not None else 0
        return latency, candidate.bytes, -candidate.held_out.top1

    chosen = min(close, key=cost)
    figures = f"{100 * chosen.top1:.1f} % of {chosen.test_photos} test photos, {chosen.bytes:,} bytes"
    if chosen.latency_ms is not None:
        figures += f", {chosen.latency_ms:.2f} ms"
    limited = len(fitting) < len(candidates)
    if len(fitting) == 1:
        return _named(chosen, f"{figures}: the only model{' that meets the budget' if limited else ''}.")
    which = "that meet the budget" if limited else "of all"
    if len(close) == 1:
        why = f"the most accurate {which}"
    else:
        why = f"the {'fastest' if timed else 'smallest'} of {len(close)} within a point of the most accurate {which}"
        if chosen is not best:
            why += f", {best.preset} {best.precision}"
    shares = f"{100 * chosen.held_out.top1:.1f} %"
    if chosen is not best:
        shares += f" against {100 * best.held_out.top1:.1f} %"
    held_out = f"by all {chosen.held_out.photos} held-out photos, validation and test ({shares})"
    return _named(chosen, f"{figures}: {why}, {held_out}.{_luckier(chosen, close, fitting)}")


def _luckier(chosen: Candidate, close: Sequence[Candidate], fitting: Sequence[Candidate]) -> str:
    """A sentence about models on the Pareto front above the pick that are worse on all held-out photos; "" if none."""
    lucky = [
        candidate
        for candidate in fitting
        if (candidate.front.size or candidate.front.latency)
        and candidate.top1 >= chosen.top1
        and candidate not in close
    ]
    names = ", ".join(f"{candidate.preset} {candidate.precision}" for candidate in lucky)
    return f" On the test photos alone, {names} did as well or better." if lucky else ""


def nearest_miss(candidates: Sequence[Candidate], budget: Budget) -> ChosenModel | None:
    """The candidate that misses the fewest limits, by the least; its reason says which ones."""
    if not candidates:
        return None

    def distance(candidate: Candidate) -> tuple[int, float, float, int]:
        return (*budget.relative_miss(candidate), -candidate.top1, candidate.bytes)

    nearest = min(candidates, key=distance)
    return _named(nearest, "; ".join(_miss(nearest, miss.budget, budget) for miss in nearest.misses) + ".")


def _named(candidate: Candidate, reason: str) -> ChosenModel:
    return ChosenModel(preset=candidate.preset, precision=candidate.precision, reason=reason)


def _miss(candidate: Candidate, limit: Limit, budget: Budget) -> str:
    if limit == "max_size":
        return f"{candidate.bytes:,} bytes, at most {budget.max_size:,} allowed"
    if limit == "min_accuracy":
        assert budget.min_accuracy is not None
        return f"{100 * candidate.top1:.1f} % top-1, at least {100 * budget.min_accuracy:g} % asked for"
    if candidate.latency_ms is None:
        return f"its latency could not be measured, at most {budget.max_latency:g} ms allowed"
    return f"{candidate.latency_ms:.2f} ms, at most {budget.max_latency:g} ms allowed"
