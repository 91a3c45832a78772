"""What the table, the page and the picture of a sweep all say: short names, misses and budgets in words."""

from collections.abc import Iterator
from typing import Literal

from edgeretrain.backbone.presets import BUILDABLE
from edgeretrain.records.sweep import Candidate, ChosenModel, Miss, Sweep

Cost = Literal["size", "latency"]

COSTS: tuple[Cost, ...] = ("size", "latency")
"""The two pictures: accuracy against the file's size, and against the latency."""


def on_front(candidate: Candidate, cost: Cost) -> bool:
    """Whether the candidate is on the Pareto front of this picture."""
    return candidate.front.size if cost == "size" else candidate.front.latency


def short_name(candidate: Candidate) -> str:
    """`V2 0.35/128 int8`; for an own backbone its name: `garden int8`."""
    preset = BUILDABLE.get(candidate.preset)
    return f"{preset.short_name if preset else candidate.preset} {candidate.precision}"


def is_same(candidate: Candidate, named: ChosenModel | None) -> bool:
    """Whether this is the candidate that the pick or the nearest miss names."""
    return named is not None and (candidate.preset, candidate.precision) == (named.preset, named.precision)


def find(sweep: Sweep, named: ChosenModel | None) -> Candidate | None:
    """The candidate that the pick or the nearest miss names."""
    return next((candidate for candidate in sweep.candidates if is_same(candidate, named)), None)


def miss_text(miss: Miss) -> str:
    """How far a candidate is from one limit, in short: `size x1.73`, `latency x2.10`, `top-1 -3.1`."""
    name = {"max_size": "size", "max_latency": "latency", "min_accuracy": "top-1"}[miss.budget]
    if miss.by is None:
        return f"{name} unknown"
    if miss.budget == "min_accuracy":
        return f"{name} -{100 * miss.by:.1f}"
    return f"{name} x{miss.by:.2f}" if miss.by < 9.995 else f"{name} x{miss.by:.1f}"


def budget_text(sweep: Sweep) -> str:
    """The limits as one phrase; empty without any."""
    budget = sweep.budget
    limits = []
    if budget.max_size is not None:
        limits.append(f"at most {budget.max_size:,} bytes")
    if budget.max_latency is not None:
        threads = f"{budget.threads} thread" + ("" if budget.threads == 1 else "s")
        limits.append(f"at most {budget.max_latency:g} ms ({threads}, {budget.device or 'this machine'})")
    if budget.min_accuracy is not None:
        limits.append(f"at least {100 * budget.min_accuracy:g} % top-1")
    return ", ".join(limits)


STAGES = {"backbone": "no backbone", "retrain": "not retrained", "latency": "not measured"}


def failures(sweep: Sweep) -> Iterator[tuple[str, str, list[str]]]:
    """What is missing, those of one stage and one reason together, in the sweep's order.

    Yields:
        what is missing (see STAGES), the reason, and the models it is true of (`preset` or `preset (precisions)`).
    """
    grouped: dict[tuple[str, str], dict[str, list[str]]] = {}
    for failure in sweep.failed:
        reason = failure.reason.removeprefix(f"{failure.preset}: ")
        presets = grouped.setdefault((failure.stage, reason), {})
        presets.setdefault(failure.preset, []).extend([failure.precision] if failure.precision else [])
    for (stage, reason), presets in grouped.items():
        models = [f"{preset} ({', '.join(names)})" if names else preset for preset, names in presets.items()]
        yield STAGES.get(stage, stage), reason, models
