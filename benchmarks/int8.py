"""What quantization costs, measured on the files that ship: the table in int8.md.

    EDGERETRAIN_PHOTOS=... python benchmarks/int8.py [--folds 10] [--repeats 3] [--photos FOLDER]

For each fold and precision the default head is trained on that precision's own bottlenecks, the model file is written
as a retrain writes it, and this very file is run on the photos held out.
"""

import multiprocessing
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from folds import Doubles, Fold, Rows, difference, machine, parse_arguments, percent, photo_sets, repeated_folds, table

from edgeretrain.backbone import Backbone, cache_folder, find_backbones
from edgeretrain.bottlenecks import compute_bottlenecks
from edgeretrain.evaluate import predict
from edgeretrain.head import choose_logistic, fit_logistic, log_loss
from edgeretrain.inference import available_cores
from edgeretrain.photos import PhotoSet
from edgeretrain.presets import DEFAULT_PRESET, PRECISIONS
from edgeretrain.run_folder import model_file
from edgeretrain.tflite.model import write_classifier

ALLOWED = 0.7  # points that int8 may lose to float32


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
    files, _, skipped = predict(paths, photos, fit="squash", workers=1)
    assert not skipped
    return Outcome(files, heads)


_data: Data  # of a worker process


def _start(data: Data) -> None:
    global _data
    _data = data


def _work(fold: Fold) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        return judge_fold(_data, fold, Path(folder))


def _rows(data: Data, repeated: Sequence[Sequence[Fold]]) -> tuple[list[list[str]], tuple[float, str]]:
    """Rows of the table, and how int8 compares to float32: points, and the same with its standard error."""
    context = multiprocessing.get_context("spawn")
    tasks = [fold for folds in repeated for fold in folds]
    with ProcessPoolExecutor(available_cores(), context, _start, (data,)) as pool:
        outcomes = list(pool.map(_work, tasks))

    shape = (len(PRECISIONS), len(repeated), len(data.labels))
    file_right, head_right, losses, agreement = (np.zeros(shape) for _ in range(4))
    for number, (fold, outcome) in enumerate(zip(tasks, outcomes, strict=True)):
        repeat, expected = number // len(repeated[0]), data.labels[fold.testing]
        reference = outcome.files[0].argmax(axis=1)
        for index, (file, head) in enumerate(zip(outcome.files, outcome.heads, strict=True)):
            predicted = file.argmax(axis=1)
            file_right[index, repeat, fold.testing] = predicted == expected
            head_right[index, repeat, fold.testing] = head.argmax(axis=1) == expected
            agreement[index, repeat, fold.testing] = predicted == reference
            losses[index, repeat, fold.testing] = _losses(file, expected)
    rows = [
        [
            f"{precision} ({data.backbones[index].digest[:8]})",
            percent(file_right[index]),
            difference(file_right[index], file_right[0]) if index else "",
            f"{100 * agreement[index].mean():.1f}" if index else "",
            f"{losses[index].mean():.3f}",
            difference(file_right[index], head_right[index]),
        ]
        for index, precision in enumerate(PRECISIONS)
    ]
    last = PRECISIONS.index("int8")
    points = 100 * float(file_right[last].mean() - file_right[0].mean())
    return rows, (points, difference(file_right[last], file_right[0]))


def _losses(probabilities: npt.NDArray[np.float32], expected: Rows) -> Doubles:
    return np.array([log_loss(row[None], expected[index : index + 1]) for index, row in enumerate(probabilities)])


def main() -> None:
    arguments = parse_arguments("Top-1 of the written files of all precisions, by repeated k-fold.")

    sets = photo_sets(arguments.photos)
    print(f"{machine()}\n\n{arguments.repeats} x {arguments.folds}-fold, {DEFAULT_PRESET}\n", flush=True)
    header = [
        "precision (backbone)",
        "top-1, %",
        "to float32",
        "same answer as float32, %",
        "log loss",
        "to its own float head",
    ]
    verdicts = []
    for name, photo_set, labels in sets:
        backbones = find_backbones(DEFAULT_PRESET, PRECISIONS)
        values = [
            compute_bottlenecks(photo_set.photos, backbone, fit="squash", cache=cache_folder()).values
            for backbone in backbones
        ]
        repeated = repeated_folds(photo_set, labels, arguments.folds, arguments.repeats)
        rows, (points, text) = _rows(Data(photo_set, labels, backbones, values), repeated)
        print(f"### {name}, {len(labels)} photos\n\n{table(header, rows)}\n", flush=True)
        verdicts.append(f"{name}: int8 {text} points to float32, {_verdict(points)}.")
    print("\n".join(verdicts))


def _verdict(points: float) -> str:
    return f"{'within' if points >= -ALLOWED else 'NOT within'} the {ALLOWED} allowed"


if __name__ == "__main__":
    main()
