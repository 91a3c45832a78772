"""sweep.json as a record and back."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.garden import Run

from edgeretrain.records.json_form import from_json, to_json
from edgeretrain.records.sweep import Sweep
from edgeretrain.sweep import Budget, sweep

pytest.importorskip("ai_edge_litert")
PUBLISHED = Path(__file__).parents[2] / "results" / "flower_photos.json"


def read_back(plain: dict[str, Any]) -> Sweep:
    """The sweep as a record, which is written as it was."""
    record = from_json(Sweep, plain)
    written = to_json(record)
    assert written == {"schema": 1, **plain}
    assert list(written) == list({"schema": 1, **plain})
    for candidate, again in zip(plain["candidates"], json.loads(json.dumps(written))["candidates"], strict=True):
        assert list(again) == list(candidate)
        if candidate["latency"]:
            assert list(again["latency"]) == list(candidate["latency"])
    return record


def test_a_sweep_that_is_measured(run: Run, tmp_path: Path) -> None:
    sweep(run.photos, tmp_path / "sweep", presets=["mobilenet_v2_100_224"], precisions=["int8"])
    record = read_back(json.loads((tmp_path / "sweep" / "sweep.json").read_text("utf-8")))
    (candidate,) = record.candidates
    assert candidate.latency is not None and candidate.latency.inference_ms.median == candidate.latency_ms
    assert record.latency is not None and record.latency.where == "this machine"
    assert record.pick is not None and record.nearest is None
    assert candidate.front.size and candidate.front.latency and candidate.misses == ()


def test_a_sweep_with_failures_that_keeps_no_budget(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeretrain.backbone.tensorflow_extra.tensorflow_available", lambda: False)
    presets, budget = ["mobilenet_v2_100_224", "mobilenet_v1_025_128"], Budget(max_size=1000, min_accuracy=1.0)
    sweep(run.photos, tmp_path / "sweep", presets=presets, precisions=["int8"], latency=False, budget=budget)
    record = read_back(json.loads((tmp_path / "sweep" / "sweep.json").read_text("utf-8")))
    assert (record.latency, record.pick, record.budget.max_size) == (None, None, 1000)
    assert record.nearest is not None and record.nearest.precision == "int8"
    assert record.candidates[0].misses[0].budget == "max_size"
    assert [(failure.preset, failure.precision, failure.stage) for failure in record.failed] == [
        ("mobilenet_v1_025_128", None, "backbone")
    ]


@pytest.mark.skipif(not PUBLISHED.exists(), reason="there is no results folder here (an installed package)")
def test_the_published_sweep() -> None:
    record = read_back(json.loads(PUBLISHED.read_text("utf-8")))
    assert len(record.candidates) == 40
