"""`edgeretrain retrain`: what it writes and prints. What it refuses is in test_bad_input.py."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.plain import retrain

from cli.conftest import Run, command, make_photos, snapshot
from edgeretrain.options import Options


def test_the_run_folder(cli: Run, photo_folder: Path, tmp_path: Path) -> None:
    ended = cli("retrain", photo_folder, "--out", tmp_path / "run", "--precision", "all").succeeds()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        *("labels.txt", "report.json", "report.html", "manifest.json"),
        *(f"model.{precision}.tflite" for precision in ("float32", "float16", "dynamic", "int8")),
        *(f"bottlenecks.{precision}.npz" for precision in ("float32", "float16", "dynamic", "int8")),
    }
    for model in (tmp_path / "run").glob("*.tflite"):
        assert f"{model.stat().st_size:,}" in ended.out
    assert ended.out.splitlines()[-1] == f"Models and report: {tmp_path / 'run' / 'report.html'}"
    assert "Bottlenecks: 12 of 12" in ended.err
    assert "Tested on 2 photos that no model was trained on (8 for training, 2 for validation" in ended.out


def test_the_command_line_and_python_give_the_same_bytes(cli: Run, photo_folder: Path, tmp_path: Path) -> None:
    ended = cli("retrain", photo_folder, "--out", tmp_path / "one", "--quiet", "--json").succeeds()
    report = retrain(photo_folder, tmp_path / "other", options=Options(validation_percentage=10))
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "other")
    assert json.loads(ended.out) == report == json.loads((tmp_path / "one" / "report.json").read_text("utf-8"))


def test_neither_place_nor_cores_nor_order_change_a_byte(cli: Run, photo_folder: Path, tmp_path: Path) -> None:
    """Moved elsewhere, written in another order, on one thread, from an empty cache."""
    moved = tmp_path / "moved"
    for photo in sorted(photo_folder.rglob("*.png"), reverse=True):
        copy = moved / photo.relative_to(photo_folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(photo.read_bytes())
        os.utime(copy, (0, 0))
    cli("retrain", photo_folder, "-o", tmp_path / "one", "-q").succeeds()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGERETRAIN_CACHE", str(tmp_path / "cache"))
        cli("retrain", moved, "-o", tmp_path / "other", "-q", "--workers", 1).succeeds()
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "other")


def test_precisions_in_any_order_and_twice(cli: Run, photo_folder: Path, tmp_path: Path) -> None:
    given = ("-p", "int8", "-p", "float32", "-p", "int8")
    report = json.loads(cli("retrain", photo_folder, "-o", tmp_path / "run", "-q", "--json", *given).succeeds().out)
    assert [model["precision"] for model in report["models"]] == ["float32", "int8"]


def test_a_new_run_replaces_the_old_one(cli: Run, photo_folder: Path, tmp_path: Path) -> None:
    cli("retrain", photo_folder, "-o", tmp_path / "run", "-q").succeeds()
    cli("retrain", photo_folder, "-o", tmp_path / "run", "-q", "-p", "float16").succeeds()
    assert [path.name for path in (tmp_path / "run").glob("*.tflite")] == ["model.float16.tflite"]


def test_every_option_is_in_the_report(cli: Run, photo_folder: Path, tmp_path: Path) -> None:
    arguments = (
        *("--fit", "crop", "--validation-percentage", "20", "--testing-percentage", "30", "--class-weight", "none"),
        *("--how-many-training-steps", "50", "--learning-rate", "0.02", "--train-batch-size", "7", "--seed", "3"),
        *("--flip-left-right", "--preset", "mobilenet_1.0_224", "-p", "int8"),
    )
    ended = cli("retrain", photo_folder, "-o", tmp_path / "run", "-q", "--json", *arguments).succeeds()
    report = json.loads(ended.out)
    assert report["preset"] == "mobilenet_v1_100_224"
    assert report["options"] == {
        **{"fit": "crop", "validation_percentage": 20.0, "testing_percentage": 30.0, "class_weight": "none"},
        **{"flip_left_right": True, "seed": 3, "sgd": {"steps": 50, "learning_rate": 0.02, "batch_size": 7}},
    }


def test_quiet_says_nothing_on_stderr(cli: Run, photo_folder: Path, tmp_path: Path) -> None:
    assert cli("retrain", photo_folder, "-o", tmp_path / "run", "-q", "-p", "int8").succeeds().err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_bars_on_a_terminal(photo_folder: Path, tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    given = command("retrain", photo_folder, "-o", tmp_path / "run", "-p", "int8")
    child = subprocess.Popen(given, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # Linux' end of file
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)
    assert child.wait() == 0
    assert "Head mobilenet_v2_100_224 int8" in shown.decode()
    assert "12/12" in shown.decode()


def test_the_default_run_folder(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_photos(tmp_path / "elsewhere" / "my flowers")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    cli("retrain", "../elsewhere/my flowers", "-q", "-p", "int8").succeeds()
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["my flowers-run"]


def test_the_bottleneck_chosen_by_the_photos(cli: Run, photo_folder: Path, tmp_path: Path) -> None:
    ended = cli("retrain", photo_folder, "-o", tmp_path / "run", "-q", "--bottleneck", "auto").succeeds()
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    shown = ended.out[ended.out.index("bottleneck of") :]
    assert "Tried in 5 folds of 10 photos" in shown
    for model in report["models"]:
        choice = model["backbone"]["bottleneck_choice"]
        assert model["precision"] in shown
        for candidate in choice["candidates"]:
            assert f" {candidate['length']:,} " in shown
            assert f" {candidate['log_loss']:.3f} " in shown
    assert sum(line.endswith("taken") for line in (line.strip() for line in shown.splitlines())) == 2


def test_inner_layers_as_asked_for(cli: Run, photo_folder: Path, tmp_path: Path) -> None:
    given = ("-q", "-p", "int8", "--bottleneck", "multi", "--json")
    report = json.loads(cli("retrain", photo_folder, "-o", tmp_path / "run", *given).succeeds().out)
    assert len(report["models"][0]["backbone"]["inner_layers"]) == 11
    inspected = json.loads(cli("inspect", tmp_path / "run" / "model.int8.tflite", "--json").succeeds().out)
    assert inspected["card"]["backbone"] == report["models"][0]["backbone"]
    told = cli("evaluate", tmp_path / "run" / "model.int8.tflite", photo_folder, "--json").succeeds()
    assert json.loads(told.out)["photos"] == 12


def test_a_folder_that_is_split_already(cli: Run, photo_folder: Path, tmp_path: Path) -> None:
    for part in ("train", "test"):
        shutil.copytree(photo_folder, tmp_path / "split" / part)
    for number, photo in enumerate(sorted((tmp_path / "split" / "test").rglob("*.png"))):
        if number % 3:
            photo.unlink()
    out = cli("retrain", tmp_path / "split", "-o", tmp_path / "run", "-p", "int8", "--quiet").succeeds().out
    assert "The photos are split already, and used so: train/ (12), test/ (4). The" in " ".join(out.split())
    assert "Test photos that are also among the training photos: 4" in " ".join(out.split())
    ended = cli("evaluate", tmp_path / "run" / "model.int8.tflite", tmp_path / "split").succeeds()
    assert ended.out.startswith("4 photos: top-1 ")
    assert "Evaluated on its 4 test photos only." in ended.out
    options = ("--layout", "classes", "-o", tmp_path / "other", "-p", "int8", "--quiet")
    cli("retrain", tmp_path / "split", *options).succeeds()
    assert (tmp_path / "other" / "labels.txt").read_text().split() == ["test", "train"]
    own = ("--test", tmp_path / "split" / "test", "--testing-percentage", "0")
    out = cli("retrain", photo_folder, *own, "-o", tmp_path / "own", "-p", "int8", "--quiet").succeeds().out
    assert "Tested on 4 photos" in out
