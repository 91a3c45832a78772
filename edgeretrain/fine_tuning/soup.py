"""Several trainings from the same start, and the mean of their weights: a model soup.

Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time", arXiv:2203.05482. With a few hundred photos, much depends on chance: their order, how they are cropped.
The mean of several trainings keeps what they have in common; the file is as small and as fast as that of one training.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeretrain.fine_tuning.checkpoint import Arrays, State
from edgeretrain.fine_tuning.trainable_network import TrainableNetwork
from edgeretrain.fine_tuning.training import TrainingSet, ValidationMetrics, best_epoch, start, train, validate
from edgeretrain.options import FineTuning
from edgeretrain.records.training import EpochRecord, TrainingRecord


@dataclass(frozen=True)
class Soup:
    """The result of several trainings.

    Attributes:
        trainings: in the order of their numbers, from 0.
        averaged: numbers of the trainings whose best weights are in the mean; empty: no training was better than the
            frozen network.
        metrics: of the mean, on the validation photos; see `validate`.
    """

    trainings: tuple[TrainingRecord, ...]
    averaged: list[int]
    metrics: ValidationMetrics


def train_soup(
    network: TrainableNetwork,
    training_set: TrainingSet,
    options: FineTuning,
    *,
    seed: int,
    folder: Path,
    done: Callable[[int, int], None] = lambda done, total: None,
) -> Soup:
    """Train `options.soup` times; the network holds the mean of the weights afterwards.

    Only trainings that are better than the frozen network count. If the mean is worse than the best of them by more
    than a standard error on the validation photos, the best training is taken alone: weights that are too far apart
    have no good mean.

    Args:
        folder: where the trainings' states are kept; a training that was stopped goes on from its state.
        done: called with the batches that are done and their total.
    """
    first = start(network, training_set, options)
    states: list[State] = []
    for number in range(options.soup):

        def report(batches: int, total: int, number: int = number) -> None:
            done(number * total + batches, options.soup * total)

        file = folder / f"training{number}.npz"
        states.append(
            train(
                network, training_set, options, first, seed=options.soup * seed + number, state_file=file, done=report
            )
        )
    bests = [best_epoch(state.history) for state in states]
    trainings = tuple(
        TrainingRecord(seed=options.soup * seed + number, best_epoch=best, history=tuple(state.history))
        for number, (state, best) in enumerate(zip(states, bests, strict=True))
    )
    metrics = [_validation_metrics(state.history[best]) for state, best in zip(states, bests, strict=True)]
    better = [number for number, best in enumerate(bests) if best]
    if not better:
        network.set_weights(first.best)
        return Soup(trainings, [], metrics[0])
    network.set_weights(_mean([states[number].best for number in better]))
    _, mean_metrics = validate(network, training_set, network.head)
    alone = min(better, key=lambda number: metrics[number].log_loss)
    if mean_metrics.log_loss > metrics[alone].log_loss + metrics[alone].error:
        network.set_weights(states[alone].best)
        better, mean_metrics = [alone], metrics[alone]
    return Soup(trainings, better, mean_metrics)


def _validation_metrics(epoch: EpochRecord) -> ValidationMetrics:
    return ValidationMetrics(epoch.validation_log_loss, epoch.validation_error, epoch.validation_top1)


def _mean(weights: list[Arrays]) -> Arrays:
    return [np.asarray(np.mean(same, axis=0, dtype=np.float64), np.float32) for same in zip(*weights, strict=True)]
