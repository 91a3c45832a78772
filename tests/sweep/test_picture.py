"""The picture beside a sweep's page, and those of earlier sweeps."""

from pathlib import Path

import pytest
from support.garden import Run
from support.plain import sweep

from edgeretrain.files.manifest import list_files

FILES = ("pareto.svg", "pareto.png")


def test_a_sweep_writes_its_picture_and_removes_the_earlier_ones(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeretrain.backbone.tensorflow_extra.tensorflow_available", lambda: False)
    for name in FILES:
        (tmp_path / name).write_text("of an earlier sweep")
    list_files(tmp_path, FILES)
    sweep(run.photos, tmp_path, presets=["mobilenet_v2_100_224"], precisions=["int8"], latency=False)
    assert "1 model on" in (tmp_path / "pareto.svg").read_text(encoding="utf-8")
    assert not (tmp_path / "pareto.png").exists()
    # No model, no picture.
    sweep(run.photos, tmp_path, presets=["mobilenet_v1_025_128"], precisions=["int8"], latency=False)
    assert not any((tmp_path / name).exists() for name in FILES)
