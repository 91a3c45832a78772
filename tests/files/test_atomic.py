"""Files are there whole or not at all, and nothing is left beside them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.atomic import partial_file, write_atomic


@pytest.mark.parametrize("name", ["words.txt", "run [1]", "*", "Größe 🌹"])
def test_text_and_bytes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_atomic(path, "Größe\n")
    assert path.read_bytes() == "Größe\n".encode()
    write_atomic(path, b"\r\n\0")
    assert path.read_bytes() == b"\r\n\0"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "words.txt"
    with pytest.raises(EdgeretrainError, match=r"words\.txt: cannot be written"):
        write_atomic(path, "new")
    assert list(tmp_path.iterdir()) == []
    write_atomic(path, "new", parents=True)
    assert path.read_text() == "new"


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(EdgeretrainError, match=r"folder: cannot be written \(.*\)\. Choose another place"):
        write_atomic(tmp_path / "folder", "new")
    (tmp_path / "file").write_text("old")
    with pytest.raises(EdgeretrainError, match="cannot be written"):
        write_atomic(tmp_path / "file" / "words.txt", "new", parents=True)
    assert (tmp_path / "file").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "file"}


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_block_that_fails(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "words.txt"
    path.write_text("old")
    with pytest.raises(error), partial_file(path) as temporary:
        temporary.write_text("half")
        assert temporary.parent == tmp_path  # the same file system, so that a rename will do
        assert path.read_text() == "old"
        raise error
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"


def test_what_a_killed_process_left_is_removed_later(tmp_path: Path) -> None:
    """An hour later: until then the process might be running, perhaps on another machine."""
    path = tmp_path / "run [1].bin"
    code = (
        "import os, pathlib, sys\n"
        "from edgeretrain.files.atomic import partial_file\n"
        "with partial_file(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), 9) if os.name != 'nt' else os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)]).returncode != 0
    (left,) = tmp_path.iterdir()
    write_atomic(path, b"first")
    assert set(tmp_path.iterdir()) == {path, left}
    kept = {tmp_path / f".other.bin{left.suffix}", tmp_path / f"{left.name}.notes", tmp_path / ".run [1].bin.notes"}
    for one in (left, *kept):
        one.write_bytes(b"half")
        os.utime(one, (time.time() - 3700,) * 2)
    write_atomic(path, b"second")
    assert set(tmp_path.iterdir()) == {path, *kept}
    assert path.read_bytes() == b"second"
