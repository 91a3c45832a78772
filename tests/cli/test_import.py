"""`edgeretrain import` on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.old_graphs import poets_graph, write

from cli.conftest import Refused, Run


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file that stands for a graph, and its labels beside it."""
    (tmp_path / "labels.txt").write_text("roses\ntulips\ndaisy\n")
    path = tmp_path / "output_graph.pb"
    path.write_bytes(b"no graph")
    return path


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        ([], ("--labels",), 2),
        (["--labels", "gone.txt"], ("gone.txt", "cannot be read"), 1),
        (["--labels", "labels.txt", "--precision", "int4"], ("int4", "float32"), 1),
        (["--labels", "labels.txt", "--scale", "bright"], ("--scale 'bright'", "0..1"), 1),
        (["--labels", "labels.txt", "--size", "7"], ("--size",), 1),
    ],
)
def test_options_that_cannot_be(
    arguments: list[str], says: tuple[str, ...], code: int, old: Path, refused: Refused, monkeypatch: Any
) -> None:
    monkeypatch.chdir(old.parent)
    refused("import", old, *arguments, says=says, code=code)


def test_a_graph_that_is_not_there(old: Path, refused: Refused) -> None:
    old.unlink()
    refused("import", old, "--labels", old.with_name("labels.txt"), says=("output_graph.pb", "no such file"))


@pytest.mark.tensorflow
def test_no_graph(old: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    monkeypatch.chdir(old.parent)
    refused(
        "import", old, "--labels", "labels.txt", "--quiet", says=("output_graph.pb", "is not a frozen TensorFlow graph")
    )


@pytest.mark.tensorflow
def test_import_and_then_classify(old: Path, cli: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    monkeypatch.chdir(old.parent)
    write(poets_graph(), old)
    command = ("import", old, "--labels", "labels.txt", "--precision", "float32,int8", "--quiet")
    lines = cli(*command).succeeds().out.splitlines()
    assert lines[0] == "Input: input:0, 32 pixels, values -1..1 (as slim's MobileNet is trained)."
    assert lines[1].startswith("Head: MobilenetV1/Logits/Conv2d_1c_1x1/convolution and final_training_ops/")
    assert lines[2].startswith(str(Path("output_graph-imported") / "model.float32.tflite"))
    assert "same label as the graph for 16 of 16 photos" in lines[2]
    assert lines[4] == f"Next: edgeretrain evaluate {Path('output_graph-imported') / 'model.int8.tflite'} PHOTOS"
    told = cli("classify", "output_graph-imported/model.int8.tflite", photos / "grass" / "0.png").succeeds().out
    assert any(label in told for label in ("roses", "tulips", "daisy"))

    done = json.loads(cli(*command, "--json", "--out", "again").succeeds().out)
    assert (done["out"], done["labels"]) == ("again", ["roses", "tulips", "daisy"])
    assert [model["precision"] for model in done["models"]] == ["float32", "int8"]
    assert done["models"][0]["difference"] < 1e-4
