"""What quantization costs, measured on the files that ship: the tables in int8.md and int8_presets.md.

    EDGERETRAIN_PHOTOS=... python benchmarks/int8.py [--folds 10] [--repeats 3] [--photos FOLDER]
    EDGERETRAIN_PHOTOS=... EDGERETRAIN_WEIGHTS=... python benchmarks/int8.py --presets all --precisions float32,int8

For each fold and precision the default head is trained on that precision's own bottlenecks, the model file is written
as a retrain writes it, and this very file is run on the photos held out.

The first command: one preset in all precisions, a table for each photo set. The second: a row for each preset and photo
set, written when it is measured, and a verdict on all of them; `all` are the presets whose weights are in
EDGERETRAIN_WEIGHTS. Backbones that are not there yet are built.
"""

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

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

from edgeretrain.backbone import Backbone, find_backbones
from edgeretrain.backbone.presets import DEFAULT_PRESET, PRESETS, get_preset
from edgeretrain.backbone.weights import weights_file
from edgeretrain.data.photos import PhotoSet
from edgeretrain.evaluation.evaluate import predict
from edgeretrain.features.extract import Column, Extractor
from edgeretrain.features.inference import InferenceModel
from edgeretrain.files.run_folder import model_file
from edgeretrain.head.logistic import choose_logistic, fit_logistic
from edgeretrain.head.softmax import log_loss
from edgeretrain.paths import cache_folder
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.tflite.classifier_file import write_classifier
from edgeretrain.threads import available_cores

ALLOWED = 0.7  # points that int8 may lose to float32, for the default preset
ALLOWED_ON_AVERAGE, ALLOWED_AT_WORST = 0.5, 1.5  # the same over many presets and photo sets


@dataclass(frozen=True)
class Data:
    """One photo set and its bottlenecks, float32 `[n, d]`, one array for each backbone."""

    photo_set: PhotoSet
    labels: Rows
    backbones: Sequence[Backbone]
    values: Sequence[npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Outcome:
    """Probabilities `[n, k]` on one fold, an array per precision: of the file, and of its head before it was stored."""

    files: Sequence[npt.NDArray[np.float32]]
    heads: Sequence[npt.NDArray[np.float32]]


def judge_fold(data: Data, fold: Fold, folder: Path) -> Outcome:
    """Train, write and run the four models of one fold."""
    learning = np.concatenate([fold.training, fold.validation])
    classes = len(data.photo_set.labels)
    paths, heads = [], []
    for backbone, values in zip(data.backbones, data.values, strict=True):
        _, choice = choose_logistic(values, data.labels, fold.training, fold.validation, classes)
        head = fit_logistic(values, data.labels, learning, classes, l2=choice.l2)
        content = write_classifier(
            backbone.path,
            head,
            backbone.precision,
            values[learning],
            labels=data.photo_set.labels,
            card={"preset": backbone.preset, "precision": backbone.precision, "fit": "squash", "backbone": {}},
        )
        path = folder / model_file(backbone.precision)
        path.write_bytes(content)
        paths.append(path)
        heads.append(head.probabilities(values[fold.testing]))
    photos = [data.photo_set.photos[index] for index in fold.testing]
    models = [InferenceModel(path, backbone.size) for path, backbone in zip(paths, data.backbones, strict=True)]
    found = predict(models, photos, fit="squash", workers=1)
    assert not found.skipped
    return Outcome(list(found.probabilities), heads)


_shared: Data  # of a worker process


def _start(data: Data) -> None:
    global _shared
    _shared = data


def _work(fold: Fold) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        return judge_fold(_shared, fold, Path(folder))


@dataclass(frozen=True)
class Answers:
    """What the files of all folds answered, a row per precision of the backbones: `[precisions, repeats, n]`.

    Attributes:
        right: whether the file was right.
        head_right: whether its head was, before it was stored.
        agreement: whether the file gave the answer of the first precision.
        losses: of the file, nats.
    """

    right: Doubles
    head_right: Doubles
    agreement: Doubles
    losses: Doubles


def _answers(data: Data, repeated: Sequence[Sequence[Fold]]) -> Answers:
    context = multiprocessing.get_context("spawn")
    tasks = [fold for folds in repeated for fold in folds]
    with ProcessPoolExecutor(available_cores(), context, _start, (data,)) as pool:
        outcomes = list(pool.map(_work, tasks))

    shape = (len(data.backbones), len(repeated), len(data.labels))
    right, head_right, agreement, losses = (np.zeros(shape) for _ in range(4))
    for number, (fold, outcome) in enumerate(zip(tasks, outcomes, strict=True)):
        repeat, expected = number // len(repeated[0]), data.labels[fold.testing]
        reference = outcome.files[0].argmax(axis=1)
        for index, (file, head) in enumerate(zip(outcome.files, outcome.heads, strict=True)):
            predicted = file.argmax(axis=1)
            right[index, repeat, fold.testing] = predicted == expected
            head_right[index, repeat, fold.testing] = head.argmax(axis=1) == expected
            agreement[index, repeat, fold.testing] = predicted == reference
            losses[index, repeat, fold.testing] = _losses(file, expected)
    return Answers(right, head_right, agreement, losses)


def _losses(probabilities: npt.NDArray[np.float32], expected: Rows) -> Doubles:
    return np.array([log_loss(row[None], expected[index : index + 1]) for index, row in enumerate(probabilities)])


def _data(preset: str, precisions: Sequence[Precision], photo_set: PhotoSet, labels: Rows) -> Data:
    backbones = find_backbones(preset, precisions)
    values = [
        Extractor("squash", cache_folder()).features(photo_set.photos, Column(backbone)) for backbone in backbones
    ]
    return Data(photo_set, labels, backbones, values)


def _points(answers: Answers) -> float:
    """Of top-1, the last precision to the first."""
    return 100 * float(answers.right[-1].mean() - answers.right[0].mean())


def compare_precisions(arguments: argparse.Namespace, precisions: Sequence[Precision]) -> None:
    """One preset, a table for each photo set."""
    (preset,) = arguments.presets
    header = [
        "precision (backbone)",
        "top-1, %",
        f"to {precisions[0]}",
        f"same answer as {precisions[0]}, %",
        "log loss",
        "to its own float head",
    ]
    verdicts = []
    for name, photo_set, labels in photo_sets(arguments.photos):
        data = _data(preset, precisions, photo_set, labels)
        answers = _answers(data, repeated_folds(photo_set, labels, arguments.folds, arguments.repeats))
        rows = [
            [
                f"{precision} ({data.backbones[index].digest[:8]})",
                percent(answers.right[index]),
                difference(answers.right[index], answers.right[0]) if index else "",
                f"{100 * answers.agreement[index].mean():.1f}" if index else "",
                f"{answers.losses[index].mean():.3f}",
                difference(answers.right[index], answers.head_right[index]),
            ]
            for index, precision in enumerate(precisions)
        ]
        print(f"### {name}, {len(labels)} photos\n\n{table(header, rows)}\n", flush=True)
        text = difference(answers.right[-1], answers.right[0])
        verdicts.append(
            f"{name}: {precisions[-1]} {text} points to {precisions[0]}, {_within(-_points(answers), ALLOWED)}."
        )
    print("\n".join(verdicts))


def compare_presets(arguments: argparse.Namespace, precisions: Sequence[Precision]) -> None:
    """A row for each preset and photo set, as soon as it is measured; then the mean and the worst of all."""
    first, last = precisions
    header = ["preset", "photos", f"{first}, %", f"{last}, %", "difference", "same answer, %", f"{last} backbone"]
    lines = table(header, []).splitlines()
    print("\n".join(lines), flush=True)
    lost: dict[str, float] = {}
    sets = photo_sets(arguments.photos)
    for preset in arguments.presets:
        for name, photo_set, labels in sets:
            data = _data(preset, precisions, photo_set, labels)
            answers = _answers(data, repeated_folds(photo_set, labels, arguments.folds, arguments.repeats))
            cells = [
                preset,
                name,
                percent(answers.right[0]),
                percent(answers.right[1]),
                difference(answers.right[1], answers.right[0]),
                f"{100 * answers.agreement[1].mean():.1f}",
                data.backbones[1].digest[:8],
            ]
            print(f"| {' | '.join(cells)} |", flush=True)
            lost[f"{preset} on {name}"] = -_points(answers)
    mean, worst = float(np.mean(list(lost.values()))), max(lost, key=lambda key: lost[key])
    print(
        f"\n{last} to {first}, mean of {len(lost)} rows: {-mean:+.2f} points, {_within(mean, ALLOWED_ON_AVERAGE)}.\n"
        f"Worst: {worst}, {-lost[worst]:+.2f} points, {_within(lost[worst], ALLOWED_AT_WORST)}."
    )


def _within(lost: float, allowed: float) -> str:
    return f"{'within' if lost <= allowed else 'NOT within'} the {allowed} allowed"


def presets_with_weights() -> list[str]:
    """The presets whose weights are in EDGERETRAIN_WEIGHTS, the fastest first."""
    folder = os.environ.get("EDGERETRAIN_WEIGHTS")
    found = [name for name in PRESETS if folder and (Path(folder) / weights_file(get_preset(name))).is_file()]
    return sorted(found, key=lambda name: get_preset(name).macs)


def main() -> None:
    parser = argument_parser("Top-1 of the written files of several precisions, by repeated k-fold.")
    parser.add_argument("--presets", default=DEFAULT_PRESET, help=f"names, or all; default {DEFAULT_PRESET}")
    parser.add_argument("--precisions", default=",".join(PRECISIONS), help="default all; two with several presets")
    arguments = parsed(parser)
    arguments.presets = presets_with_weights() if arguments.presets == "all" else arguments.presets.split(",")
    if not arguments.presets:
        parser.error("--presets all: EDGERETRAIN_WEIGHTS names no folder that holds weights of a preset")
    precisions: list[Precision] = [one for one in PRECISIONS if one in arguments.precisions.split(",")]
    if len(precisions) != len(arguments.precisions.split(",")) or (len(arguments.presets) > 1 and len(precisions) != 2):
        parser.error(f"--precisions are some of {', '.join(PRECISIONS)}; two of them with several presets")
    whose = arguments.presets[0] if len(arguments.presets) == 1 else f"{len(arguments.presets)} presets"
    print(f"{machine()}\n\n{arguments.repeats} x {arguments.folds}-fold, {whose}\n", flush=True)
    if len(arguments.presets) == 1:
        compare_precisions(arguments, precisions)
    else:
        compare_presets(arguments, precisions)


if __name__ == "__main__":
    main()
