"""The figures against NumPy, the standard library and values worked out by hand."""

import statistics

import numpy as np
import pytest

from edgeretrain.benchmark.statistics import is_wide, summarise


def test_by_hand() -> None:
    figures = summarise([4_000_000, 1_000_000, 2_000_000, 3_000_000, 10_000_000])
    assert vars(figures) == {
        "runs": 5,
        "median": 3.0,
        "mean": 4.0,
        "standard_deviation": pytest.approx((9 + 4 + 1 + 0 + 36) ** 0.5 / 2, abs=1e-6),
        "min": 1.0,
        "max": 10.0,
        "p90": pytest.approx(4 + 0.6 * 6),  # position 0.9 x 4 = 3.6, between the fourth and the fifth
        "p95": pytest.approx(4 + 0.8 * 6),
        "p99": pytest.approx(4 + 0.96 * 6),
    }


def test_against_the_standard_library() -> None:
    times = np.random.default_rng(0).lognormal(15, 1, 999).astype(int).tolist()
    figures = summarise(times)
    assert figures.median == pytest.approx(statistics.median(times) / 1e6)
    assert figures.mean == pytest.approx(statistics.fmean(times) / 1e6)
    assert figures.standard_deviation == pytest.approx(statistics.stdev(times) / 1e6)
    hundredths = statistics.quantiles(times, n=100, method="inclusive")
    for percent in (90, 95, 99):
        assert getattr(figures, f"p{percent}") == pytest.approx(hundredths[percent - 1] / 1e6)


def test_one_run() -> None:
    figures = dict(vars(summarise([1_234_567])))
    assert figures.pop("runs") == 1
    assert figures.pop("standard_deviation") == 0
    assert set(figures.values()) == {1.234567}


def test_plain_numbers() -> None:
    assert {type(value) for value in vars(summarise([1, 2, 3])).values()} == {int, float}


def test_wide_is_a_matter_of_the_ninetieth_percentile() -> None:
    steady = [1_000_000] * 95 + [9_000_000] * 5  # a few interruptions say nothing against the median
    assert not is_wide(summarise(steady))
    assert is_wide(summarise([1_000_000] * 85 + [1_210_000] * 15))
    assert not is_wide(summarise([1_000_000] * 85 + [1_190_000] * 15))
