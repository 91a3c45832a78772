"""A lock file whose owner was killed before it could write into it, and one that another process takes first."""

import os
from pathlib import Path

import pytest

from edgeretrain.files import owner_lock
from edgeretrain.files.owner_lock import new_owner_lock, take_abandoned
from edgeretrain.files.partial_folder import partial_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="another system call locks files there")


def test_an_empty_lock_that_nobody_holds_is_abandoned(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    lock = take_abandoned(tmp_path / "lock", list)
    assert lock is not None
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_held_is_left_alone(tmp_path: Path) -> None:
    lock = new_owner_lock(tmp_path / "lock")
    assert take_abandoned(tmp_path / "lock", list) is None
    lock.release()


def test_what_a_kill_left_of_a_new_lock_is_removed_by_the_next_run(tmp_path: Path) -> None:
    (tmp_path / f".run.partial-{'0' * 32}.lock").touch()
    with partial_folder(tmp_path / "run") as partial:
        assert [path for path in tmp_path.iterdir() if path != partial and path.suffix != ".lock"] == []
    assert list(tmp_path.iterdir()) == []


def test_who_is_too_slow_to_lock_a_new_file_takes_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process cleans up between making the file and locking it."""
    try_lock = owner_lock._try_lock
    answers = iter([False])

    def too_slow(descriptor: int) -> bool | None:
        return next(answers, None) if (answer := try_lock(descriptor)) is None else next(answers, answer)

    monkeypatch.setattr(owner_lock, "_try_lock", too_slow)
    with partial_folder(tmp_path / "run") as partial:
        locks = sorted(tmp_path.glob(".run.partial-*.lock"))
        assert len(locks) == 2 and partial.is_dir()  # the first is for the other process to remove
    assert len(list(tmp_path.iterdir())) == 1
