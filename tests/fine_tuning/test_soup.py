"""Several trainings, and the mean of their weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeretrain.fine_tuning import FineTuning
from edgeretrain.fine_tuning import soup as module
from edgeretrain.fine_tuning.checkpoint import State
from edgeretrain.fine_tuning.soup import train_soup
from edgeretrain.fine_tuning.training import ValidationMetrics
from edgeretrain.head.softmax import Head
from edgeretrain.records.training import EpochRecord


def metrics(loss: float) -> ValidationMetrics:
    return ValidationMetrics(log_loss=loss, error=0.05, top1=0.5)


def epoch(number: int, training_loss: float | None, loss: float) -> EpochRecord:
    figures = {"validation_log_loss": loss, "validation_error": 0.05, "validation_top1": 0.5}
    return EpochRecord(epoch=number, training_loss=training_loss, **figures)


class Pot:
    """Stands in for a `TrainableNetwork`: it holds weights."""

    head = Head(np.zeros((2, 2), np.float32), np.zeros(2, np.float32))

    def __init__(self) -> None:
        self.held: list[np.ndarray] = []

    def set_weights(self, values: list[np.ndarray]) -> None:
        self.held = values


class Kitchen:
    """Stands in for `training.py`: trainings whose validation log losses are given, and whose best weights are the
    number of the training, from 1; the frozen network's are 0."""

    def __init__(self, patch: pytest.MonkeyPatch, losses: list[float], mean: float) -> None:
        self.losses, self.mean = losses, mean
        self.trained: list[tuple[State, int, Path]] = []
        self.frozen = State([epoch(0, None, 0.9)], [], [], [np.zeros(3, np.float32)])
        patch.setattr(module, "start", lambda *_: self.frozen)
        patch.setattr(module, "train", self.train)
        patch.setattr(module, "validate", lambda *_: (Pot.head, metrics(self.mean)))

    def train(self, *arguments: Any, seed: int, state_file: Path, done: Any) -> State:
        self.trained.append((arguments[3], seed, state_file))
        number = len(self.trained)
        record = epoch(1, 0.5, self.losses[number - 1])
        done(0, 10)
        done(10, 10)
        best = 0 if record.validation_log_loss >= 0.9 else number
        return State([*self.frozen.history, record], [], [], [np.full(3, best, np.float32)])


def run(kitchen: Kitchen, *, seed: int = 0, done: Any = lambda *_: None) -> tuple[Pot, module.Soup]:
    pot: Any = Pot()
    options = FineTuning(soup=len(kitchen.losses))
    training_set: Any = None
    return pot, train_soup(pot, training_set, options, seed=seed, folder=Path("work"), done=done)


def test_the_mean_of_all_that_are_better_than_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    kitchen = Kitchen(monkeypatch, [0.5, 0.95, 0.6], mean=0.4)
    pot, soup = run(kitchen)
    assert soup.averaged == [0, 2]
    np.testing.assert_array_equal(pot.held, [np.full(3, 2)])  # of 1 and 3
    assert pot.held[0].dtype == np.float32
    assert soup.metrics == metrics(0.4)
    assert [(training.seed, training.best_epoch) for training in soup.trainings] == [(0, 1), (1, 0), (2, 1)]
    assert [training.history[1].validation_log_loss for training in soup.trainings] == [0.5, 0.95, 0.6]


def test_every_training_starts_from_the_frozen_network(monkeypatch: pytest.MonkeyPatch) -> None:
    kitchen = Kitchen(monkeypatch, [0.5, 0.5], mean=0.4)
    run(kitchen, seed=7)
    files = [Path("work/training0.npz"), Path("work/training1.npz")]
    assert kitchen.trained == [(kitchen.frozen, 14, files[0]), (kitchen.frozen, 15, files[1])]


def test_soups_of_other_seeds_have_no_training_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    for seed in range(4):
        kitchen = Kitchen(monkeypatch, [0.5, 0.5, 0.5], mean=0.4)
        run(kitchen, seed=seed)
        seeds += [own for _, own, _ in kitchen.trained]
    assert len(set(seeds)) == 12


def test_when_no_training_is_better_the_frozen_weights_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    pot, soup = run(Kitchen(monkeypatch, [0.95, 1.2], mean=0.4))
    assert soup.averaged == []
    assert soup.metrics == metrics(0.9)
    np.testing.assert_array_equal(pot.held, [np.zeros(3)])


@pytest.mark.parametrize(("mean", "averaged", "weights"), [(0.549, [0, 1], 1.5), (0.551, [1], 2)])
def test_a_mean_that_is_clearly_worse_than_the_best_training(
    monkeypatch: pytest.MonkeyPatch, mean: float, averaged: list[int], weights: float
) -> None:
    pot, soup = run(Kitchen(monkeypatch, [0.6, 0.5], mean))
    assert soup.averaged == averaged
    np.testing.assert_array_equal(pot.held, [np.full(3, weights)])
    assert soup.metrics == metrics(mean if len(averaged) == 2 else 0.5)


def test_progress_is_that_of_all_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    run(Kitchen(monkeypatch, [0.5, 0.5, 0.5], mean=0.4), done=lambda *one: seen.append(one))
    assert seen == [(0, 30), (10, 30), (10, 30), (20, 30), (20, 30), (30, 30)]
