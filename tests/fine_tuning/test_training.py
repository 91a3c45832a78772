"""Epoch after epoch: the curve, the best weights, stopping early, and going on after an interruption."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeretrain.fine_tuning import FineTuning
from edgeretrain.fine_tuning import training as module
from edgeretrain.fine_tuning.checkpoint import State
from edgeretrain.fine_tuning.training import TrainingSet, ValidationMetrics, best_epoch, start, train
from edgeretrain.head.logistic import choose_logistic
from edgeretrain.head.softmax import Head, Rows

OPTIONS = FineTuning(epochs=5, batch_size=4, patience=5, learning_rate=0.01)


class Toy:
    """Stands in for a `TrainableNetwork`: its bottlenecks are 8 numbers of the photo times `scale`, which each step
    changes."""

    length = 8

    def __init__(self) -> None:
        self.scale = np.ones(8, np.float32)
        self._head = Head(np.zeros((8, 2), np.float32), np.zeros(2, np.float32))
        self.steps = 0
        self.rates: list[float] = []
        self.started = False

    def bottlenecks(self, pixels: np.ndarray, rows: Rows) -> np.ndarray:
        return pixels[rows].reshape(len(rows), -1)[:, :8].astype(np.float32) / 255 * self.scale

    def start_from(self, head: Head, *, average_over: int) -> None:
        # A real network's head is among its weights; this one's is the same after an interruption, too.
        head = Head(np.eye(8, 2, dtype=np.float32), np.zeros(2, np.float32))
        assert average_over == 10  # two epochs of five steps
        self._head, self.started = head, True

    def step(self, photos: np.ndarray, targets: np.ndarray, weights: np.ndarray, rate: float, share: float) -> float:
        assert self.started
        assert 0.5 <= share <= 1
        assert (weights > 0).all()
        assert targets.shape == (4, 2)
        self.steps += 1
        self.rates.append(rate)
        self.scale = self.scale + np.float32(rate) * photos.reshape(len(photos), -1)[:, :8].mean(axis=0) / 255
        return float(self.scale.mean())

    def weights(self) -> list[np.ndarray]:
        return [self.scale.copy()]

    def set_weights(self, values: list[np.ndarray]) -> None:
        self.scale = values[0].copy()

    @property
    def head(self) -> Head:
        return Head(self._head.weights * self.scale[:, None], self._head.bias)

    def average(self) -> list[np.ndarray]:
        return [self.scale.copy()]

    def optimizer_state(self) -> list[np.ndarray]:
        return [np.array(self.steps)]

    def set_optimizer_state(self, values: list[np.ndarray]) -> None:
        self.steps = int(values[0])


@pytest.fixture
def training_set() -> TrainingSet:
    random = np.random.default_rng(5)
    labels = np.arange(24) % 2
    pixels = random.integers(0, 200, (24, 4, 4, 3)) + 40 * labels[:, None, None, None]
    targets = np.eye(2, dtype=np.float32)[labels]
    photos = pixels.astype(np.uint8)
    return TrainingSet(photos, doubled(photos), labels, targets, np.arange(18), np.arange(18, 24), "balanced")


def doubled(pixels: np.ndarray) -> np.ndarray:
    return pixels.repeat(2, axis=1).repeat(2, axis=2)


def validation_losses(monkeypatch: pytest.MonkeyPatch, losses: list[float], error: float = 0) -> None:
    """Let the validation photos say this, epoch by epoch."""
    left = iter(losses)
    head = Head(np.zeros((8, 2), np.float32), np.zeros(2, np.float32))
    monkeypatch.setattr(
        module, "validate", lambda *_: (head, ValidationMetrics(log_loss=next(left), error=error, top1=0.5))
    )


def run(training_set: TrainingSet, path: Path, options: FineTuning = OPTIONS, **more: Any) -> tuple[Toy, State]:
    toy: Any = Toy()
    first = start(toy, training_set, options)
    return toy, train(toy, training_set, options, first, seed=3, state_file=path / "state.npz", **more)


def test_the_curve(training_set: TrainingSet, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    toy, state = run(training_set, tmp_path, done=lambda *one: seen.append(one))
    history = state.history
    assert [record.epoch for record in history] == [0, 1, 2, 3, 4, 5]
    assert history[0].training_loss is None
    assert all(0 <= record.validation_top1 <= 1 for record in history)
    assert seen == [*((done, 25) for done in range(25)), (25, 25)]
    assert np.argmax(toy.rates) in (4, 5)  # the warm-up is one epoch of five steps


def test_the_best_weights_are_kept(training_set: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validation_losses(monkeypatch, [0.9, 0.8, 0.5, 0.6, 0.5, 0.7])
    _, best = run(training_set, tmp_path / "all")
    assert best_epoch(best.history) == 4  # of equals, the last
    rates = FineTuning(**{**vars(OPTIONS), "patience": 1})
    validation_losses(monkeypatch, [0.9, 0.8, 0.5, 0.5, 0.5, 0.6])
    _, kept = run(training_set, tmp_path / "kept", rates)
    assert np.array_equal(kept.best, best.best)
    assert not np.array_equal(kept.best, kept.weights)
    validation_losses(monkeypatch, [0.9, 0.8, 0.5, 0.6])
    _, stopped = run(training_set, tmp_path / "stopped", rates)
    assert len(stopped.history) == 4  # the first epoch without progress was the last


def test_of_epochs_that_cannot_be_told_apart_the_last_is_the_best() -> None:
    def best(losses: list[float], errors: list[float]) -> int:
        figures = enumerate(ValidationMetrics(*pair, 0.5) for pair in zip(losses, errors, strict=True))
        return best_epoch([module._epoch(number, 0.5, metrics) for number, metrics in figures])

    assert best([0.9, 0.5, 0.54, 0.56], [0.3, 0.05, 0.1, 0.1]) == 2
    assert best([0.9, 0.5, 0.54, 0.55], [0.3, 0.05, 0.1, 0.1]) == 3
    assert best([0.52, 0.5, 0.54, 0.53], [0.3, 0.05, 0.1, 0.1]) == 1  # the others are worse than frozen
    assert best([0.5, 0.5, 0.51], [0.3, 0.3, 0.3]) == 0


def test_the_standard_error_is_that_of_the_mean(training_set: TrainingSet, tmp_path: Path) -> None:
    _, state = run(training_set, tmp_path)
    history = state.history
    values = Toy().bottlenecks(training_set.pixels, np.arange(24))
    head, choice = choose_logistic(values, training_set.labels, training_set.training, training_set.validation, 2)
    rows = training_set.validation
    losses = -np.log(head.probabilities(values[rows])[np.arange(6), training_set.labels[rows]])
    assert history[0].validation_log_loss == pytest.approx(losses.mean(), abs=1e-5)
    assert history[0].validation_log_loss == pytest.approx(choice.validation_log_loss, abs=1e-5)
    assert history[0].validation_error == pytest.approx(losses.std() / 6**0.5, abs=1e-5)


def test_when_no_epoch_is_better_the_frozen_weights_stay(
    training_set: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validation_losses(monkeypatch, [0.4, 0.5, 0.41, 0.6, 0.7, 0.8])
    _, state = run(training_set, tmp_path)
    assert best_epoch(state.history) == 0
    assert np.array_equal(state.best, np.ones((1, 8)))


@pytest.mark.parametrize("batch", [1, 5, 7, 13, 24])
def test_an_interrupted_training_ends_the_same(training_set: TrainingSet, tmp_path: Path, batch: int) -> None:
    _, whole = run(training_set, tmp_path / "whole")

    def stop(done: int, total: int) -> None:
        if done == batch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(training_set, tmp_path / "stopped", done=stop)
    began: list[int] = []
    _, again = run(training_set, tmp_path / "stopped", done=lambda done, total: began.append(done))
    assert began[0] == batch // 5 * 5  # after the last finished epoch
    assert again.history == whole.history
    assert np.array_equal(again.best, whole.best)


def test_a_finished_training_is_not_done_again(training_set: TrainingSet, tmp_path: Path) -> None:
    _, once = run(training_set, tmp_path)
    toy, twice = run(training_set, tmp_path)
    assert toy.rates == []
    assert twice.history == once.history
    assert np.array_equal(twice.best, once.best)


def test_two_trainings_start_from_the_same(training_set: TrainingSet, tmp_path: Path) -> None:
    toy: Any = Toy()
    first = start(toy, training_set, OPTIONS)
    one, other = (
        train(toy, training_set, OPTIONS, first, seed=3, state_file=tmp_path / name)
        for name in ("one.npz", "other.npz")
    )
    assert one.history == other.history
    assert np.array_equal(one.weights, other.weights)


def test_validation_photos_are_never_learnt_from(training_set: TrainingSet, tmp_path: Path) -> None:
    other = training_set.pixels.copy()
    other[training_set.validation] = 255 - other[training_set.validation]
    one, _ = run(training_set, tmp_path / "one")
    changed = replace(training_set, pixels=other, detailed=doubled(other))
    two, _ = run(changed, tmp_path / "two")
    assert one.rates == two.rates
    assert one.optimizer_state() == two.optimizer_state()
