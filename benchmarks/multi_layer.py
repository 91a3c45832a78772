"""What the averages of inner layers bring, and whether the choice by the photos is right: tables in multi_layer.md.

    EDGERETRAIN_PHOTOS=... python benchmarks/multi_layer.py [PRESET ...] [--precision int8] [--folds 5] [--repeats 2]
    EDGERETRAIN_PHOTOS=... python benchmarks/multi_layer.py --few [PRESET ...] [--precision int8]
    EDGERETRAIN_PHOTOS=... python benchmarks/multi_layer.py --int8-heads [PRESET ...]
    python benchmarks/multi_layer.py --files [PRESET ...]

The backbones must be bundled or in the cache. Heads are fitted to all photos that are not held out, at the strength
that inner folds among these choose, which also choose the layers for `auto`; the photos held out choose nothing. Heads
are in float32 for all precisions: an int8 file rounds its weights on top of that.

--few: with few photos a class; all others are held out. --int8-heads: what rounding costs a head on all layers side by
side, as it ships, and one head for each layer whose logits are added; in NumPy, int8 backbones only. --files: size and
latency of a model file with 5 classes, runs with and without inner layers in turns.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from folds import (
    Doubles,
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
from edgeretrain.backbone.multi_layer import Variant, make_variant
from edgeretrain.data.photos import Photo, PhotoSet
from edgeretrain.features.extract import Column, Extractor
from edgeretrain.head.folds import choose_narrowest, cross_validate, deal_folds
from edgeretrain.head.logistic import fit_logistic
from edgeretrain.head.softmax import Head, softmax
from edgeretrain.paths import cache_folder
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.tflite.classifier_file import write_classifier
from edgeretrain.tflite.runtime import Network
from edgeretrain.threads import available_cores
from edgeretrain.training.bottlenecks import FEWEST_PHOTOS

DEFAULT = ("mobilenet_v2_100_224", "mobilenet_v1_100_224", "mobilenet_v2_035_128")
MEASURED: tuple[Precision, ...] = ("float32", "int8")
FEW = (5, 10, 20, 50, 100)
DRAWS = 10
LEAST_HELD_OUT = 20
"""Photos of each class that must be left to judge on."""


@dataclass(frozen=True)
class Task:
    """Heads to fit, and the photos to judge them on."""

    values: npt.NDArray[np.float32]
    labels: Rows
    photos: tuple[Photo, ...]
    lengths: tuple[int, ...]
    classes: int
    learnt: Rows
    testing: Rows


@dataclass(frozen=True)
class Outcome:
    """Of each length and then of the choice: right or wrong `[lengths + 1, t]`, losses [nats] of the same shape."""

    testing: Rows
    right: Doubles
    losses: Doubles
    chosen: int


def main() -> None:
    parser = argument_parser("Compare bottlenecks with and without inner layers.")
    parser.add_argument("presets", nargs="*", default=list(DEFAULT))
    parser.add_argument("--precision", action="append", choices=PRECISIONS, help="default float32 and int8")
    parser.add_argument("--few", action="store_true", help="learn from few photos a class")
    parser.add_argument("--int8-heads", action="store_true", help="two ways to round a head")
    parser.add_argument("--files", action="store_true", help="size and latency of the files")
    parser.set_defaults(folds=5, repeats=2)
    options = parsed(parser)
    if options.files:
        files(options.presets)
    elif options.int8_heads:
        int8_heads(options)
    elif options.few:
        few(options)
    else:
        compare(options)


def compare(options: argparse.Namespace) -> None:
    """All photos, in repeated folds."""
    print(f"{machine()}; {options.folds} folds, {options.repeats} repeats\n")
    header = ["preset", "precision", "photos", "features", "last stage", "multi", "auto"]
    header += ["log loss: features", "last stage", "multi", "auto", "auto took features / last stage / multi"]
    print(table(header, []), flush=True)
    for preset in options.presets:
        for precision in options.precision or MEASURED:
            for name, photo_set, labels in photo_sets(options.photos):
                values, variant = bottlenecks(preset, precision, photo_set)
                tasks = [
                    Task(
                        *(values, labels, photo_set.photos, variant.lengths, len(photo_set.labels)),
                        np.concatenate([fold.training, fold.validation]),
                        fold.testing,
                    )
                    for folds in repeated_folds(photo_set, labels, options.folds, options.repeats)
                    for fold in folds
                ]
                outcomes = run_all(tasks)
                shape = (len(variant.lengths) + 1, options.repeats, len(labels))
                right, losses = np.zeros(shape), np.zeros(shape)
                for number, outcome in enumerate(outcomes):
                    right[:, number // options.folds, outcome.testing] = outcome.right
                    losses[:, number // options.folds, outcome.testing] = outcome.losses
                row = [preset, precision, name, percent(right[0]), *(difference(own, right[0]) for own in right[1:])]
                row += [f"{losses[0].mean():.3f}", *(_loss(own, losses[0]) for own in losses[1:]), _taken(outcomes)]
                print(f"| {' | '.join(row)} |", flush=True)


def few(options: argparse.Namespace) -> None:
    """Few photos a class, drawn several times."""
    print(f"{machine()}; {DRAWS} draws; differences are over the draws\n")
    header = ["preset", "precision", "photos", "a class", "features", "last stage", "multi", "auto"]
    print(table([*header, "auto took features / last stage / multi"], []), flush=True)
    for preset in options.presets:
        for precision in options.precision or MEASURED:
            for name, photo_set, labels in photo_sets(options.photos):
                values, variant = bottlenecks(preset, precision, photo_set)
                smallest = int(np.bincount(labels).min())
                for count in (count for count in FEW if count + LEAST_HELD_OUT <= smallest):
                    draws = [_drawn(labels, count, seed) for seed in range(DRAWS)]
                    outcomes = run_all(
                        [
                            Task(
                                *(values, labels, photo_set.photos, variant.lengths, len(photo_set.labels)),
                                learnt,
                                np.setdiff1d(np.arange(len(labels)), learnt),
                            )
                            for learnt in draws
                        ]
                    )
                    right = np.array([outcome.right.mean(axis=1) for outcome in outcomes]).T[:, None]
                    row = [preset, precision, name, str(count), percent(right[0])]
                    row += [*(difference(own, right[0]) for own in right[1:]), _taken(outcomes)]
                    print(f"| {' | '.join(row)} |", flush=True)


def bottlenecks(preset: str, precision: Precision, photo_set: PhotoSet) -> tuple[npt.NDArray[np.float32], Variant]:
    """Of the variant with all inner layers: float32 `[n, d]`, and the variant."""
    with tempfile.TemporaryDirectory() as folder:
        variant = make_variant(find_backbone(preset, precision, build=False), Path(folder))
        values = Extractor("squash", cache_folder()).features(photo_set.photos, Column(variant.backbone))
    return values, variant


def run_all(tasks: Sequence[Task]) -> list[Outcome]:
    with ProcessPoolExecutor(available_cores()) as pool:
        return list(pool.map(run, tasks))


def run(task: Task) -> Outcome:
    """Fit and judge the heads of one task."""
    learnt, testing = task.learnt, task.testing
    judged = cross_validate(
        task.values[learnt],
        task.labels[learnt],
        deal_folds([task.photos[row] for row in learnt]),
        task.classes,
        lengths=task.lengths,
    )
    right, losses = [], []
    expected = task.labels[testing]
    for length, inner in zip(task.lengths, judged, strict=True):
        values = task.values[:, :length]
        head = fit_logistic(values, task.labels, learnt, task.classes, l2=inner.l2)
        probabilities = head.probabilities(values[testing])
        right.append(probabilities.argmax(axis=1) == expected)
        losses.append(-np.log(np.maximum(probabilities[np.arange(len(testing)), expected], 1e-7)))
    few_photos = len(learnt) < FEWEST_PHOTOS * task.classes
    chosen = 0 if few_photos else choose_narrowest(judged)
    right.append(right[chosen])
    losses.append(losses[chosen])
    return Outcome(testing, np.array(right, np.float64), np.array(losses, np.float64), chosen)


def _drawn(labels: Rows, count: int, seed: int) -> Rows:
    random = np.random.default_rng(seed)
    return np.concatenate(
        [random.permutation(np.flatnonzero(labels == label))[:count] for label in range(labels.max() + 1)]
    )


def _loss(losses: Doubles, reference: Doubles) -> str:
    """Paired difference of two log losses, and its standard error; see `folds.difference`."""
    gain = (losses - reference).mean(axis=0)
    return f"{gain.mean():+.3f} ± {gain.std(ddof=1) / np.sqrt(len(gain)):.3f}"


def _taken(outcomes: Sequence[Outcome]) -> str:
    counts = np.bincount([outcome.chosen for outcome in outcomes], minlength=outcomes[0].right.shape[0] - 1)
    return " / ".join(map(str, counts))


def int8_heads(options: argparse.Namespace, l2: float = 0.1) -> None:
    """One FULLY_CONNECTED of the concatenated layers, against one of each layer and ADD."""
    print(f"{machine()}; {options.folds} folds, strength {l2}\n")
    header = ["preset", "photos", "float32 head", "one head", "a head of each layer", "log loss: float32 head"]
    print(table([*header, "one head", "a head of each layer"], []), flush=True)
    for preset in options.presets:
        for name, photo_set, labels in photo_sets(options.photos):
            values, variant = bottlenecks(preset, "int8", photo_set)
            ends = list(np.cumsum([variant.lengths[0], *variant.widths]))
            right, losses = np.zeros((3, 1, len(labels))), np.zeros((3, 1, len(labels)))
            (folds,) = repeated_folds(photo_set, labels, options.folds, 1)
            for fold in folds:
                learnt, testing = np.concatenate([fold.training, fold.validation]), fold.testing
                head = fit_logistic(values, labels, learnt, len(photo_set.labels), l2=l2)
                pieces = [_parts(values, head, [0, ends[-1]]), _parts(values, head, [0, *ends])]
                logits = [values @ head.weights + head.bias, *(_added(parts, learnt) for parts in pieces)]
                for place, own in enumerate(logits):
                    probabilities = softmax(own[testing])
                    expected = labels[testing]
                    right[place, 0, testing] = probabilities.argmax(axis=1) == expected
                    kept = np.maximum(probabilities[np.arange(len(testing)), expected], 1 / 512)
                    losses[place, 0, testing] = -np.log(kept)
            row = [preset, name, percent(right[0]), *(difference(own, right[0]) for own in right[1:])]
            row += [f"{losses[0].mean():.3f}", *(_loss(own, losses[0]) for own in losses[1:])]
            print(f"| {' | '.join(row)} |", flush=True)


def _parts(values: npt.NDArray[np.float32], head: Head, ends: Sequence[int]) -> list[npt.NDArray[np.float64]]:
    """The logits that each piece of the bottleneck adds, its weights rounded to int8 at a scale of its own."""
    parts = []
    for start, end in itertools.pairwise(ends):
        weights = head.weights[start:end].astype(np.float64)
        scale = np.abs(weights).max() / 127
        parts.append(values[:, start:end] @ (np.rint(weights / scale) * scale))
    parts[0] = parts[0] + head.bias
    return parts


def _added(parts: Sequence[npt.NDArray[np.float64]], learnt: Rows) -> npt.NDArray[np.float64]:
    """The sum of int8 tensors, rounded after each step; ranges are those of the photos learnt from."""
    total = _rounded(parts[0], learnt)
    for part in parts[1:]:
        total = _rounded(total + _rounded(part, learnt), learnt)
    return total


def _rounded(values: npt.NDArray[np.float64], learnt: Rows) -> npt.NDArray[np.float64]:
    low, high = min(0.0, float(values[learnt].min())), max(0.0, float(values[learnt].max()))
    scale = (high - low) / 255
    return np.asarray(np.clip(np.rint(values / scale), round(low / scale), round(high / scale)) * scale)


def files(presets: Sequence[str], classes: int = 5, rounds: int = 200) -> None:
    """Size and latency of model files with random heads; the median of the ratios of runs that follow each other."""
    print(f"{machine()}; {classes} classes, {rounds} runs in turns, one thread\n")
    header = ["preset", "precision", "bytes: features", "last stage", "multi", "ms: features", "last stage", "multi"]
    print(table(header, []), flush=True)
    for preset in presets:
        for precision in PRECISIONS:
            plain = find_backbone(preset, precision, build=False)
            with tempfile.TemporaryDirectory() as folder:
                paths = [plain.path]
                paths += [make_variant(plain, Path(folder, str(n)), stages=n).backbone.path for n in (1, 2)]
                models = [_model(path, precision, classes) for path in paths]
            networks = [Network(model) for model in models]
            size = networks[0].size
            pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8)
            seconds = np.empty((rounds + 10, len(networks)))
            for turn in range(len(seconds)):
                for place, network in enumerate(networks):
                    start = time.perf_counter()
                    network(pixels)
                    seconds[turn, place] = time.perf_counter() - start
            seconds = seconds[10:]
            ratios = np.median(seconds / seconds[:, :1], axis=0)
            sizes = [len(model) for model in models]
            row = [preset, precision, f"{sizes[0]:,}", *(f"{100 * (s / sizes[0] - 1):+.1f} %" for s in sizes[1:])]
            row += [f"{1000 * np.median(seconds[:, 0]):.2f}", *(f"x {ratio:.3f}" for ratio in ratios[1:])]
            print(f"| {' | '.join(row)} |", flush=True)


def _model(backbone: Path, precision: Precision, classes: int) -> bytes:
    random = np.random.default_rng(0)
    length = Network(backbone).outputs
    head = Head(random.normal(0, 0.05, (length, classes)).astype(np.float32), np.zeros(classes, np.float32))
    values = random.uniform(0, 2, (20, length)).astype(np.float32)
    card = {"preset": backbone.name, "backbone": {}}
    return write_classifier(backbone, head, precision, values, labels=tuple("abcdefghij"[:classes]), card=card)


if __name__ == "__main__":
    main()
