"""Acceptance of issue 3: our median against that of LiteRT's own benchmark, in turns."""

import importlib.util
import statistics
from pathlib import Path
from typing import Any

import pytest

from edgeretrain.backbone import find_backbone

pytest.importorskip("ai_edge_litert.tools.benchmark_litert_model")
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "latency.py"


@pytest.fixture(scope="module")
def latency() -> Any:
    if not SCRIPT.exists():
        pytest.skip("there is no benchmarks/latency.py here (an installed package)")
    specification = importlib.util.spec_from_file_location("latency", SCRIPT)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_within_ten_percent_of_benchmark_litert_model(latency: Any, precision: Any) -> None:
    """More rounds as long as it is not: what else the machine does hits either of the two."""
    model = find_backbone("mobilenet_v2_100_224", precision).path
    rounds: list[tuple[float, float]] = []
    for _ in range(5):
        rounds += latency.against_litert(model, 4)
        ratio = statistics.median(mine / other for mine, other in rounds)
        if 0.9 < ratio < 1.1:
            return
    pytest.fail(f"ours / theirs is {ratio:.3f}: {rounds}")
