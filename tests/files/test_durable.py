"""What is promised to be there whole is on the disk before it gets its name: a loss of power leaves old or new."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeretrain.files.atomic import write_atomic
from edgeretrain.files.durable import sync_folder
from edgeretrain.files.partial_folder import is_partial
from edgeretrain.files.run_folder import new_run_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows syncs no folders")

Names = dict[int, bytes | None]


class Disk:
    """What a loss of power would leave: bytes of files as they were last synced, names as their folders were."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        """Watch all that happens in and below a folder, which is on the disk as it is."""
        self.events: list[str] = []
        self._folder = folder
        self._bytes: Names = {}  # by inode
        self._names: dict[int, dict[str, int]] = {}  # by inode of the folder
        for path in (folder, *folder.rglob("*")):
            self._sync(path)
        fsync = os.fsync

        def watched(descriptor: int) -> None:
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            fsync(descriptor)
            self._sync(path)
            self.events.append("fsync")

        monkeypatch.setattr(os, "fsync", watched)
        for name in ("rename", "replace"):
            self._watch(monkeypatch, name)

    def _watch(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        move: Callable[[Path, Path], Path] = getattr(Path, name)

        def watched(path: Path, target: Path) -> Path:
            done = move(path, target)
            self.events.append(f"to {Path(target).name}")
            # Journals may well bring the new name to the disk at once, without the content: the worst case.
            self._sync(Path(target).parent)
            return done

        monkeypatch.setattr(Path, name, watched)

    def _sync(self, path: Path) -> None:
        if path.is_dir():
            self._names[path.stat().st_ino] = {below.name: below.stat().st_ino for below in path.iterdir()}
        else:
            self._bytes[path.stat().st_ino] = path.read_bytes()

    def left(self, folder: Path) -> dict[str, bytes | None]:
        """The files of a folder after a loss of power; None: the content never came to the disk."""
        inode = self._names[self._folder.stat().st_ino].get(folder.name)
        assert inode is not None, "the folder's own name is not on the disk"
        return {name: self._bytes.get(file) for name, file in self._names.get(inode, {}).items()}


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks /proc which file is meant")
class TestPower:
    def test_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        out = tmp_path / "out"
        out.mkdir()
        (out / "words.txt").write_text("old")
        disk = Disk(monkeypatch, tmp_path)
        write_atomic(out / "words.txt", "new")
        assert disk.left(out) == {"words.txt": b"new"}
        assert disk.events == ["fsync", "to words.txt", "fsync"]

    @pytest.mark.parametrize("earlier", [True, False])
    @pytest.mark.parametrize("inside", [True, False])
    def test_a_run_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: bool, inside: bool) -> None:
        out = tmp_path / "out"
        if earlier:
            with new_run_folder(out) as folder:
                (folder / "report.json").write_text("old")
        if inside:
            out.mkdir(exist_ok=True)
            monkeypatch.chdir(out)
        disk = Disk(monkeypatch, tmp_path)
        with new_run_folder(out) as folder:
            for name in ("report.json", "labels.txt"):
                (folder / name).write_text("new")
        left = {name: content for name, content in disk.left(out).items() if not is_partial(name)}
        manifest = left.pop("manifest.json")
        assert manifest is not None and b"labels.txt" in manifest
        assert left == {"report.json": b"new", "labels.txt": b"new"}
        first = next(place for place, event in enumerate(disk.events) if event.startswith("to "))
        assert disk.events[:first].count("fsync") == 4  # two files, the manifest, their folder
        assert disk.events[-1] == "fsync"


def test_a_system_that_cannot_sync_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112
            raise OSError(22, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    write_atomic(tmp_path / "folder" / "words.txt", "new")
    assert (tmp_path / "folder" / "words.txt").read_text() == "new"


def test_many_files_are_synced_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(100):
        (tmp_path / str(number)).write_text("photo")
    calls: list[str] = []
    monkeypatch.setattr(os, "sync", lambda: calls.append("all"))
    monkeypatch.setattr(os, "fsync", lambda _: calls.append("one"))
    sync_folder(tmp_path)
    assert calls == ["all"]
