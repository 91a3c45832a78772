"""The run folder appears whole or not at all, and replaces nothing but a run folder."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.manifest import MANIFEST_FILE
from edgeretrain.files.run_folder import LABELS_FILE, PAGE_FILE, REPORT_FILE, model_file, new_run_folder

needs_links = pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")


def write(out: Path, text: str = "new") -> None:
    with new_run_folder(out) as folder:
        (folder / REPORT_FILE).write_text(text)


def content(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in out.iterdir() if path.name != MANIFEST_FILE}


def refusal(out: Path) -> str:
    with pytest.raises(EdgeretrainError) as caught:
        write(out)
    message = str(caught.value)
    assert "\n" not in message and message.startswith(f"{out}: ") and "another --out." in message
    return message


def test_names() -> None:
    assert (REPORT_FILE, PAGE_FILE, LABELS_FILE) == ("report.json", "report.html", "labels.txt")
    assert model_file("int8") == "model.int8.tflite"


def test_a_new_folder_appears_at_the_end(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "er" / "run"
    with new_run_folder(out) as folder:
        assert not out.exists()
        assert folder.parent == out.parent  # the same file system, so that a rename will do
        (folder / REPORT_FILE).write_text("new")
    assert content(out) == {REPORT_FILE: "new"}
    assert list(out.parent.iterdir()) == [out]


def test_an_earlier_run_is_replaced_whole(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with new_run_folder(out) as folder:
        for name in (REPORT_FILE, PAGE_FILE, LABELS_FILE, model_file("float16"), model_file("int8")):
            (folder / name).write_text("old")
    with new_run_folder(out) as folder:
        assert len(content(out)) == 5
        (folder / REPORT_FILE).write_text("new")
    assert content(out) == {REPORT_FILE: "new"}
    assert list(tmp_path.iterdir()) == [out]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    write(out)
    assert content(out) == {REPORT_FILE: "new"}


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, EdgeretrainError])
def test_an_exception_leaves_everything_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    out = tmp_path / "run"
    write(out, "old")
    with pytest.raises(error), new_run_folder(out) as folder:
        (folder / REPORT_FILE).write_text("half")
        raise error
    assert content(out) == {REPORT_FILE: "old"}
    assert list(tmp_path.iterdir()) == [out]


def test_a_disk_that_fills_up_is_told_with_the_folder(tmp_path: Path) -> None:
    out = tmp_path / "run"
    told = pytest.raises(EdgeretrainError, match=r"run: cannot be written \(No space left.*\)\. Free some room")
    with told, new_run_folder(out) as folder:
        (folder / REPORT_FILE).write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["holiday.jpg", "model.float64.tflite", ".hidden", "Report.json"])
def test_a_folder_with_anything_else_is_left_alone(tmp_path: Path, name: str) -> None:
    out = tmp_path / "run"
    write(out, "old")
    (out / name).write_text("mine")
    assert f"holds {name}, which edgeretrain did not write" in refusal(out)
    assert content(out) == {REPORT_FILE: "old", name: "mine"}


@pytest.mark.parametrize("name", [REPORT_FILE, PAGE_FILE, LABELS_FILE, MANIFEST_FILE, model_file("int8")])
@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_the_users_own_files_of_our_names_are_left_alone(tmp_path: Path, name: str, kind: str) -> None:
    """Nothing but a manifest of ours makes a folder ours."""
    out = tmp_path / "run"
    out.mkdir()
    mine = out / name
    if kind == "folder":
        mine.mkdir()
        mine = mine / "thesis.txt"
    elif kind == "link":
        mine.symlink_to(tmp_path / "elsewhere")
        mine = tmp_path / "elsewhere"
    mine.write_text('{"files": {"labels.txt": "1"}}')
    told = refusal(out)
    assert f"holds {name}, " in told and "left alone" in told and "Move it away" in told
    assert mine.read_text() == '{"files": {"labels.txt": "1"}}'


def test_what_comes_into_the_folder_during_the_run_stays_in_it(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with new_run_folder(out) as folder:
        for name in (REPORT_FILE, LABELS_FILE, model_file("int8")):
            (folder / name).write_text("old")
    with new_run_folder(out) as folder:
        (folder / REPORT_FILE).write_text("new")
        (folder / LABELS_FILE).write_text("new")
        (out / "my_notes.txt").write_text("precious")
        (out / "mydir").mkdir()
        (out / "mydir" / "deep.txt").write_text("precious")
        (out / LABELS_FILE).write_text("my own list")
        (out / model_file("int8")).unlink()
        (out / model_file("int8")).symlink_to(out / "my_notes.txt")
    assert (out / "mydir" / "deep.txt").read_text() == "precious"
    (out / "mydir" / "deep.txt").unlink()
    (out / "mydir").rmdir()
    assert (out / model_file("int8")).is_symlink()
    (out / model_file("int8")).unlink()
    assert content(out) == {
        REPORT_FILE: "new",
        LABELS_FILE: "new",
        f"{LABELS_FILE}.kept": "my own list",
        "my_notes.txt": "precious",
    }
    assert "my_notes.txt" in refusal(out)
    (out / "my_notes.txt").unlink()
    (out / LABELS_FILE).write_text("my second list")
    write(out, "newest")  # what was kept once is in nobody's way, and kept again
    assert content(out) == {
        REPORT_FILE: "newest",
        LABELS_FILE: "my second list",
        f"{LABELS_FILE}.kept": "my own list",
    }
    assert list(tmp_path.iterdir()) == [out]


def test_what_comes_into_an_empty_folder_during_the_run_stays_in_it(tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    with new_run_folder(out) as folder:
        (folder / REPORT_FILE).write_text("new")
        (out / REPORT_FILE).write_text("mine")
    assert content(out) == {REPORT_FILE: "new", f"{REPORT_FILE}.kept": "mine"}


def test_the_folder_that_a_shell_is_in_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    out.mkdir()
    monkeypatch.chdir(out)
    inode = out.stat().st_ino
    for text in ("old", "new"):
        write(Path(), text)
        assert os.listdir(".") and out.stat().st_ino == inode  # noqa: PTH208  what the shell sees
        assert content(out) == {REPORT_FILE: text}
    with pytest.raises(ZeroDivisionError), new_run_folder(Path()) as folder:
        (folder / REPORT_FILE).write_text("half")
        raise ZeroDivisionError
    assert content(out) == {REPORT_FILE: "new"}
    with new_run_folder(Path()) as folder:
        (folder / PAGE_FILE).write_text("newest")
        (out / "my_notes.txt").write_text("precious")
        (out / PAGE_FILE).write_text("mine")
    assert content(out) == {PAGE_FILE: "newest", "my_notes.txt": "precious", f"{PAGE_FILE}.kept": "mine"}
    assert list(tmp_path.iterdir()) == [out]


_MOUNT = ["unshare", "--user", "--map-root-user", "--mount"]
_WRITE = (
    "import pathlib, sys\nfrom edgeretrain.files.run_folder import new_run_folder\n"
    "for text in ('old', 'new'):\n"
    "    with new_run_folder(pathlib.Path(sys.argv[1])) as folder:\n"
    "        (folder / 'report.json').write_text(text)\n"
)


@pytest.mark.skipif(
    not shutil.which("unshare") or subprocess.run([*_MOUNT, "true"], capture_output=True).returncode != 0,
    reason="no namespaces here",
)
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_a_mount_point(tmp_path: Path, kind: str) -> None:
    """As of `docker run -v $PWD/out:/out`: nothing can be moved onto it."""
    source, out = tmp_path / "source", tmp_path / "o u\tt"
    source.mkdir()
    out.mkdir()
    what = f"--bind '{source}'" if kind == "bind" else "-t tmpfs none"
    script = f"mount {what} '{out}' && '{sys.executable}' -c \"$1\" '{out}' && ls -A '{out}' && cat '{out}/report.json'"
    done = subprocess.run([*_MOUNT, "sh", "-c", script, "sh", _WRITE], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{MANIFEST_FILE}\nreport.json\nnew"), done.stderr
    assert kind == "tmpfs" or content(source) == {REPORT_FILE: "new"}


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EXDEV])
def test_a_folder_that_the_system_does_not_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A mount point of a kind that is not listed; a folder of a lower layer of a container's drive."""
    out = tmp_path / "run"
    write(out, "old")
    inode = out.stat().st_ino
    move = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if out in (path, target):
            raise OSError(code, os.strerror(code))
        return move(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    write(out)
    assert content(out) == {REPORT_FILE: "new"}
    assert out.stat().st_ino == inode
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_beside_which_nothing_may_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    write(out, "old")
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path and may(path, mode))
    with new_run_folder(out) as folder:
        assert folder.parent == out
        (folder / REPORT_FILE).write_text("new")
    assert content(out) == {REPORT_FILE: "new"}


def test_a_file_in_its_place_or_above_it(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    assert "is a file" in refusal(tmp_path / "run")
    refusal(tmp_path / "run" / "below")
    assert content(tmp_path) == {"run": "mine"}


@needs_links
def test_a_link_to_a_run_folder_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "disk" / "run", tmp_path / "run"
    write(real, "old")
    link.symlink_to(real)
    write(link)
    assert link.is_symlink() and content(real) == {REPORT_FILE: "new"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "run"]
    assert list(real.parent.iterdir()) == [real]


@needs_links
def test_a_link_to_nowhere_and_one_to_an_empty_folder(tmp_path: Path) -> None:
    for target in (tmp_path / "not yet", tmp_path / "empty"):
        link = tmp_path / f"link to {target.name}"
        link.symlink_to(target)
    (tmp_path / "empty").mkdir()
    for name in ("not yet", "empty"):
        write(tmp_path / f"link to {name}")
        assert content(tmp_path / name) == {REPORT_FILE: "new"}


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "sub")
    for relative, absolute in (("run", "here/sub/run"), ("../run", "here/run"), ("./a/../b", "here/sub/b")):
        write(Path(relative))
        assert content(tmp_path / absolute) == {REPORT_FILE: "new"}


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_kill_9_at_any_moment(tmp_path: Path) -> None:
    """Old or new, but whole; and the next run finds nothing in its way."""
    out = tmp_path / "run"
    code = (
        "import sys\nfrom pathlib import Path\nfrom edgeretrain.files.run_folder import new_run_folder\n"
        "number = 0\n"
        "while True:\n"
        "    number += 1\n"
        "    with new_run_folder(Path(sys.argv[1])) as folder:\n"
        "        for name in ('report.json', 'report.html', 'labels.txt'):\n"
        "            (folder / name).write_text(str(number))\n"
        "    print(number, flush=True)\n"
    )
    for attempt in range(6):
        process = subprocess.Popen([sys.executable, "-c", code, str(out)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        time.sleep(0.003 * attempt)
        process.send_signal(signal.SIGKILL)
        process.stdout.read()
        process.wait()
        process.stdout.close()
        if out.exists():
            whole = content(out)
            assert set(whole) == {REPORT_FILE, PAGE_FILE, LABELS_FILE} and len(set(whole.values())) == 1
        write(out, "after")
        assert content(out) == {REPORT_FILE: "after"}
        assert list(tmp_path.iterdir()) == [out]
