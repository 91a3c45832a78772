"""Several trainings from the same start, and the mean of their weights: a model soup.

Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time", arXiv:2203.05482. A few hundred photos leave much to chance: which of them come first, how they are
cropped. What several trainings have in common is what the photos teach; and the file is as small and as fast as any.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeretrain.fine_tuning.checkpoint import Arrays, State
from edgeretrain.fine_tuning.network import Network
from edgeretrain.fine_tuning.training import Lessons, Verdict, best_epoch, judge, start, train
from edgeretrain.fine_tuning_options import FineTuning
from edgeretrain.records.training import EpochRecord, TrainingRecord


@dataclass(frozen=True)
class Soup:
    """What the trainings came to.

    Attributes:
        trainings: all of them.
        averaged: the numbers of those whose best weights are in the mean, from 0; none: no training was better than
            the frozen network.
        verdict: what the validation photos say of the mean; see `judge`.
    """

    trainings: tuple[TrainingRecord, ...]
    averaged: list[int]
    verdict: Verdict


def cook(
    network: Network,
    lessons: Lessons,
    options: FineTuning,
    *,
    seed: int,
    folder: Path,
    done: Callable[[int, int], None] = lambda done, total: None,
) -> Soup:
    """Train `options.soup` times; the network holds the mean afterwards.

    Trainings that beat the frozen network count. Should the validation photos find their mean worse than the best of
    them, by more than a standard error, that one ships alone: weights that lie too far apart have no good mean.

    Args:
        folder: where the trainings' states are kept; one that was stopped goes on from there.
        done: told how many batches are done, of how many.
    """
    first = start(network, lessons, options)
    states: list[State] = []
    for number in range(options.soup):

        def told(batches: int, total: int, number: int = number) -> None:
            done(number * total + batches, options.soup * total)

        file = folder / f"training{number}.npz"
        states.append(
            train(network, lessons, options, first, seed=options.soup * seed + number, state_file=file, done=told)
        )
    bests = [best_epoch(state.history) for state in states]
    trainings = tuple(
        TrainingRecord(seed=options.soup * seed + number, best_epoch=best, history=tuple(state.history))
        for number, (state, best) in enumerate(zip(states, bests, strict=True))
    )
    verdicts = [_verdict(state.history[best]) for state, best in zip(states, bests, strict=True)]
    better = [number for number, best in enumerate(bests) if best]
    if not better:
        network.set_weights(first.best)
        return Soup(trainings, [], verdicts[0])
    network.set_weights(_mean([states[number].best for number in better]))
    _, verdict = judge(network, lessons, network.head)
    alone = min(better, key=lambda number: verdicts[number].log_loss)
    if verdict.log_loss > verdicts[alone].log_loss + verdicts[alone].error:
        network.set_weights(states[alone].best)
        better, verdict = [alone], verdicts[alone]
    return Soup(trainings, better, verdict)


def _verdict(epoch: EpochRecord) -> Verdict:
    return Verdict(epoch.validation_log_loss, epoch.validation_error, epoch.validation_top1)


def _mean(weights: list[Arrays]) -> Arrays:
    return [np.asarray(np.mean(same, axis=0, dtype=np.float64), np.float32) for same in zip(*weights, strict=True)]
