"""`edgeretrain backbone build`, `list` and `path`."""

import json
import shutil
from pathlib import Path

import pytest

from cli.conftest import Run
from edgeretrain.paths import bundled_folder


def test_path(cli: Run) -> None:
    ended = cli("backbone", "path", "mobilenet_v2_100_224", "--precision", "int8").succeeds()
    assert ended.out == f"{bundled_folder() / 'mobilenet_v2_100_224.int8.tflite'}\n"
    assert cli("backbone", "path").succeeds().out.endswith("mobilenet_v2_100_224.float32.tflite\n")


def test_path_of_what_is_not_here(cli: Run) -> None:
    cli("backbone", "path", "mobilenet_v2_035_96").fails(
        "mobilenet_v2_035_96 in float32 is neither bundled nor in the cache",
        "edgeretrain backbone build mobilenet_v2_035_96",
    )
    cli("backbone", "path", "-p", "all").fails(
        "'--precision' / '-p': 'all' is not one of 'float32', 'float16', 'dynamic', 'int8'"
    )
    cli("backbone", "path", "resnet").fails("no preset 'resnet'", "edgeretrain presets")


def test_list_tells_what_is_damaged(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path))
    (tmp_path / "backbones").mkdir()
    for suffix in ("tflite", "json"):
        name = f"mobilenet_v1_100_224.int8.{suffix}"
        shutil.copy(bundled_folder() / name, tmp_path / "backbones" / name)
    listed = json.loads(cli("backbone", "list", "--json").succeeds().out)
    assert sum(backbone["origin"] == "bundled" for backbone in listed) == 6
    assert [backbone["fault"] for backbone in listed] == [""] * 7
    cached = tmp_path / "backbones" / "mobilenet_v1_100_224.int8.tflite"
    cached.write_bytes(cached.read_bytes()[:1000])
    lines = cli("backbone", "list").succeeds().out.splitlines()
    (damaged,) = (line for line in lines if "DAMAGED" in line)
    assert damaged.split()[:4] == ["mobilenet_v1_100_224", "int8", "cached", "1,000"]


def test_build_is_refused_before_any_work(cli: Run, tmp_path: Path) -> None:
    cli("backbone", "build", "resnet").fails("no preset 'resnet'")
    cli("backbone", "build", "mobilenet_v2_100_224", "-p", "int9").fails("no precision 'int9'")


@pytest.mark.slow
def test_build_from_what_is_no_weight_file(cli: Run, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    text = tmp_path / "weights.h5"
    text.write_text("not weights")
    out = ("--out", tmp_path / "out", "-q")
    cli("backbone", "build", "mobilenet_v2_035_96", "--weights", text, *out).fails(
        "weights.h5: not a Keras weight file", "Give --weights a Keras .h5 file"
    )
    cli("backbone", "build", "mobilenet_v2_035_96", "--weights", tmp_path / "no.h5", *out).fails("no.h5: no such")
    assert not (tmp_path / "out").exists()


def test_class_scores_of_what_has_none_are_refused(cli: Run, tmp_path: Path) -> None:
    build, retrain = ("backbone", "build"), ("retrain", tmp_path)
    for command in ((*build, "mobilenet_v2_035_96"), (*retrain, "--preset", "nasnet_mobile")):
        cli(*command, "--bottleneck", "logits").fails("--bottleneck logits is for MobileNet V1")
        refusal = cli(*command, "--bottleneck", "scores").fails("'--bottleneck': 'scores' is not one of 'features'")
        assert "'logits'" in refusal
    cli(*build, "mine", "--from", "net.keras", "--bottleneck", "logits").fails("--bottleneck logits is for presets")
    cli(*retrain, "--backbone", "a.tflite", "--bottleneck", "logits").fails("--bottleneck logits is for presets")
