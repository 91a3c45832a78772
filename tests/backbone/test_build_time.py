"""The time ratio of benchmarks/build.py, on this machine, in one run."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from edgeretrain.precision import PRECISIONS

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not BENCHMARKS.exists():
        pytest.skip("there are no benchmarks here (an installed package)")
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("build")


def test_all_four_precisions_of_nasnet_take_little_longer_than_float32(benchmark: Any) -> None:
    """The better of clock and processor: other programs on the machine disturb the clock."""
    pytest.importorskip("tensorflow")
    one = benchmark.in_a_process_of_its_own("nasnet_mobile", ["float32"])
    four = benchmark.in_a_process_of_its_own("nasnet_mobile", PRECISIONS)
    assert min(four.wall / one.wall, four.cpu / one.cpu) <= benchmark.ALLOWED, (one, four)
