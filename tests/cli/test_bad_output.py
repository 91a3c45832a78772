"""Where nothing can be written, a command ends in one clear line, exit code 1, and leaves nothing half-written."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.conftest import Refused, Run, command, snapshot

POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


# The run folder


def test_out_below_a_file(retrain: Refused, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    retrain(photos, "--out", tmp_path / "file" / "run", says=("file/run: cannot be written", "a file", "--out"))


def test_out_is_a_file(retrain: Refused, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep me")
    retrain(photos, "--out", tmp_path / "file", says=("is a file, not a run folder", "Choose another --out"))


def test_out_holds_something_else(retrain: Refused, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.docx").write_text("years of work")
    retrain(photos, "--out", tmp_path / "thesis", says=("thesis.docx", "left alone", "Choose another --out"))


def test_out_is_the_photos_folder(retrain: Refused, photos: Path) -> None:
    retrain(photos, "--out", photos, says=("holds bricks", "left alone"))


def test_out_inside_the_photos_folder(retrain: Refused, photos: Path) -> None:
    retrain(photos, "--out", photos / "run", says=("inside the photos folder", "such as", str(photos.parent / "run")))


def test_a_name_too_long_for_the_file_system(retrain: Refused, photos: Path, tmp_path: Path) -> None:
    retrain(photos, "--out", tmp_path / "new" / ("x" * 250), says=("cannot be written", "Choose another --out"))


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that cannot be written: for root, who may write everywhere, a read-only file system."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    if os.name == "nt":
        pytest.skip("folders have no permissions here")
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    with _tmpfs(folder, "ro"):
        yield folder


class _tmpfs:
    """A small file system of its own, or a skipped test where nobody may mount one."""

    def __init__(self, folder: Path, options: str) -> None:
        self.folder, self.options = folder, options

    def __enter__(self) -> Path:
        mount = shutil.which("mount")
        if mount is None or sys.platform != "linux" or os.geteuid() != 0:
            pytest.skip("needs root and mount")
        done = subprocess.run([mount, "-t", "tmpfs", "-o", self.options, "tmpfs", self.folder], capture_output=True)
        if done.returncode != 0:
            pytest.skip("file systems cannot be mounted here")
        return self.folder

    def __exit__(self, *_: object) -> None:
        subprocess.run(["umount", self.folder], check=True)


def test_out_cannot_be_written(photos: Path, cli: Run, read_only: Path) -> None:
    line = cli("retrain", photos, "--out", read_only / "run", "--quiet").fails(
        str(read_only / "run"), "cannot be written", "Choose another --out"
    )
    assert "Free some room" not in line
    assert not list(read_only.iterdir())


def test_the_cache_cannot_be_written(
    retrain: Refused, photos: Path, read_only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(read_only / "cache"))
    retrain(photos, says=(str(read_only / "cache"), "bottleneck cache cannot be written", "EDGERETRAIN_CACHE"))


def test_the_cache_is_a_file(retrain: Refused, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path / "file"))
    retrain(photos, says=(str(tmp_path / "file"), "cannot be written", "EDGERETRAIN_CACHE"))


# Disk full


@POSIX
def test_disk_full_while_a_model_is_written(photos: Path, process: Run, tmp_path: Path, run_folder: Path) -> None:
    """The limit on the size of a file fails in the middle of it, as a full disk does. An earlier run stays."""
    shutil.copytree(run_folder, tmp_path / "run")
    before = snapshot(tmp_path)
    process(
        *("retrain", photos, "--out", tmp_path / "run", "--quiet", "--precision", "int8"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)),
    ).fails(str(tmp_path / "run"), "cannot be written", "Free some room")
    assert snapshot(tmp_path) == before


@POSIX
def test_disk_full_while_bottlenecks_are_cached(
    photos: Path, process: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path / "cache"))
    process(
        *("retrain", photos, "--out", tmp_path / "run", "--quiet", "--precision", "int8"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    ).fails(str(tmp_path / "cache"), "cache cannot be written", "Free some room")
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "cache"}
    monkeypatch.delenv("EDGERETRAIN_CACHE")


@pytest.mark.parametrize("full", ["out", "cache"])
def test_a_really_full_disk(full: str, photos: Path, cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").mkdir()
    with _tmpfs(tmp_path / "disk", "size=64k") as disk:
        out = disk / "run" if full == "out" else tmp_path / "run"
        if full == "cache":
            monkeypatch.setenv("EDGERETRAIN_CACHE", str(disk))
        cli("retrain", photos, "--out", out, "-q", "-p", "int8").fails(str(disk), "be written", "Free some room")
        if full == "out":
            assert not list(disk.iterdir())
        # With room again, the same command goes through.
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        cli("retrain", photos, "--out", out, "-q", "-p", "int8").succeeds()
    assert (full == "out") != (tmp_path / "run").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [("presets",), ("presets", "--json"), ("--help",)])
def test_standard_output_on_a_full_disk(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command(*arguments), stdout=full, stderr=subprocess.PIPE, text=True)
    assert (ended.returncode, ended.stderr) == (1, "error: The output: No space left on device.\n")


@POSIX
@pytest.mark.parametrize("arguments", [("presets",), ("presets", "--json"), ("retrain", "--help")])
def test_standard_output_closed_early(arguments: tuple[str, ...]) -> None:
    """As in `edgeretrain presets | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(command(*arguments), stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")
