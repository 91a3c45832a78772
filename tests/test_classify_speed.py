"""Ratios of benchmarks/classify.py, on this machine, in one run."""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.garden import Run, encoded, put, texture

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not BENCHMARKS.exists():
        pytest.skip("there are no benchmarks here (an installed package)")
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("classify")


@pytest.fixture(scope="module")
def jpegs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """300 photos of 320 x 240."""
    folder = tmp_path_factory.mktemp("jpegs")
    for number in range(300):
        photo = Image.fromarray(texture("dots", number % 30)).resize((320, 240))
        photo.save(put(folder / f"{number}.jpg", encoded(texture("dots", 0))), "JPEG")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_batch_is_as_fast_as_a_bare_loop(benchmark: Any, run: Run, jpegs: list[Path], precision: str) -> None:
    """The better of clock and processor: other programs on the machine disturb the clock."""
    found = benchmark.steady(run.model(precision), jpegs, rounds=3)
    assert min(found["batch"][1:]) <= benchmark.STEADY_ASKED, found


def test_the_first_label_comes_long_before_label_image_s(benchmark: Any, run: Run, jpegs: list[Path]) -> None:
    tensorflow = os.environ.get("EDGERETRAIN_TENSORFLOW_PYTHON")
    if tensorflow is None:
        pytest.importorskip("tensorflow")
        tensorflow = sys.executable
    found = benchmark.starts(run.model("int8"), run.out / "labels.txt", jpegs[0], tensorflow, rounds=3)
    ours, theirs = found.values()
    assert ours / theirs <= benchmark.LABEL_IMAGE_ASKED, found
