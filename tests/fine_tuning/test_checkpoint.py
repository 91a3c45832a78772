"""The state of a fine-tuning on disk."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.fine_tuning.checkpoint import State, read_state, write_state
from edgeretrain.records.training import EpochRecord


def state(epochs: int = 2) -> State:
    random = np.random.default_rng(epochs)
    weights = [random.normal(size=(3, 4)).astype(np.float32) for _ in range(12)]  # so many that 10 sorts before 2
    optimizer_state: list[npt.NDArray[Any]] = [np.array(17, np.int64), np.array(0.25, np.float32), *weights]
    figures = {"validation_log_loss": 0.6, "validation_error": 0.1, "validation_top1": 0.75}
    history = [
        EpochRecord(epoch=epoch, training_loss=None if epoch == 0 else 0.5, **figures) for epoch in range(epochs + 1)
    ]
    return State(history, [*weights], optimizer_state, weights[::-1])


def same(one: State, other: State) -> bool:
    groups = [(one.weights, other.weights), (one.optimizer_state, other.optimizer_state), (one.best, other.best)]
    pairs = [pair for left, right in groups for pair in zip(left, right, strict=True)]
    return one.history == other.history and all(
        a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b) for a, b in pairs
    )


def test_what_is_written_is_read_to_the_bit(tmp_path: Path) -> None:
    write_state(tmp_path / "new" / "state.npz", state())
    read = read_state(tmp_path / "new" / "state.npz")
    assert read is not None
    assert same(read, state())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["state.npz"]


def test_a_later_state_takes_the_place(tmp_path: Path) -> None:
    for epochs in (1, 2, 3):
        write_state(tmp_path / "state.npz", state(epochs))
    read = read_state(tmp_path / "state.npz")
    assert read is not None
    assert same(read, state(3))


def test_a_write_that_fails_leaves_the_earlier_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.npz"
    write_state(path, state(1))

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(
        EdgeretrainError, match=r"No space left on device\)\. Free some room, or point EDGERETRAIN_CACHE"
    ):
        write_state(path, state(2))
    monkeypatch.undo()
    read = read_state(path)
    assert read is not None
    assert same(read, state(1))
    assert [one.name for one in tmp_path.iterdir()] == ["state.npz"]


def test_no_state(tmp_path: Path) -> None:
    assert read_state(tmp_path / "state.npz") is None
    assert read_state(tmp_path / "nowhere" / "state.npz") is None


def test_damage_is_like_no_state(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    write_state(path, state())
    whole = path.read_bytes()
    for damaged in (b"", b"PK", whole[:100], whole[: len(whole) // 2], whole[:-30], b"x" * 500):
        path.write_bytes(damaged)
        assert read_state(path) is None
    middle = bytearray(whole)
    middle[300:340] = bytes(40)
    path.write_bytes(middle)
    read = read_state(path)
    assert read is None or same(read, state())
