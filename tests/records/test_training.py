"""report.json as a record and back: of every kind of run, nothing is lost and nothing is added but the schema."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.garden import Run

from edgeretrain.backbone import find_backbone
from edgeretrain.fine_tuning import FineTuning
from edgeretrain.head.sgd import Sgd
from edgeretrain.options import Options
from edgeretrain.records.json_form import RecordError, from_json, to_json
from edgeretrain.records.training import BlendedHead, LogisticHead, Report, SgdHead
from edgeretrain.training.retrain import retrain

FINE_TUNED = Path(__file__).with_name("fine_tuned_report.json")
"""Written by `retrain(textures, fine_tune=TUNING)` of tests/fine_tuning/test_fine_tuned_run.py."""


def read_back(plain: dict[str, Any]) -> Report:
    """The report as a record, which is written as it was."""
    report = from_json(Report, plain)
    written = to_json(report)
    assert written == {"schema": 1, **plain}
    assert list(written) == list({"schema": 1, **plain})
    for model, again in zip(plain["models"], json.loads(json.dumps(written))["models"], strict=True):
        assert list(again) == list(model)
        assert list(again["head"]) == list(model["head"])
        assert list(again["evaluation"]) == list(model["evaluation"])
    return report


def in_folder(run: Path) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads((run / "report.json").read_text("utf-8"))
    return plain


def test_a_retrain(run: Run) -> None:
    report = read_back(in_folder(run.out))
    assert (report.preset, report.options, report.taught, report.fine_tuning) == (
        "mobilenet_v2_100_224",
        Options(),
        None,
        None,
    )
    assert [model.precision for model in report.models] == ["float32", "float16", "dynamic", "int8"]
    int8 = report.models[-1]
    assert isinstance(int8.head, LogisticHead) and 0 < int8.head.validation_top1 <= 1
    assert int8.bytes == run.model("int8").stat().st_size
    assert int8.backbone.calibration is not None and int8.backbone.calibration.photos == 56
    assert int8.evaluation.photos == sum(report.photos.testing.values())
    assert (int8.known, int8.frozen) == (None, None)


def test_a_teach(taught: Run) -> None:
    report = read_back(in_folder(taught.out))
    assert report.taught is not None and report.taught.added == {"dots": 24} and report.taught.removed == {}
    for model in report.models:
        assert model.known is not None
        assert [known.label for known in model.known.classes] == ["checks", "stripes"]


def test_a_head_by_gradient_descent_on_a_backbone_without_a_card(run: Run, tmp_path: Path) -> None:
    backbone = shutil.copy(find_backbone("mobilenet_v2_100_224", "int8").path, tmp_path / "mine.tflite")
    options = Options(sgd=Sgd(steps=20), seed=3)
    retrain(run.photos, tmp_path / "run", backbone=backbone, precisions=["int8"], options=options)
    report = read_back(in_folder(tmp_path / "run"))
    assert (report.preset, report.options) == (None, options)
    (model,) = report.models
    assert isinstance(model.head, SgdHead) and (model.head.steps, model.head.batch_size) == (20, 100)
    assert model.backbone.weights is None and model.backbone.converter is None


def test_a_fine_tuned_run() -> None:
    report = read_back(json.loads(FINE_TUNED.read_text("utf-8")))
    record = report.fine_tuning
    assert record is not None and record.distillation is not None
    assert [backbone.preset for backbone in record.distillation.backbones] == list(record.options.distill_from)
    assert [training.history[0].training_loss for training in record.trainings] == [None, None]
    (model,) = report.models
    assert isinstance(model.head, BlendedHead) and model.head.temperature > 1
    assert model.frozen is not None and isinstance(model.frozen.head, LogisticHead)
    assert model.frozen.evaluation.photos == model.evaluation.photos
    assert model.backbone.fine_tuned is not None
    assert [training.best_epoch for training in model.backbone.fine_tuned.averaged] == [3, 3]


def test_fine_tuning_that_came_to_nothing_and_learnt_from_nobody() -> None:
    plain = json.loads(FINE_TUNED.read_text("utf-8"))
    plain["fine_tuning"]["averaged"] = []
    del plain["fine_tuning"]["distillation"]
    plain["fine_tuning"]["options"] |= {"layers": "all", "distill_from": []}
    for model in plain["models"]:
        del model["frozen"], model["backbone"]["fine_tuned"]
    record = read_back(plain).fine_tuning
    assert record is not None
    assert (record.options.layers, record.averaged, record.distillation) == ("all", (), None)


def test_an_imported_backbone() -> None:
    plain = json.loads(FINE_TUNED.read_text("utf-8"))
    source = {"kind": "SavedModel", "handle": "https://tfhub.dev/x", "layer": "pool:0", "signature": "default"}
    plain["models"][0]["backbone"] = {"sha256": "0" * 64, "source": source}
    assert read_back(plain).models[0].backbone.source == source


def test_a_damaged_report() -> None:
    plain = json.loads(FINE_TUNED.read_text("utf-8"))
    del plain["models"][0]["evaluation"]["confusion"]
    with pytest.raises(RecordError, match=r"models\[0\]\.evaluation\.confusion is missing"):
        from_json(Report, plain)


def test_the_options_of_fine_tuning() -> None:
    options = FineTuning(layers=3, distill_from=("mine",), soup=1)
    assert from_json(FineTuning, json.loads(json.dumps(to_json(options)))) == options
