"""`edgeretrain teach`: how its command line is read, where it writes, what it prints."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Refused, Run, make_photos, snapshot
from edgeretrain.cli.teach import free_folder, parse_added
from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.package import read_package

pytest.importorskip("ai_edge_litert")


@pytest.fixture
def earlier(run_folder: Path, tmp_path: Path) -> Path:
    """A run in int8 on bricks and grass whose photos are elsewhere."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("model.int8.tflite", "bottlenecks.int8.npz", "labels.txt", "report.json", "report.html"):
        shutil.copy(run_folder / name, folder)
    return folder


@pytest.fixture
def sand(tmp_path: Path) -> Path:
    """Six blue photos."""
    return make_photos(tmp_path / "new", labels=("-", "-2", "sand")).joinpath("sand")


def test_the_line_of_the_issue(cli: Run, earlier: Path, sand: Path) -> None:
    before = snapshot(earlier)
    ended = cli("teach", earlier, "--add", "sand", sand).succeeds()
    out = earlier.with_name("run-taught")
    assert snapshot(earlier) == before
    assert {path.name for path in out.iterdir()} == {path.name for path in earlier.iterdir()} | {"manifest.json"}
    assert read_package(out / "model.int8.tflite").labels == ("bricks", "grass", "sand")
    lines = ended.out.splitlines()
    assert lines[0] == "Added sand (6 photos)."
    assert lines[-1] == f"Models and report: {out / 'report.html'}"
    assert any(line.split() == ["bricks", "1", "100.0", ">", "100.0"] for line in lines)
    assert "Tested on 3 photos that no model was trained on" in ended.out


def test_a_folder_beside_the_earlier_one_that_is_free(cli: Run, earlier: Path, sand: Path) -> None:
    cli("teach", "--add", "sand", earlier / "model.int8.tflite", *sorted(sand.iterdir()), "-q").succeeds()
    taught = earlier.with_name("run-taught")
    ended = cli("teach", taught, "--remove", "sand", "--json", "-q").succeeds()
    report = json.loads((earlier.with_name("run-taught-2") / "report.json").read_text("utf-8"))
    assert json.loads(ended.out) == report
    assert report["taught"] == {"added": {}, "removed": {"sand": 6}}
    assert free_folder(taught) == earlier.with_name("run-taught-3")


def test_the_earlier_folder_itself(cli: Run, earlier: Path, sand: Path) -> None:
    cli("teach", earlier, "--add", f"sand={sand}", "--out", earlier, "--quiet").succeeds()
    assert read_package(earlier / "model.int8.tflite").labels == ("bricks", "grass", "sand")


def test_the_folder_that_one_stands_in(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(earlier)
    assert free_folder(Path()).resolve() == earlier.with_name("run-taught")


@pytest.mark.parametrize(
    ("classes", "photos", "added"),
    [
        ([], [], {}),
        (["a"], ["p", "q"], {"a": ["p", "q"]}),
        (["a=b"], ["p"], {"a=b": ["p"]}),
        (["a=p", "b=q"], [], {"a": ["p"], "b": ["q"]}),
        (["a=p", "a=q=r"], [], {"a": ["p", "q=r"]}),
    ],
)
def test_whose_photos_they_are(classes: list[str], photos: list[str], added: dict[str, list[str]]) -> None:
    expected = {label: [Path(path) for path in sources] for label, sources in added.items()}
    assert parse_added(classes, [Path(path) for path in photos]) == expected


@pytest.mark.parametrize(
    ("classes", "photos", "told"),
    [
        (["a"], [], "--add 'a': no photos are given. Add them at the end, or write --add a=PHOTOS."),
        (["a="], [], "--add 'a=': no photos are given."),
        (
            ["a", "b"],
            ["p", "q"],
            "Photos are given (p), but 2 classes are given with --add. Name one class with --add CLASS",
        ),
        ([], ["p"], "Photos are given (p), but no class is given with --add. Name one class with --add CLASS"),
    ],
)
def test_photos_of_nobody(classes: list[str], photos: list[str], told: str) -> None:
    with pytest.raises(EdgeretrainError) as caught:
        parse_added(classes, [Path(path) for path in photos])
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--add", "sand", "nowhere"], "There is no photo or folder nowhere."),
        (["--remove", "gras"], "The nearest is 'grass'."),
        (["--remove", "grass"], "a classifier needs two or more"),
        ([], "There is nothing to teach."),
    ],
)
def test_refusals_leave_everything_as_it_was(refused: Refused, earlier: Path, arguments: list[str], told: str) -> None:
    refused("teach", earlier, *arguments, "-q", says=(told,))


def test_a_model_copied_alone(refused: Callable[..., str], earlier: Path, sand: Path) -> None:
    (earlier / "bottlenecks.int8.npz").unlink()
    says = ("bottlenecks.int8.npz is not beside it", "Copy the whole run folder")
    refused("teach", earlier / "model.int8.tflite", "--add", "sand", sand, "-q", says=says)


def test_a_retrain_that_keeps_no_bottlenecks(cli: Run, photo_folder: Path, tmp_path: Path) -> None:
    cli("retrain", photo_folder, "-o", tmp_path / "run", "-p", "int8", "--no-bottlenecks", "-q").succeeds()
    assert not list((tmp_path / "run").glob("*.npz"))
