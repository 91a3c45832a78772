"""Epoch after epoch, until the validation photos say that it is enough."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edgeretrain.data.decoded import Pixels
from edgeretrain.fine_tuning.batches import epoch_batches, mixup_shares, steps_per_epoch
from edgeretrain.fine_tuning.checkpoint import State, read_state, write_state
from edgeretrain.fine_tuning.network import Network
from edgeretrain.fine_tuning.schedule import learning_rate
from edgeretrain.fine_tuning_options import FineTuning
from edgeretrain.head.blend import blend, choose_blend
from edgeretrain.head.logistic import choose_logistic
from edgeretrain.head.softmax import ClassWeight, Floats, Head, Labels, Rows, log_loss, photo_weights
from edgeretrain.records.training import EpochRecord

_EPOCHS_AVERAGED = 2


@dataclass(frozen=True)
class Lessons:
    """What is learnt from.

    Attributes:
        pixels: uint8 `[n,S,S,3]`.
        detailed: the same photos, uint8 `[n,D,D,3]`; see `augmentation.py`.
        labels: `[n]`, 0 to classes - 1: what the heads are fitted to, and what counts for validation.
        targets: `[n, classes]`: what the network is to say of the training photos; see `targets.py`.
        training, validation: rows of both.
    """

    pixels: Pixels
    detailed: Pixels
    labels: Labels
    targets: Floats
    training: Rows
    validation: Rows
    class_weight: ClassWeight

    @property
    def classes(self) -> int:
        return len(self.targets[0])


@dataclass(frozen=True)
class Verdict:
    """What the validation photos say of a network with its head.

    Attributes:
        log_loss: nats.
        error: standard error of that, nats.
        top1: 0 to 1.
    """

    log_loss: float
    error: float
    top1: float


def start(network: Network, lessons: Lessons, options: FineTuning) -> State:
    """Make a frozen network ready to learn, and say where every training starts.

    That is epoch 0, the frozen network, and its head the one that tuning starts with (linear probing, then fine-tuning:
    Kumar et al., arXiv:2202.10054).
    """
    head, frozen = judge(network, lessons)
    network.start_from(head, average_over=_EPOCHS_AVERAGED * steps_per_epoch(len(lessons.training), options.batch_size))
    return State([_epoch(0, None, frozen)], network.weights(), network.memory(), network.weights())


def train(
    network: Network,
    lessons: Lessons,
    options: FineTuning,
    first: State,
    *,
    seed: int,
    state_file: Path,
    done: Callable[[int, int], None] = lambda done, total: None,
) -> State:
    """Tune the network, from the state `first` on.

    What counts is the moving average of the weights over the last two epochs (Polyak and Juditsky, SIAM J. Control
    Optim. 30, 1992): it is better than the weights themselves while the learning rate is high, and that is before they
    know the training photos by heart. After each epoch it gets the head that the model that ships would get (see
    `heads.py`), and the validation photos judge it; see `best_epoch`.

    Args:
        state_file: written after every epoch; a training that finds it goes on from there.
        done: told how many batches are done, of how many.

    Returns:
        The last state. Its history holds every epoch, from epoch 0.
    """
    steps = steps_per_epoch(len(lessons.training), options.batch_size)
    total = options.epochs * steps
    state = read_state(state_file) or first
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
        batches = epoch_batches(lessons.pixels, lessons.detailed, lessons.training, options, seed=seed, epoch=epoch)
        with contextlib.closing(batches):
            for photos, rows in batches:
                step = (epoch - 1) * steps + len(losses)
                done(step, total)
                share = float(shares[len(losses)])
                losses.append(network.step(photos, lessons.targets[rows], weights[rows], rate(step), share))
        learnt, average = network.weights(), network.average()
        network.set_weights(average)
        _, verdict = judge(network, lessons, network.head)
        network.set_weights(learnt)
        history = [*state.history, _epoch(epoch, round(float(np.mean(losses)), 6), verdict)]
        best = average if best_epoch(history) == epoch else state.best
        state = State(history, learnt, network.memory(), best)
        write_state(state_file, state)
    done(total, total)
    return state


def _epoch(number: int, training_loss: float | None, verdict: Verdict) -> EpochRecord:
    return EpochRecord(
        epoch=number,
        training_loss=training_loss,
        validation_log_loss=verdict.log_loss,
        validation_error=verdict.error,
        validation_top1=verdict.top1,
    )


def best_epoch(history: Sequence[EpochRecord]) -> int:
    """The last epoch that the validation photos cannot tell from the one with the least log loss: no more than one
    standard error from it (Breiman et al., Classification and Regression Trees, 1984, 3.4.3), and below epoch 0's.

    The very least of many epochs is a matter of luck when a hundred photos judge; and the later an epoch, the lower the
    learning rate.
    """
    losses = [epoch.validation_log_loss for epoch in history]
    least = int(np.argmin(losses))
    limit = losses[least] + history[least].validation_error
    return max((epoch for epoch, loss in enumerate(losses) if loss <= limit and loss < losses[0]), default=0)


def judge(network: Network, lessons: Lessons, trained: Head | None = None) -> tuple[Head, Verdict]:
    """The head that the ordinary way fits to the training photos' bottlenecks, and what the validation photos say of
    the network with it.

    Args:
        trained: with the network; then the verdict is on the mean of both heads.
    """
    values = network.bottlenecks(lessons.pixels, np.arange(len(lessons.labels)))
    head, _ = choose_logistic(
        values,
        lessons.labels,
        lessons.training,
        lessons.validation,
        lessons.classes,
        class_weight=lessons.class_weight,
    )
    expected = lessons.labels[lessons.validation]
    weights = photo_weights(expected, lessons.classes, lessons.class_weight)
    judged, unseen = head, values[lessons.validation]
    if trained is not None:
        judged = blend(trained, head, choose_blend(trained, head, unseen, expected, weights).temperature)
    probabilities = judged.probabilities(unseen)
    loss = log_loss(probabilities, expected, weights)
    each = -np.log(np.maximum(probabilities[np.arange(len(expected)), expected].astype(np.float64), 1e-7))
    spread = np.sqrt(np.average(np.square(each - loss), weights=weights))
    return head, Verdict(
        log_loss=round(loss, 6),
        error=round(float(spread) / len(expected) ** 0.5, 6),
        top1=round(float((probabilities.argmax(axis=1) == expected).mean()), 6),
    )
