"""The cache gives back what was put in, or nothing: after a kill, after damage, with two writers."""

import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.features import cache as cache_module
from edgeretrain.features.cache import BottleneckCache

LENGTH = 96
WRITER = f"""
import hashlib, sys
from pathlib import Path
import numpy as np
from edgeretrain.features.cache import BottleneckCache
folder, start, stop = sys.argv[1:]
with BottleneckCache(Path(folder), "settings") as cache:
    for number in range(int(start), int(stop)):
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        cache.add(digest, np.frombuffer(bytes.fromhex(digest) * {LENGTH // 8}, np.uint32).astype(np.float32))
        if number % 64 == 63:
            print(number, flush=True)
"""


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def vector(name: str) -> npt.NDArray[np.float32]:
    """The only right bottleneck of the photo with this digest."""
    return np.frombuffer(bytes.fromhex(name) * (LENGTH // 8), np.uint32).astype(np.float32)


def fill(folder: Path, numbers: range, settings: str = "settings") -> Path:
    with BottleneckCache(folder, settings) as cache:
        for number in numbers:
            cache.add(digest(number), vector(digest(number)))
    return cache.path


def read(folder: Path, numbers: range, settings: str = "settings") -> set[str]:
    """The digests that are there; each must have its own bottleneck."""
    found = set()
    with BottleneckCache(folder, settings) as cache:
        for name, values in cache.read(digest(number) for number in numbers):
            assert values.dtype == np.float32
            assert (values == vector(name)).all()
            found.add(name)
    return found


def digests(numbers: range) -> set[str]:
    return {digest(number) for number in numbers}


def test_what_was_put_in_comes_out(tmp_path: Path) -> None:
    assert read(tmp_path, range(10)) == set()
    fill(tmp_path, range(150))
    assert read(tmp_path, range(200)) == digests(range(150))
    fill(tmp_path, range(100, 200))
    assert read(tmp_path, range(200)) == digests(range(200))
    assert [path.suffix for path in tmp_path.rglob("*") if path.is_file()] == [".sqlite"]


def test_other_settings_are_another_file(tmp_path: Path) -> None:
    fill(tmp_path, range(5), "one")
    fill(tmp_path, range(5, 9), "two")
    assert read(tmp_path, range(9), "one") == digests(range(5))
    assert read(tmp_path, range(9), "two") == digests(range(5, 9))


def test_what_was_added_before_an_error_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), BottleneckCache(tmp_path, "settings") as cache:
        cache.add(digest(1), vector(digest(1)))
        raise ZeroDivisionError
    assert read(tmp_path, range(3)) == {digest(1)}


def test_a_bottleneck_of_another_length_is_left_out(tmp_path: Path) -> None:
    with BottleneckCache(tmp_path, "settings") as cache:
        cache.add(digest(0), vector(digest(0)))
        cache.add(digest(1), vector(digest(1))[:8])
    assert read(tmp_path, range(2)) == {digest(0)}


def test_kill_9_at_any_moment_leaves_a_readable_file(tmp_path: Path) -> None:
    rng = random.Random(3)
    done = 0
    for attempt in range(8):
        start = attempt * 64_000  # so that a transaction ends at each number that the writer prints
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(start), str(start + 64_000)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        # Some transactions are on the disk, and the next one is on its way.
        written = max(int(process.stdout.readline()) for _ in range(rng.randint(1, 8)))
        process.kill()
        rest = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        # What was told to be written before the kill is there; a line that was cut off does not count.
        written = max([written, *(int(line) for line in rest[:-1])])
        there = read(tmp_path, range(start, written + 1))
        assert there == digests(range(start, written + 1))
        done += len(there)
    assert done > 8 * 64
    with sqlite3.connect(fill(tmp_path, range(1))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    ranges = [(0, 3000), (1500, 4500)]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(start), str(stop)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for start, stop in ranges
    ]
    for writer in writers:
        _, errors = writer.communicate()
        assert (writer.returncode, errors) == (0, "")
    assert read(tmp_path, range(4500)) == digests(range(4500))


def heals(folder: Path, numbers: range) -> None:
    """A run that finds damage when it writes may lose what it has just computed; the next one does not."""
    fill(folder, numbers)
    fill(folder, numbers)
    assert digests(numbers) <= read(folder, numbers)


def test_flipped_bytes_never_give_a_wrong_bottleneck(tmp_path: Path) -> None:
    path = fill(tmp_path, range(40))
    good = path.read_bytes()
    rng = random.Random(1)
    # The header, the schema's text, what the tables start with; then anywhere.
    positions = [*range(0, 100, 4), *range(3800, 4096, 8), *rng.sample(range(len(good)), 60)]
    complete = 0
    for position in positions:
        damaged = bytearray(good)
        damaged[position] ^= rng.randrange(1, 256)
        path.write_bytes(damaged)
        there = read(tmp_path, range(40))
        if there == digests(range(40)):
            complete += 1
        else:
            heals(tmp_path, range(40, 42))
    # Some bytes do not matter, but most damage must have been seen, or nothing was tested.
    assert complete < 0.7 * len(positions)


@pytest.mark.parametrize("seed", range(4))
def test_overwritten_stretches_never_give_a_wrong_bottleneck(tmp_path: Path, seed: int) -> None:
    path = fill(tmp_path, range(60))
    good = path.read_bytes()
    rng = random.Random(seed)
    for _ in range(10):
        damaged = bytearray(good)
        start = rng.randrange(len(good))
        length = rng.choice([16, 512, 4096, 20_000])
        damaged[start : start + length] = rng.choice([bytes, rng.randbytes])(len(damaged[start : start + length]))
        path.write_bytes(damaged)
        read(tmp_path, range(60))
        heals(tmp_path, range(60, 62))


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.99])
def test_a_truncated_file(tmp_path: Path, share: float) -> None:
    path = fill(tmp_path, range(60))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    read(tmp_path, range(60))
    fill(tmp_path, range(60))
    assert read(tmp_path, range(60)) == digests(range(60))


@pytest.mark.parametrize("junk", [b"not a database", bytes(10_000), b"SQLite format 3\0" + b"\xff" * 5000])
def test_junk_in_its_place(tmp_path: Path, junk: bytes) -> None:
    path = fill(tmp_path, range(3))
    path.write_bytes(junk)
    assert read(tmp_path, range(3)) == set()
    fill(tmp_path, range(3))
    assert read(tmp_path, range(3)) == digests(range(3))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bottlenecks SET vector = NULL",
        "UPDATE bottlenecks SET vector = 7",
        "UPDATE bottlenecks SET vector = 'text'",
        "UPDATE bottlenecks SET vector = CAST(x'ff00ff' AS TEXT)",
        "UPDATE bottlenecks SET checksum = NULL",
        "UPDATE bottlenecks SET checksum = 'text'",
        "UPDATE bottlenecks SET vector = x'00000000'",
        "ALTER TABLE bottlenecks RENAME COLUMN vector TO vecton",
        "ALTER TABLE bottlenecks RENAME TO bottlenecks2",
        "CREATE VIEW other AS SELECT 1; DROP TABLE bottlenecks; CREATE VIEW bottlenecks AS SELECT 1 AS photo",
    ],
)
def test_a_database_that_is_whole_but_not_ours(tmp_path: Path, statement: str) -> None:
    path = fill(tmp_path, range(5))
    with sqlite3.connect(path) as connection:
        connection.executescript(statement)
    connection.close()
    assert read(tmp_path, range(5)) == set()
    fill(tmp_path, range(5))
    assert read(tmp_path, range(5)) == digests(range(5))


def test_a_bottleneck_under_another_photos_name_is_left_out(tmp_path: Path) -> None:
    path = fill(tmp_path, range(2))
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT vector, checksum FROM bottlenecks ORDER BY photo").fetchall()
        keys = connection.execute("SELECT photo FROM bottlenecks ORDER BY photo").fetchall()
        for (key,), (content, checksum) in zip(keys, rows[::-1], strict=True):
            connection.execute("REPLACE INTO bottlenecks VALUES (?, ?, ?)", (key, content, checksum))
    connection.close()
    assert read(tmp_path, range(2)) == set()


def refusal(folder: Path) -> str:
    with pytest.raises(EdgeretrainError) as caught:
        fill(folder, range(3))
    message = str(caught.value)
    assert "\n" not in message
    assert "the bottleneck cache cannot be written" in message and "EDGERETRAIN_CACHE" in message
    return message


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "(Not a directory)" in refusal(tmp_path / "file")


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    path = fill(tmp_path, range(3))
    path.unlink()
    path.mkdir()
    assert "(unable to open database file)" in refusal(tmp_path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere; permissions need POSIX"
)
def test_a_folder_without_permission(tmp_path: Path) -> None:
    (tmp_path / "bottlenecks").mkdir()
    (tmp_path / "bottlenecks").chmod(0o500)
    try:
        refusal(tmp_path)
    finally:
        (tmp_path / "bottlenecks").chmod(0o700)


def test_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path) -> None:
    path = fill(tmp_path, range(3))
    full = pytest.raises(EdgeretrainError, match=r"\(database or disk is full\)")
    with full, BottleneckCache(tmp_path, "settings") as cache:
        pages = cache._connection.execute("PRAGMA page_count").fetchone()[0]
        cache._connection.execute(f"PRAGMA max_page_count = {pages}")
        for number in range(3, 500):
            cache.add(digest(number), vector(digest(number)))
    assert path.is_file()
    assert digests(range(3)) <= read(tmp_path, range(3))


def test_a_lock_that_is_never_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "_LOCK_TIMEOUT_SECONDS", 0.05)
    path = fill(tmp_path, range(3))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    assert "(database is locked)" in refusal(tmp_path)
    holder.execute("ROLLBACK")
    holder.close()
    assert read(tmp_path, range(3)) == digests(range(3))


def test_an_error_of_ours_does_not_hide_the_first_one(tmp_path: Path) -> None:
    """A run that fails, and whose cache then fails too, tells of the first failure."""
    with pytest.raises(ZeroDivisionError), BottleneckCache(tmp_path, "settings") as cache:
        cache.add(digest(1), vector(digest(1)))
        shutil.rmtree(tmp_path / "bottlenecks")
        (tmp_path / "bottlenecks").write_text("")
        raise ZeroDivisionError
