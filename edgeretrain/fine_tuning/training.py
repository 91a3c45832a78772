"""Epoch after epoch, until the validation photos say that it is enough."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.fine_tuning.augmentation import Pixels
from edgeretrain.fine_tuning.batches import epoch_batches, mixup_shares, steps_per_epoch
from edgeretrain.fine_tuning.checkpoint import State, read_state, write_state
from edgeretrain.fine_tuning.heads import Blend, choose_blend
from edgeretrain.fine_tuning.network import Network
from edgeretrain.fine_tuning.options import FineTuning
from edgeretrain.fine_tuning.schedule import learning_rate
from edgeretrain.head import Choice, ClassWeight, Floats, Head, Labels, Rows, choose_logistic, photo_weights

_EPOCHS_AVERAGED = 2


@dataclass(frozen=True)
class Lessons:
    """What is learnt from.

    Attributes:
        pixels: uint8 `[n,S,S,3]`.
        labels: `[n]`, 0 to classes - 1: what the heads are fitted to, and what counts for validation.
        targets: `[n, classes]`: what the network is to say of the training photos; see `targets.py`.
        training, validation: rows of both.
    """

    pixels: Pixels
    labels: Labels
    targets: Floats
    training: Rows
    validation: Rows
    class_weight: ClassWeight

    @property
    def classes(self) -> int:
        return len(self.targets[0])


def train(
    network: Network,
    lessons: Lessons,
    options: FineTuning,
    *,
    seed: int,
    state_file: Path,
    done: Callable[[int, int], None] = lambda done, total: None,
) -> list[dict[str, Any]]:
    """Tune the network; it holds the best epoch's weights afterwards.

    What counts is the moving average of the weights over the last two epochs (Polyak and Juditsky, SIAM J. Control
    Optim. 30, 1992): it is better than the weights themselves while the learning rate is high, and that is before they
    know the training photos by heart. After each epoch it gets the head that the model that ships would get (see
    `heads.py`); the best epoch is the one where this head has the least validation log loss. Epoch 0 is the frozen
    network, and its head the one that tuning starts with (linear probing, then fine-tuning: Kumar et al.,
    arXiv:2202.10054).

    Args:
        state_file: written after every epoch; a training that finds it goes on from there.
        done: told how many batches are done, of how many.

    Returns:
        A record per epoch, from epoch 0: `epoch`, `training_loss` (nats, of the photos as augmented and mixed, against
        their targets; None for epoch 0), `validation_log_loss`, `validation_top1`.
    """
    steps = steps_per_epoch(len(lessons.training), options.batch_size)
    total = options.epochs * steps
    state = read_state(state_file)
    if state is None:
        head, frozen = _refit(network, lessons)
        network.start_from(head, average_over=_EPOCHS_AVERAGED * steps)
        history: list[dict[str, Any]] = [{"epoch": 0, "training_loss": None, **frozen}]
        state = State(history, network.weights(), network.memory(), network.weights())
    else:
        network.start_from(_any_head(network, lessons), average_over=_EPOCHS_AVERAGED * steps)
        network.set_weights(state.weights)
        network.set_memory(state.memory)
    weights = np.zeros(len(lessons.labels), np.float32)
    weights[lessons.training] = photo_weights(lessons.labels[lessons.training], lessons.classes, lessons.class_weight)
    rate = partial(learning_rate, steps=total, warm_up=round(options.warm_up * steps), peak=options.learning_rate)
    for epoch in range(len(state.history), options.epochs + 1):
        if len(state.history) - 1 - best_epoch(state.history) >= options.patience:
            break
        losses: list[float] = []
        shares = mixup_shares(options, steps, seed=seed, epoch=epoch)
        batches = epoch_batches(lessons.pixels, lessons.training, options, seed=seed, epoch=epoch)
        with contextlib.closing(batches):
            for photos, rows in batches:
                step = (epoch - 1) * steps + len(losses)
                done(step, total)
                share = float(shares[len(losses)])
                losses.append(network.step(photos, lessons.targets[rows], weights[rows], rate(step), share))
        learnt, average = network.weights(), network.average()
        network.set_weights(average)
        _, verdict = _refit(network, lessons, network.head)
        network.set_weights(learnt)
        history = [*state.history, {"epoch": epoch, "training_loss": round(float(np.mean(losses)), 6), **verdict}]
        best = average if best_epoch(history) == epoch else state.best
        state = State(history, learnt, network.memory(), best)
        write_state(state_file, state)
    done(total, total)
    network.set_weights(state.best)
    return state.history


def best_epoch(history: list[dict[str, Any]]) -> int:
    """The first epoch with the least validation log loss."""
    return int(np.argmin([record["validation_log_loss"] for record in history]))


def _refit(network: Network, lessons: Lessons, trained: Head | None = None) -> tuple[Head, dict[str, float]]:
    """The head that the ordinary way fits to the training photos' bottlenecks, and what the validation photos say.

    Args:
        trained: with the network; then the verdict is on the mean of both.
    """
    values = network.bottlenecks(lessons.pixels, np.arange(len(lessons.labels)))
    head, choice = choose_logistic(
        values,
        lessons.labels,
        lessons.training,
        lessons.validation,
        lessons.classes,
        class_weight=lessons.class_weight,
    )
    verdict: Choice | Blend = choice
    if trained is not None:
        expected = lessons.labels[lessons.validation]
        weights = photo_weights(expected, lessons.classes, lessons.class_weight)
        verdict = choose_blend(trained, head, values[lessons.validation], expected, weights)
    return head, {
        "validation_log_loss": round(verdict.validation_log_loss, 6),
        "validation_top1": round(verdict.validation_top1, 6),
    }


def _any_head(network: Network, lessons: Lessons) -> Head:
    return Head(np.zeros((network.length, lessons.classes), np.float32), np.zeros(lessons.classes, np.float32))
