"""Folders are there whole or not at all, and nothing is left beside them."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeretrain.files.manifest import MANIFEST_FILE, read_manifest, write_manifest
from edgeretrain.files.partial_folder import partial_folder, remove_leftovers, replace_folder

FILE = "words.txt"
needs_kill = pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")


def write(out: Path, text: str = "new") -> None:
    with partial_folder(out) as partial:
        (partial / FILE).write_text(text)
        write_manifest(partial)
        replace_folder(out, partial)


def content(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in out.iterdir() if path.name != MANIFEST_FILE}


_KILLED = """
import os, pathlib, sys
from edgeretrain.files import partial_folder
from edgeretrain.files.manifest import write_manifest
out, moment = pathlib.Path(sys.argv[1]), sys.argv[2]
inside = moment.startswith("swap")
with partial_folder.partial_folder(out, inside=inside) as partial:
    (partial / "words.txt").write_text("new")
    (partial / "more.txt").write_text("new")
    write_manifest(partial)
    if moment == "writing":
        os.kill(os.getpid(), 9)
    renamed = 0
    rename = os.replace
    def killed(source, target):
        global renamed
        rename(source, target)
        renamed += 1
        if renamed == int(moment.split()[-1]):
            os.kill(os.getpid(), 9)
    pathlib.Path.rename = pathlib.Path.replace = killed
    (partial_folder.swap_files if inside else partial_folder.replace_folder)(out, partial)
"""


def killed(out: Path, moment: str) -> None:
    """A process that is killed while it writes the folder: while `writing`, or after so many renames."""
    assert subprocess.run([sys.executable, "-c", _KILLED, str(out), moment]).returncode == -9


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


@needs_kill
def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    out = tmp_path / "run [1]"
    write(out, "old")
    killed(out, "writing")
    (left,) = (path for path in tmp_path.iterdir() if path.is_dir() and path != out)
    write(tmp_path / "other")
    assert left.is_dir()
    kept = {
        *(f".run [1].partial-{os.getppid()}", f".run [1].old-{os.getpid()}", ".run [1].partial-notes", ".run [1].old-"),
        *(f".run [1].partial-{'0' * 32}", f".run [1].old-{'0' * 32}", f".run [1].partial-{'1' * 32}.lock"),
    }
    for name in kept:
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("mine")
    mine = tmp_path / f".run [1].partial-{'2' * 32}.lock"
    mine.write_text("a lock of some other program")
    write(out)
    assert {path.name for path in tmp_path.iterdir()} == {out.name, "other", *kept, mine.name}
    assert all((tmp_path / name / "thesis.txt").read_text() == "mine" for name in kept)


@needs_kill
@pytest.mark.parametrize("renames", [1, 2])
def test_a_kill_between_the_two_renames_is_undone(tmp_path: Path, renames: int) -> None:
    """What was there before comes back, and stays when the next process fails; after both the new one is there."""
    out = tmp_path / "run"
    write(out, "old")
    killed(out, f"replace {renames}")
    assert out.exists() is (renames == 2)
    with pytest.raises(ZeroDivisionError), partial_folder(out):
        raise ZeroDivisionError
    assert content(out) == ({FILE: "old"} if renames == 1 else {FILE: "new", "more.txt": "new"})
    assert list(tmp_path.iterdir()) == [out]


@needs_kill
@pytest.mark.parametrize("renames", [1, 2, 3, 4])
def test_a_kill_while_files_are_swapped_is_completed(tmp_path: Path, renames: int) -> None:
    out = tmp_path / "run"
    write(out, "old")
    (out / "more.txt").write_text("mine")
    before = out.stat().st_ino
    killed(out, f"swap {renames}")
    remove_leftovers(out)
    assert content(out) == {FILE: "new", "more.txt": "new", "more.txt.kept": "mine"}
    assert read_manifest(out) is not None
    assert out.stat().st_ino == before
    assert list(tmp_path.iterdir()) == [out]


@needs_kill
def test_what_another_host_left_is_removed_a_day_later(tmp_path: Path) -> None:
    """On a network drive the lock may say nothing about it."""
    out = tmp_path / "run"
    killed(out, "writing")
    (lock,) = tmp_path.glob("*.lock")
    lock.write_text(lock.read_text().replace(json.loads(lock.read_text())["machine"], "another"))
    (left,) = (path for path in tmp_path.iterdir() if path.is_dir())
    write(out)
    assert left.is_dir()
    for path in (lock, *left.iterdir(), left):
        os.utime(path, (time.time() - 100_000,) * 2)
    (left / FILE).write_text("it goes on")
    os.utime(left, (time.time() - 100_000,) * 2)
    write(out)
    assert left.is_dir()
    os.utime(left / FILE, (time.time() + 100_000,) * 2)  # the clock was set back
    write(out)
    assert list(tmp_path.iterdir()) == [out]


def test_two_at_once_leave_each_other_alone(tmp_path: Path) -> None:
    """Also with one process number, as in two containers."""
    out = tmp_path / "run"
    with partial_folder(out) as first:
        (first / FILE).write_text("first")
        with partial_folder(out) as second:
            assert first != second
            (second / FILE).write_text("second")
            write_manifest(second)
            replace_folder(out, second)
        assert content(out) == {FILE: "second"}
        assert content(first) == {FILE: "first"}
        write_manifest(first)
        replace_folder(out, first)
    assert content(out) == {FILE: "first"}
    assert list(tmp_path.iterdir()) == [out]


_CONTAINER = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*_CONTAINER, "true"], capture_output=True).returncode != 0,
    reason="no namespaces here",
)
def test_two_containers_leave_each_other_alone(tmp_path: Path) -> None:
    """Every process is number 1 of its container."""
    out = tmp_path / "run"
    code = (
        "import os, pathlib, sys\n"
        "from edgeretrain.files.manifest import write_manifest\n"
        "from edgeretrain.files.partial_folder import partial_folder, replace_folder\n"
        "out, name = pathlib.Path(sys.argv[1]), sys.argv[2]\n"
        "assert os.getpid() == 1\n"
        "with partial_folder(out) as partial:\n"
        "    (partial / 'words.txt').write_text(name)\n"
        "    print('ready', flush=True)\n"
        "    input()\n"
        "    assert [path.name for path in partial.iterdir()] == ['words.txt']\n"
        "    write_manifest(partial)\n"
        "    replace_folder(out, partial)\n"
    )

    def start(name: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*_CONTAINER, sys.executable, "-c", code, str(out), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        return process

    first, second = start("first"), start("second")
    for process, name in ((first, "first"), (second, "second")):
        process.communicate("\n")
        assert process.returncode == 0
        assert content(out) == {FILE: name}
    assert list(tmp_path.iterdir()) == [out]


def test_what_cannot_be_replaced_is_there_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    write(out, "old")
    with pytest.raises(OSError, match="nowhere"):
        replace_folder(out, tmp_path / "nowhere")
    assert content(out) == {FILE: "old"}
    assert list(tmp_path.iterdir()) == [out]
