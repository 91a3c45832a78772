"""From measured times to the figures that are reported."""

from collections.abc import Sequence
from typing import Any

import numpy as np

WIDE = 1.2
"""A spread is wide when the 90th percentile is more than this times the median."""


def summarise(nanoseconds: Sequence[int]) -> dict[str, Any]:
    """The statistic of one quantity over all its runs.

    Args:
        nanoseconds: one time per run, at least one.

    Returns:
        runs, and in milliseconds: median, mean, standard_deviation (of the sample, divided by runs - 1; 0 for one run),
        min, max, p90, p95, p99 (percentiles, interpolated linearly between the two nearest runs).
    """
    times = np.asarray(nanoseconds, np.float64) / 1e6
    p90, p95, p99 = np.percentile(times, (90, 95, 99))
    figures = {
        "median": np.median(times),
        "mean": times.mean(),
        "standard_deviation": times.std(ddof=1) if len(times) > 1 else 0.0,
        "min": times.min(),
        "max": times.max(),
        "p90": p90,
        "p95": p95,
        "p99": p99,
    }
    return {"runs": len(times), **{name: milliseconds(value) for name, value in figures.items()}}


def milliseconds(value: float) -> float:
    """Rounded to a nanosecond, the clock's unit."""
    return round(float(value), 6)


def is_wide(figures: dict[str, Any]) -> bool:
    """Whether the runs differ so much that the median says little; `figures` as `summarise` returns them."""
    return bool(figures["p90"] > WIDE * figures["median"])
