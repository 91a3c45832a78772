"""Fine-tuning as a whole: photos to tuned models, killed and run again, and what it refuses."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.plain import retrain

from edgeretrain.backbone import find_backbone, find_backbones
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.fingerprint import sha256
from edgeretrain.fine_tuning import FineTuning
from edgeretrain.fine_tuning import tune as module
from edgeretrain.fine_tuning.training import best_epoch
from edgeretrain.head.sgd import Sgd
from edgeretrain.options import Options
from edgeretrain.precision import PRECISIONS
from edgeretrain.records.json_form import from_json
from edgeretrain.records.training import EpochRecord
from fine_tuning.conftest import LAYERS, PRESET

TUNING = FineTuning(layers=3, epochs=3, batch_size=16, learning_rate=3e-4, augmentation=0.2, soup=2)
OWN = FineTuning(epochs=4, batch_size=16, learning_rate=3e-3, distill_from=(), soup=1)
ARGUMENTS = (
    *("--fine-tune", "3", "--epochs", "3", "--train-batch-size", "16", "--learning-rate", "0.0003"),
    *("--augmentation", "0.2", "--soup", "2", "-p", "float32"),
)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache that only these tests use."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGERETRAIN_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def tuned(textures: Path, weights: Path, home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A run folder with fine-tuned models, and its report."""
    out = tmp_path_factory.mktemp("tuned") / "run"
    return out, retrain(textures, out, preset=PRESET, precisions=["float32"], fine_tune=TUNING)


# What it writes


@pytest.mark.tensorflow
def test_the_report(tuned: tuple[Path, Any]) -> None:
    out, report = tuned
    assert json.loads((out / "report.json").read_text("utf-8")) == json.loads(json.dumps(report))
    told = report["fine_tuning"]
    assert told["options"] == {
        **{"layers": 3, "epochs": 3, "learning_rate": 0.0003, "batch_size": 16, "warm_up": 1.0, "patience": 12},
        **{"augmentation": 0.2, "mixup": TUNING.mixup, "mirror": True, "label_smoothing": TUNING.label_smoothing},
        **{"distill_from": ["mobilenet_v2_100_224", "mobilenet_v1_100_224"], "distillation": 0.7, "soup": 2},
    }
    teachers = {one["preset"]: one["sha256"] for one in told["distillation"]["backbones"]}
    assert list(teachers) == list(TUNING.distill_from)
    (own,) = find_backbones("mobilenet_v1_100_224", ["float32"])
    assert teachers["mobilenet_v1_100_224"] == own.digest
    assert 0.5 < told["distillation"]["validation_top1"] <= 1
    assert [one["seed"] for one in told["trainings"]] == [0, 1]
    for training in told["trainings"]:
        assert [one["epoch"] for one in training["history"]] == [0, 1, 2, 3]
        learnt = [one["training_loss"] for one in training["history"][1:]]
        assert min(learnt[1:]) < learnt[0]
        history = [from_json(EpochRecord, epoch) for epoch in training["history"]]
        assert training["best_epoch"] == best_epoch(history) > 0
    one, other = (training["history"] for training in told["trainings"])
    assert one[0] == other[0]
    assert one[1] != other[1]
    assert told["averaged"] == [0, 1]
    losses = (one[0]["validation_log_loss"], told["validation_log_loss"])
    for model in report["models"]:
        assert model["frozen"]["evaluation"]["photos"] == model["evaluation"]["photos"]
        # The frozen model's head was chosen by the same photos as epoch 0's.
        assert model["head"]["validation_log_loss"] < model["frozen"]["head"]["validation_log_loss"]
    assert report["models"][0]["frozen"]["head"]["validation_log_loss"] == pytest.approx(losses[0], abs=2e-3)
    assert report["models"][0]["head"]["validation_log_loss"] == pytest.approx(losses[1], abs=2e-3)


@pytest.mark.tensorflow
def test_the_backbone_says_how_it_was_tuned(tuned: tuple[Path, Any]) -> None:
    from edgeretrain.tflite.package import read_package

    out, report = tuned
    for model in report["models"]:
        card = read_package(out / model["file"]).card["backbone"]
        assert card == model["backbone"]
        told = card["fine_tuned"]
        assert "licence" in card["weights"]
        trainings = report["fine_tuning"]["trainings"]
        assert told["layers"] == 3
        assert told["averaged"] == [{key: one[key] for key in ("seed", "best_epoch")} for one in trainings]
    page = (out / "report.html").read_text("utf-8")
    assert "the weights of these trainings, after their best epochs" in page
    assert "It also learnt what mobilenet_v2_100_224 and mobilenet_v1_100_224 make of the training photos" in page


@pytest.mark.tensorflow
def test_nothing_is_left_behind(tuned: tuple[Path, Any], home: Path) -> None:
    out, _ = tuned
    files = {"model.float32.tflite", "bottlenecks.float32.npz", "labels.txt", "report.json", "report.html"}
    files |= {"manifest.json"}
    assert {path.name for path in out.iterdir()} == files
    assert list((home / "fine_tuning").iterdir()) == []


@pytest.mark.tensorflow
def test_teach_goes_on_from_it(tuned: tuple[Path, Any], tmp_path: Path) -> None:
    from support.plain import teach

    out, report = tuned
    taught = teach(out, tmp_path / "taught", remove=["dots"])
    assert [model["backbone"] for model in taught["models"]] == [model["backbone"] for model in report["models"]]
    assert taught["photos"]["labels"] == ["checks", "stripes"]


@pytest.mark.slow
def test_int8_is_calibrated_on_training_photos(textures: Path, weights: Path, home: Path, tmp_path: Path) -> None:
    report = retrain(textures, tmp_path / "run", preset=PRESET, precisions=["int8"], fine_tune=TUNING)
    (model,) = report["models"]
    trained = sum(report["photos"]["training"].values())
    assert model["backbone"]["calibration"]["source"] == "training photos"
    assert model["backbone"]["calibration"]["photos"] == min(trained, 56)
    assert model["head"]["temperature"] > 0


# Again, killed, in vain


@pytest.mark.tensorflow
@pytest.mark.parametrize("training", [0, 1])
def test_killed_and_run_again_it_writes_the_same_bytes(
    tuned: tuple[Path, Any], textures: Path, home: Path, tmp_path: Path, training: int
) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "edgeretrain", "retrain", str(textures), "--preset", PRESET, "-o", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(Path(module.__file__).parents[2])}
    child = subprocess.Popen([*command, *ARGUMENTS, "-q"], env=environment)
    try:
        while not (states := list(home.glob(f"fine_tuning/*/training{training}.npz"))):
            assert child.poll() is None, "it ended before it wrote a state"
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    assert not out.exists()
    at_kill = states[0].read_bytes()
    ended = subprocess.run([*command, *ARGUMENTS], env=environment, capture_output=True, text=True, check=True)
    assert at_kill
    assert digests(out) == digests(tuned[0])
    assert list((home / "fine_tuning").iterdir()) == []
    assert "frozen" in ended.stdout
    assert "Traceback" not in ended.stderr


@pytest.mark.tensorflow
def test_when_tuning_is_in_vain_the_models_are_the_frozen_ones(
    textures: Path, weights: Path, home: Path, tmp_path: Path
) -> None:
    ruin = FineTuning(layers=3, epochs=1, warm_up=0, batch_size=16, learning_rate=0.9, distill_from=(), soup=2)
    report = retrain(textures, tmp_path / "tuned", preset=PRESET, precisions=["float32"], fine_tune=ruin)
    assert report["fine_tuning"]["averaged"] == []
    assert "distillation" not in report["fine_tuning"]
    retrain(textures, tmp_path / "frozen", preset=PRESET, precisions=["float32"])
    files = ("model.float32.tflite", "bottlenecks.float32.npz")
    one, other = (digests(tmp_path / folder) for folder in ("tuned", "frozen"))
    assert [one[file] for file in files] == [other[file] for file in files]
    assert "did not beat the frozen backbone" in (tmp_path / "tuned" / "report.html").read_text("utf-8")


@pytest.mark.tensorflow
def test_too_many_layers_are_refused_before_the_work(textures: Path, weights: Path, home: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match=f"up to {LAYERS}"):
        retrain(textures, tmp_path / "run", preset=PRESET, fine_tune=FineTuning(layers=53))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.tensorflow
def test_a_file_of_the_users_own_learns(textures: Path, small_backbone: Path, home: Path, tmp_path: Path) -> None:
    own = tmp_path / "theirs.tflite"
    shutil.copy(small_backbone, own)
    report = retrain(textures, tmp_path / "run", precisions=["float32"], backbone=own, fine_tune=OWN)
    (model,) = report["models"]
    assert report["fine_tuning"]["averaged"] == [0]
    assert model["backbone"]["sha256"] != sha256(own)
    assert model["backbone"]["source"] == {"kind": "TFLite file", "file": "theirs.tflite", "sha256": sha256(own)}
    assert model["backbone"]["fine_tuned"]["layers"] == "all"


@pytest.mark.slow
def test_a_backbone_from_elsewhere_learns_in_all_precisions(
    textures: Path, small_backbone: Path, home: Path, tmp_path: Path
) -> None:
    from edgeretrain.backbone.source import SourceOverrides
    from edgeretrain.importers.build import build_from_source

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGERETRAIN_CACHE", str(tmp_path))
        overrides = SourceOverrides(scaling=Scaling.between(0, 255))
        build_from_source(
            "elsewhere",
            str(small_backbone),
            PRECISIONS,
            overrides=overrides,
            calibration=None,
            out=tmp_path / "backbones",
        )
        report = retrain(textures, tmp_path / "run", preset="elsewhere", precisions=PRECISIONS, fine_tune=OWN)
        frozen = {one: find_backbone("elsewhere", one).digest for one in PRECISIONS}
    assert report["fine_tuning"]["averaged"] == [0]
    assert [model["precision"] for model in report["models"]] == list(PRECISIONS)
    for model in report["models"]:
        assert model["backbone"]["source"]["kind"] == "TFLite file"
        (training,) = model["backbone"]["fine_tuned"]["averaged"]
        assert training["best_epoch"] == report["fine_tuning"]["trainings"][0]["best_epoch"]
        assert model["backbone"]["sha256"] != frozen[model["precision"]]


# What it refuses without TensorFlow


@pytest.fixture
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeretrain.backbone.tensorflow_extra.tensorflow_available", lambda: False)


def test_without_tensorflow_the_extra_is_named(no_tensorflow: None, textures: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match=r'pip install "edgeretrain\[tensorflow\]"'):
        retrain(textures, tmp_path / "run", fine_tune=TUNING)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_integers_cannot_be_tuned(textures: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match=r"^own\.tflite cannot be fine-tuned: only float32 weights can be"):
        retrain(textures, tmp_path / "run", precisions=["int8"], backbone="own.tflite", fine_tune=TUNING)


def test_an_unknown_backbone_to_distill_from_is_refused_before_the_work(textures: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match="mobilenet_v2_100_2244"):
        retrain(textures, tmp_path / "run", fine_tune=FineTuning(distill_from=("mobilenet_v2_100_2244",)))
    assert list(tmp_path.iterdir()) == []


def test_a_head_by_gradient_descent_is_something_else(textures: Path, tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match=r"^--how-many-training-steps .* cannot be combined with --fine-tune"):
        retrain(textures, tmp_path / "run", options=Options(sgd=Sgd()), fine_tune=TUNING)
