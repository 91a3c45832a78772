"""The Pareto front, the pick, and the nearest miss."""

from collections.abc import Sequence
from typing import Any

from edgeretrain.report.figures import TOLERANCE
from edgeretrain.sweep.budget import Budget, Candidate


def mark_front(candidates: Sequence[Candidate]) -> None:
    """Set `front` of every candidate: is it on the Pareto front of accuracy against size, and against latency?

    On a front is whom no other candidate beats: none is at least as accurate and at most as large (or slow) and better
    in one of the two. Candidates that are equal in both stand on it together; without a latency none is on that front.
    """
    for candidate in candidates:
        candidate["front"] = {
            name: candidate[cost] is not None and not any(_beats(other, candidate, cost) for other in candidates)
            for name, cost in (("size", "bytes"), ("latency", "latency_ms"))
        }


def _beats(one: Candidate, other: Candidate, cost: str) -> bool:
    if one[cost] is None or one["top1"] < other["top1"] or one[cost] > other[cost]:
        return False
    return bool(one["top1"] > other["top1"] or one[cost] < other[cost])


def pick(candidates: Sequence[Candidate]) -> dict[str, Any] | None:
    """The candidate to take, and why; None when none keeps the budget.

    Of those that keep it, the fastest (the smallest, where no latency was measured) within one point of the most
    accurate, by all held-out photos (see `make_candidate`). The best of forty on a hundred test photos is mostly the
    luckiest: on flower_photos that was mobilenet_v1_025_192, which ten-fold puts six points below the best.

    Args:
        candidates: with their `misses` and `front`.
    """
    fitting = [candidate for candidate in candidates if not candidate["misses"]]
    if not fitting:
        return None
    best = max(fitting, key=lambda one: (one["held_out"]["top1"], -one["bytes"]))
    close = [one for one in fitting if one["held_out"]["top1"] >= best["held_out"]["top1"] - TOLERANCE - 1e-9]
    timed = all(one["latency_ms"] is not None for one in close)
    chosen = min(close, key=lambda one: (one["latency_ms"] if timed else 0, one["bytes"], -one["held_out"]["top1"]))
    figures = f"{100 * chosen['top1']:.1f} % of {chosen['test_photos']} test photos, {chosen['bytes']:,} bytes"
    if chosen["latency_ms"] is not None:
        figures += f", {chosen['latency_ms']:.2f} ms"
    kept = "that keep the budget" if any(one["misses"] for one in candidates) else "of all"
    if len(fitting) == 1:
        return _named(chosen, f"{figures}: the only one {kept.replace('keep ', 'keeps ')}.")
    if len(close) == 1:
        why = f"the most accurate {kept}"
    else:
        why = f"the {'fastest' if timed else 'smallest'} of {len(close)} within a point of the most accurate {kept}"
        if chosen is not best:
            why += f", {best['preset']} {best['precision']}"
    shares = f"{100 * chosen['held_out']['top1']:.1f} %"
    if chosen is not best:
        shares += f" against {100 * best['held_out']['top1']:.1f} %"
    held_out = f"by all {chosen['held_out']['photos']} held-out photos, validation and test ({shares})"
    return _named(chosen, f"{figures}: {why}, {held_out}.{_luckier(chosen, close, fitting)}")


def _luckier(chosen: Candidate, close: Sequence[Candidate], fitting: Sequence[Candidate]) -> str:
    """A sentence about whom the Pareto front shows above the pick, though all held-out photos do not."""
    lucky = [
        one for one in fitting if any(one["front"].values()) and one["top1"] >= chosen["top1"] and one not in close
    ]
    names = ", ".join(f"{one['preset']} {one['precision']}" for one in lucky)
    return f" On the test photos alone {names} did as well or better." if lucky else ""


def nearest_miss(candidates: Sequence[Candidate], budget: Budget) -> dict[str, Any] | None:
    """The candidate that misses the fewest limits, by the least; what it misses stands in its reason."""
    if not candidates:
        return None
    nearest = min(candidates, key=lambda one: (*budget.relative_miss(one), -one["top1"], one["bytes"]))
    return _named(nearest, "; ".join(_told(nearest, miss["budget"], budget) for miss in nearest["misses"]) + ".")


def _named(candidate: Candidate, reason: str) -> dict[str, Any]:
    return {"preset": candidate["preset"], "precision": candidate["precision"], "reason": reason}


def _told(candidate: Candidate, limit: str, budget: Budget) -> str:
    if limit == "max_size":
        return f"{candidate['bytes']:,} bytes where {budget.max_size:,} are allowed"
    if limit == "min_accuracy":
        assert budget.min_accuracy is not None
        return f"{100 * candidate['top1']:.1f} % top-1 where {100 * budget.min_accuracy:g} % are asked"
    if candidate["latency_ms"] is None:
        return f"its latency could not be measured where {budget.max_latency:g} ms are allowed"
    return f"{candidate['latency_ms']:.2f} ms where {budget.max_latency:g} ms are allowed"
