"""Run folders of versions that wrote no manifest are replaced when all in them is proven to be edgeretrain's."""

import json
import shutil
from pathlib import Path

import pytest
from support.garden import Run

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.manifest import MANIFEST_FILE
from edgeretrain.files.run_folder import new_run_folder
from edgeretrain.files.unlisted import proven_files


@pytest.fixture
def old(run: Run, tmp_path: Path) -> Path:
    """A run in four precisions without its manifest."""
    folder = shutil.copytree(run.out, tmp_path / "run")
    (folder / MANIFEST_FILE).unlink()
    return folder


def replace(out: Path) -> set[str]:
    with new_run_folder(out) as folder:
        (folder / "report.json").write_text("new")
    return {path.name for path in out.iterdir()}


def test_a_whole_run_is_replaced(old: Path) -> None:
    assert len(list(old.iterdir())) == 11
    assert proven_files(old) == {path.name for path in old.iterdir()}
    assert replace(old) == {"report.json", MANIFEST_FILE}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.txt", "my own list\n"),
        ("report.html", "<!DOCTYPE html><p>my own"),
        ("report.json", "{}"),
        ("report.json", "[" * 100_000),
        ("model.int8.tflite", "mine"),
        ("bottlenecks.int8.npz", "mine"),
        ("bottlenecks.float32.npz", None),
        ("model.float64.tflite", "mine"),
    ],
)
def test_what_is_not_proven_is_left_alone(old: Path, name: str, content: str | None) -> None:
    if content is None:
        shutil.copy(old / "bottlenecks.int8.npz", old / name)  # those of another backbone
    else:
        (old / name).write_text(content)
    before = {path.name: path.read_bytes() for path in old.iterdir()}
    with pytest.raises(EdgeretrainError, match=r"left alone\. Move it away, or choose another --out\.$") as told:
        replace(old)
    assert {path.name: path.read_bytes() for path in old.iterdir()} == before
    if name != "report.json":
        assert f"holds {name}, " in str(told.value)


def test_what_changes_during_the_run_stays(old: Path) -> None:
    with new_run_folder(old) as folder:
        (folder / "labels.txt").write_text("new")
        (old / "labels.txt").write_text("mine")
        (old / "notes.txt").write_text("mine")
    assert {path.name for path in old.iterdir()} == {MANIFEST_FILE, "labels.txt", "labels.txt.kept", "notes.txt"}
    assert (old / "labels.txt.kept").read_text() == "mine"


@pytest.mark.parametrize("spoil", ["models", "photos", "edgeretrain"])
def test_a_report_that_is_none_of_ours_proves_nothing(old: Path, spoil: str) -> None:
    report = json.loads((old / "report.json").read_text())
    report[spoil] = None
    (old / "report.json").write_text(json.dumps(report))
    assert proven_files(old) == set()
