"""Kills, Ctrl-C, damage and other runs at the same time: the same bytes come out, and nothing is left behind."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run, command, make_photos, snapshot

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own, empty."""
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _heed_ctrl_c() -> None:
    """A shell starts what runs in its background deaf to Ctrl-C, and pytest may be run so; a user's command is not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*arguments: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(*arguments),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=None if os.name == "nt" else _heed_ctrl_c,
    )


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def _kill_again_and_again(times: int, photos: Path, expected: dict[str, str], place: Path) -> None:
    out = place / "out"
    arguments = ("retrain", photos, "--out", out, "--quiet")
    chance = random.Random(0)
    whole = time.monotonic()
    assert start(*arguments).wait() == 0  # how long it takes here and now, with an empty cache
    whole = time.monotonic() - whole
    for number in range(times):
        if number % 3 == 0:
            shutil.rmtree(place / "cache", ignore_errors=True)
        if number % 2 == 0:
            shutil.rmtree(out, ignore_errors=True)
        child = start(*arguments)
        time.sleep(whole * chance.uniform(0.2, 1.0))
        child.kill()
        child.wait()
        if out.exists():
            assert snapshot(out) == expected
    assert start(*arguments).wait() == 0
    assert snapshot(out) == expected
    assert leftovers(place) == []


def test_killed_at_any_moment(photo_folder: Path, run_folder: Path, own_cache: Path, tmp_path: Path) -> None:
    _kill_again_and_again(4, photo_folder, snapshot(run_folder), tmp_path)


@pytest.mark.slow
def test_killed_at_any_moment_many_times(photo_folder: Path, run_folder: Path, own_cache: Path, tmp_path: Path) -> None:
    _kill_again_and_again(60, photo_folder, snapshot(run_folder), tmp_path)


def test_a_run_that_goes_on_is_left_alone(cli: Run, photo_folder: Path, own_cache: Path, tmp_path: Path) -> None:
    """And when it was killed, the next one removes what it left."""
    out = tmp_path / "out"
    child = start("retrain", make_photos(tmp_path / "photos", count=150), "--out", out, "--workers", 1)
    while len(leftovers(tmp_path)) < 2:  # the folder and its lock
        time.sleep(0.01)
    child.send_signal(signal.SIGSTOP)
    left = set(leftovers(tmp_path))
    (tmp_path / ".out.partial-notes").mkdir()  # not ours
    arguments = ("retrain", photo_folder, "--out", out, "-q", "-p", "int8")
    cli(*arguments).succeeds()
    assert set(leftovers(tmp_path)) == {*left, ".out.partial-notes"}
    child.kill()
    child.communicate()
    cli(*arguments).succeeds()
    assert leftovers(tmp_path) == [".out.partial-notes"]


@pytest.mark.parametrize("moment", ["at the start", "bottlenecks", "at random"])
def test_stopped_with_ctrl_c(moment: str, own_cache: Path, tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos", count=150)
    child = start("retrain", photos, "--out", tmp_path / "out", "--workers", 1)
    while not leftovers(tmp_path):
        time.sleep(0.01)
    if moment != "at the start":
        while not list((own_cache / "bottlenecks").glob("*.sqlite")):
            time.sleep(0.01)
    if moment == "at random":
        time.sleep(random.uniform(0, 2))
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 130
    assert all(" of 300" in line for line in told.splitlines()), told
    assert {path.name for path in tmp_path.iterdir()} <= {"photos", "cache"}


@pytest.mark.parametrize("same_out", [True, False], ids=["same out", "different out"])
def test_two_runs_at_once_on_one_cache(
    same_out: bool, photo_folder: Path, run_folder: Path, own_cache: Path, tmp_path: Path
) -> None:
    names = ["out", "out"] if same_out else ["a", "b"]
    children = [start("retrain", photo_folder, "--out", tmp_path / name, "--quiet") for name in names]
    for child in children:
        _, told = child.communicate(timeout=120)
        assert (child.returncode, told) == (0, "")
    for name in set(names):
        assert snapshot(tmp_path / name) == snapshot(run_folder)
    assert leftovers(tmp_path) == []


def _flip_bytes(file: Path) -> None:
    data = bytearray(file.read_bytes())
    for position in range(len(data) // 3, len(data), 997):
        data[position] ^= 0xFF
    file.write_bytes(data)


def _change_a_vector(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        photo, vector = connection.execute("SELECT photo, vector FROM bottlenecks").fetchone()
        changed = bytes(len(vector) // 2) + vector[len(vector) // 2 :]
        connection.execute("UPDATE bottlenecks SET vector = ? WHERE photo = ?", (changed, photo))
    connection.close()


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _overwrite(file: Path) -> None:
    file.write_text("not a database, but long enough to be taken for one at first sight. " * 100)


def _empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [_flip_bytes, _change_a_vector, _cut, _overwrite, _empty])
def test_a_damaged_cache_changes_nothing(
    damage: Any, cli: Run, photo_folder: Path, run_folder: Path, own_cache: Path, tmp_path: Path
) -> None:
    cli("retrain", photo_folder, "--out", tmp_path / "first", "-q", "-p", "int8").succeeds()
    (file,) = (own_cache / "bottlenecks").glob("*.sqlite")
    damage(file)
    cli("retrain", photo_folder, "--out", tmp_path / "second", "-q", "-p", "int8").succeeds()
    assert snapshot(tmp_path / "first") == snapshot(tmp_path / "second")
    assert (tmp_path / "second" / "model.int8.tflite").read_bytes() == (run_folder / "model.int8.tflite").read_bytes()
