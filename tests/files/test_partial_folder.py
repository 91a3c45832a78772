"""Folders are there whole or not at all, and nothing is left beside them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeretrain.files.partial_folder import partial_folder, replace_folder

FILE = "words.txt"


def write(out: Path, text: str = "new") -> None:
    with partial_folder(out) as partial:
        (partial / FILE).write_text(text)
        replace_folder(out, partial)


def content(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in out.iterdir()}


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


@pytest.mark.parametrize("name", ["run [1]", "*", "run?", "r.partial-1", "Größe 🌹"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    write(out, "old")
    write(out)
    assert content(out) == {FILE: "new"}
    assert list(tmp_path.iterdir()) == [out]


def test_what_is_not_put_anywhere_is_gone(tmp_path: Path) -> None:
    with partial_folder(tmp_path / "out") as partial:
        assert partial.parent == tmp_path  # the same file system, so that a rename will do
        (partial / FILE).write_text("half")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), partial_folder(tmp_path / "out"):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_the_moment_that_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def interrupted(folder: Path) -> None:
        make(folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), partial_folder(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    out = tmp_path / "run [1]"
    write(out, "old")
    dead = dead_process()
    for name in (f".run [1].partial-{dead}", f".run [1].old-{dead}"):
        (tmp_path / name).mkdir()
        (tmp_path / name / FILE).write_text("left")
    kept = {f".run [1].partial-{os.getppid()}", f".other.partial-{dead}", ".run [1].partial-notes", ".run [1].old-"}
    for name in kept:
        (tmp_path / name).mkdir()
    write(out)
    assert {path.name for path in tmp_path.iterdir()} == {out.name, *kept}


def test_a_kill_between_the_two_renames_is_undone(tmp_path: Path) -> None:
    """What was there before comes back, and stays when the next process fails."""
    out = tmp_path / "run"
    write(out, "old")
    out.rename(tmp_path / f".run.old-{dead_process()}")
    with pytest.raises(ZeroDivisionError), partial_folder(out):
        raise ZeroDivisionError
    assert content(out) == {FILE: "old"}
    assert list(tmp_path.iterdir()) == [out]


def test_what_cannot_be_replaced_is_there_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    write(out, "old")
    with pytest.raises(OSError, match="nowhere"):
        replace_folder(out, tmp_path / "nowhere")
    assert content(out) == {FILE: "old"}
    assert list(tmp_path.iterdir()) == [out]
