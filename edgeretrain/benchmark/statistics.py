"""From measured times to the figures that are reported."""

from collections.abc import Sequence

import numpy as np

from edgeretrain.records.benchmark import Statistics

WIDE = 1.2
"""A spread is wide when the 90th percentile is more than this times the median."""


def summarise(nanoseconds: Sequence[int]) -> Statistics:
    """The statistics of one quantity over all its runs.

    Args:
        nanoseconds: one time per run, at least one.
    """
    times = np.asarray(nanoseconds, np.float64) / 1e6
    p90, p95, p99 = np.percentile(times, (90, 95, 99))
    return Statistics(
        runs=len(times),
        median=milliseconds(np.median(times)),
        mean=milliseconds(times.mean()),
        standard_deviation=milliseconds(times.std(ddof=1)) if len(times) > 1 else 0.0,
        min=milliseconds(times.min()),
        max=milliseconds(times.max()),
        p90=milliseconds(p90),
        p95=milliseconds(p95),
        p99=milliseconds(p99),
    )


def milliseconds(value: float | np.floating) -> float:
    """Rounded to a nanosecond, the clock's unit."""
    return round(float(value), 6)


def is_wide(times: Statistics) -> bool:
    """Whether the runs differ so much that the median says little."""
    return times.p90 > WIDE * times.median
