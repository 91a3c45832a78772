"""`edgeretrain export android`."""

import json
from collections.abc import Callable
from pathlib import Path

from cli.conftest import Run

Refused = Callable[..., str]


def test_it_lists_what_it_put_where(cli: Run, run_folder: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "assets", run_folder / "model.int8.tflite"
    size = model.stat().st_size
    what = f"{model} -> {out / 'run-int8.tflite'} (mobilenet_v2_100_224, int8, 2 labels, {size:,} bytes"
    assert cli("export", "android", model, "--out", out).succeeds().out == f"{what})\n"
    assert (out / "run-int8.tflite").read_bytes() == model.read_bytes()
    assert cli("export", "android", model, "--out", out).succeeds().out == f"{what}; replaced)\n"


def test_json(cli: Run, run_folder: Path, tmp_path: Path) -> None:
    models = [run_folder / f"model.{precision}.tflite" for precision in ("float32", "int8")]
    answer = json.loads(cli("export", "android", *models, "-o", tmp_path / "assets", "--json").succeeds().out)
    assert [asset["file"] for asset in answer] == [
        str(tmp_path / "assets" / f"run-{precision}.tflite") for precision in ("float32", "int8")
    ]
    assert answer[1] == {
        "model": str(models[1]),
        "file": str(tmp_path / "assets" / "run-int8.tflite"),
        "preset": "mobilenet_v2_100_224",
        "precision": "int8",
        "size": 224,
        "labels": 2,
        "bytes": models[1].stat().st_size,
        "replaced": False,
    }


def test_what_cannot_be_exported(refused: Refused, run_folder: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.tflite"
    text.write_text("no model")
    model, out = run_folder / "model.int8.tflite", ("--out", tmp_path / "assets")
    backbone = Path(__file__).parents[2] / "models" / "mobilenet_v2_100_224.int8.tflite"
    refused("export", "android", text, *out, says=(str(text), "not a TFLite model"))
    refused("export", "android", tmp_path / "none.tflite", *out, says=("none.tflite", "cannot be read"))
    refused("export", "android", model, backbone, *out, says=(str(backbone), "`edgeretrain retrain`"))
    refused("export", "android", model, model, *out, says=("the same model", "Give each model once"))
    refused("export", "android", model, "--out", text, says=(str(text), "not a folder"))
    refused("export", "android", model, says=("--out", "edgeretrain export android --help"), code=2)
    refused("export", "android", *out, says=("MODEL",), code=2)
