"""Train a network epoch by epoch, with early stopping on the validation photos."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edgeretrain.data.pixels import Pixels
from edgeretrain.fine_tuning.batches import epoch_batches, mixup_weights, steps_per_epoch
from edgeretrain.fine_tuning.checkpoint import State, read_state, write_state
from edgeretrain.fine_tuning.schedule import learning_rate
from edgeretrain.fine_tuning.trainable_network import TrainableNetwork
from edgeretrain.head.blend import blend, choose_blend
from edgeretrain.head.logistic import choose_logistic
from edgeretrain.head.softmax import ClassWeight, Floats, Head, Labels, Rows, log_loss, photo_weights
from edgeretrain.options import FineTuning
from edgeretrain.records.training import EpochRecord

_EPOCHS_AVERAGED = 2


@dataclass(frozen=True)
class TrainingSet:
    """The photos of a training, their labels and targets.

    Attributes:
        pixels: uint8 `[n,S,S,3]`.
        detailed: the same photos, uint8 `[n,D,D,3]`; see `augmentation.py`.
        labels: `[n]`, 0 to classes - 1: for fitting the heads and for validation.
        targets: `[n, classes]`: of the training photos, for the network; see `targets.py`.
        training, validation: rows of the photos.
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
class ValidationMetrics:
    """A network with its head on the validation photos.

    Attributes:
        log_loss: mean over the photos, nats.
        error: standard error of that, nats.
        top1: accuracy, 0 to 1.
    """

    log_loss: float
    error: float
    top1: float


def start(network: TrainableNetwork, training_set: TrainingSet, options: FineTuning) -> State:
    """Set up a frozen network for training; returns the state from which every training starts.

    That is epoch 0, the frozen network, whose head is the first one of the tuning (linear probing, then fine-tuning:
    Kumar et al., arXiv:2202.10054).
    """
    head, frozen = validate(network, training_set)
    network.start_from(
        head, average_over=_EPOCHS_AVERAGED * steps_per_epoch(len(training_set.training), options.batch_size)
    )
    return State([_epoch(0, None, frozen)], network.weights(), network.optimizer_state(), network.weights())


def train(
    network: TrainableNetwork,
    training_set: TrainingSet,
    options: FineTuning,
    first: State,
    *,
    seed: int,
    state_file: Path,
    done: Callable[[int, int], None] = lambda done, total: None,
) -> State:
    """Tune the network, from the state `first` on.

    The result is the moving average of the weights over the last two epochs (Polyak and Juditsky, SIAM J. Control
    Optim. 30, 1992): it is better than the weights themselves while the learning rate is high, and that is before the
    network has memorised the training photos. After each epoch the average gets the head that the finished model would
    get (`blend`), and is evaluated on the validation photos; see `best_epoch`.

    Args:
        state_file: written after every epoch; if it is there, the training goes on from it.
        done: called with the batches that are done and their total.

    Returns:
        The last state. The training loss in its history is the mean over the photos as they were augmented and mixed,
        against their targets.
    """
    steps = steps_per_epoch(len(training_set.training), options.batch_size)
    total = options.epochs * steps
    state = read_state(state_file) or first
    network.set_weights(state.weights)
    network.set_optimizer_state(state.optimizer_state)
    weights = np.zeros(len(training_set.labels), np.float32)
    weights[training_set.training] = photo_weights(
        training_set.labels[training_set.training], training_set.classes, training_set.class_weight
    )
    rate = partial(learning_rate, steps=total, warm_up=round(options.warm_up * steps), peak=options.learning_rate)
    for epoch in range(len(state.history), options.epochs + 1):
        if len(state.history) - 1 - best_epoch(state.history) >= options.patience:
            break
        losses: list[float] = []
        lambdas = mixup_weights(options, steps, seed=seed, epoch=epoch)
        batches = epoch_batches(
            training_set.pixels, training_set.detailed, training_set.training, options, seed=seed, epoch=epoch
        )
        with contextlib.closing(batches):
            for photos, rows in batches:
                step = (epoch - 1) * steps + len(losses)
                done(step, total)
                mixup_lambda = float(lambdas[len(losses)])
                losses.append(network.step(photos, training_set.targets[rows], weights[rows], rate(step), mixup_lambda))
        current, average = network.weights(), network.average()
        network.set_weights(average)
        _, metrics = validate(network, training_set, network.head)
        network.set_weights(current)
        history = [*state.history, _epoch(epoch, round(float(np.mean(losses)), 6), metrics)]
        best = average if best_epoch(history) == epoch else state.best
        state = State(history, current, network.optimizer_state(), best)
        write_state(state_file, state)
    done(total, total)
    return state


def _epoch(number: int, training_loss: float | None, metrics: ValidationMetrics) -> EpochRecord:
    return EpochRecord(
        epoch=number,
        training_loss=training_loss,
        validation_log_loss=metrics.log_loss,
        validation_error=metrics.error,
        validation_top1=metrics.top1,
    )


def best_epoch(history: Sequence[EpochRecord]) -> int:
    """The last epoch whose validation log loss is within one standard error of the least one (Breiman et al.,
    Classification and Regression Trees, 1984, 3.4.3) and below that of epoch 0; 0 if there is none.

    With a hundred validation photos, which of many epochs has the least log loss is a matter of luck; and the later an
    epoch, the lower its learning rate.
    """
    losses = [epoch.validation_log_loss for epoch in history]
    least = int(np.argmin(losses))
    limit = losses[least] + history[least].validation_error
    return max((epoch for epoch, loss in enumerate(losses) if loss <= limit and loss < losses[0]), default=0)


def validate(
    network: TrainableNetwork, training_set: TrainingSet, trained: Head | None = None
) -> tuple[Head, ValidationMetrics]:
    """Fit a head to the training photos' bottlenecks as for a frozen backbone, and evaluate the network with it.

    Args:
        trained: the head that was trained with the network: then the blend of both heads is evaluated.

    Returns:
        The fitted head, and the metrics on the validation photos.
    """
    values = network.bottlenecks(training_set.pixels, np.arange(len(training_set.labels)))
    head, _ = choose_logistic(
        values,
        training_set.labels,
        training_set.training,
        training_set.validation,
        training_set.classes,
        class_weight=training_set.class_weight,
    )
    expected = training_set.labels[training_set.validation]
    weights = photo_weights(expected, training_set.classes, training_set.class_weight)
    evaluated, unseen = head, values[training_set.validation]
    if trained is not None:
        evaluated = blend(trained, head, choose_blend(trained, head, unseen, expected, weights).temperature)
    probabilities = evaluated.probabilities(unseen)
    loss = log_loss(probabilities, expected, weights)
    losses = -np.log(np.maximum(probabilities[np.arange(len(expected)), expected].astype(np.float64), 1e-7))
    spread = np.sqrt(np.average(np.square(losses - loss), weights=weights))
    return head, ValidationMetrics(
        log_loss=round(loss, 6),
        error=round(float(spread) / len(expected) ** 0.5, 6),
        top1=round(float((probabilities.argmax(axis=1) == expected).mean()), 6),
    )
