"""Are ImageNet's class scores a better bottleneck than the features they are made of? The tables in logits.md.

    EDGERETRAIN_PHOTOS=... EDGERETRAIN_WEIGHTS=... python benchmarks/logits.py [--folds 10] [--repeats 3]
        [--photos FOLDER] [--precisions float32,int8]

retrain.py and TensorFlow for Poets trained MobileNet V1 on its 1001 class scores. Here both bottlenecks of the four V1
presets of width 0.25 are judged on the same folds of flower_photos, with the default head and with retrain.py's.
Backbones that are not there yet are built, which needs the `tensorflow` extra.
"""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from folds import (
    Doubles,
    Fold,
    Rows,
    argument_parser,
    difference,
    machine,
    parsed,
    percent,
    photo_sets,
    repeated_folds,
    table,
)

from edgeretrain.backbone import find_backbone
from edgeretrain.backbone.presets import BOTTLENECKS, with_bottleneck
from edgeretrain.data.photos import PhotoSet
from edgeretrain.features.extract import Column, Extractor
from edgeretrain.head.logistic import choose_logistic, fit_logistic
from edgeretrain.head.sgd import Sgd, fit_sgd
from edgeretrain.head.softmax import Head, log_loss
from edgeretrain.paths import cache_folder
from edgeretrain.precision import Precision
from edgeretrain.threads import available_cores

PRESETS = tuple(f"mobilenet_v1_025_{size}" for size in (128, 160, 192, 224))
HEADS = ("default", "retrain.py: 4,000 SGD steps")
HEADER = ("preset", "bottleneck", "head", "top-1, %", "to features", "log loss", "to features")


@dataclass(frozen=True)
class Data:
    """Bottlenecks of one photo set, float32 `[n,d]`."""

    values: npt.NDArray[np.float32]
    labels: Rows
    classes: int


@dataclass(frozen=True)
class Answers:
    """Of every photo while it was held out, `[repeats, n]`: whether the head was right, and its loss in nats."""

    right: Doubles
    losses: Doubles


def fit_heads(data: Data, fold: Fold) -> list[Head]:
    """The heads of HEADS, trained on one fold."""
    learning = np.concatenate([fold.training, fold.validation])
    _, choice = choose_logistic(data.values, data.labels, fold.training, fold.validation, data.classes)
    return [
        fit_logistic(data.values, data.labels, learning, data.classes, l2=choice.l2),
        fit_sgd(data.values, data.labels, fold.training, data.classes, Sgd(), class_weight="balanced", seed=0),
    ]


_data: Data  # of a worker process


def _start(data: Data) -> None:
    global _data
    _data = data


def _work(fold: Fold) -> list[npt.NDArray[np.float32]]:
    """What the heads say of the photos held out."""
    return [head.probabilities(_data.values[fold.testing]) for head in fit_heads(_data, fold)]


def judge(data: Data, repeated: Sequence[Sequence[Fold]]) -> list[Answers]:
    """What each of HEADS answered, over all folds."""
    folds = [(repeat, fold) for repeat, some in enumerate(repeated) for fold in some]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(available_cores(), context, _start, (data,)) as pool:
        outcomes = list(pool.map(_work, [fold for _, fold in folds]))
    shape = (len(repeated), len(data.labels))
    answers = [Answers(np.zeros(shape), np.zeros(shape)) for _ in HEADS]
    for (repeat, fold), outcome in zip(folds, outcomes, strict=True):
        expected = data.labels[fold.testing]
        for answer, said in zip(answers, outcome, strict=True):
            answer.right[repeat, fold.testing] = said.argmax(axis=1) == expected
            answer.losses[repeat, fold.testing] = [
                log_loss(row[None], expected[index : index + 1]) for index, row in enumerate(said)
            ]
    return answers


def rows_of(preset: str, precision: Precision, photo_set: PhotoSet, labels: Rows, repeated: list[list[Fold]]) -> None:
    """Print a preset's rows of the table."""
    features: list[Answers] = []
    for kind in BOTTLENECKS:
        backbone = find_backbone(with_bottleneck(preset, kind), precision)
        values = Extractor("squash", cache_folder()).features(photo_set.photos, Column(backbone))
        answers = judge(Data(values, labels, len(photo_set.labels)), repeated)
        features = features or answers
        for head, answer, other in zip(HEADS, answers, features, strict=True):
            gain = (answer.losses - other.losses).mean(axis=0)
            apart = f"{gain.mean():+.3f} ± {gain.std(ddof=1) / np.sqrt(len(gain)):.3f}"
            cells = [
                preset,
                f"{values.shape[1]} {kind}",
                head,
                percent(answer.right),
                "" if kind == "features" else difference(answer.right, other.right),
                f"{answer.losses.mean():.3f}",
                "" if kind == "features" else apart,
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argument_parser("Top-1 and log loss with features and with class scores as bottleneck.")
    parser.add_argument("--precisions", default="float32")
    arguments = parsed(parser)
    _, photo_set, labels = photo_sets(arguments.photos)[0]
    repeated = repeated_folds(photo_set, labels, arguments.folds, arguments.repeats)
    print(f"{machine()}\n\n{arguments.repeats} x {arguments.folds}-fold, flower_photos, {len(labels)} photos\n")
    for precision in arguments.precisions.split(","):
        print(f"### {precision}\n\n{table(HEADER, [])}", flush=True)
        for preset in PRESETS:
            rows_of(preset, precision, photo_set, labels, repeated)
        print()


if __name__ == "__main__":
    main()
