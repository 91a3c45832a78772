"""Which head is the default, and why: the tables in heads.md.

    EDGERETRAIN_PHOTOS=... python benchmarks/heads.py [--folds 10] [--repeats 3] [--photos FOLDER] [--default-only]

`--default-only` fits the default head alone: whether a change of how it is fitted changes what it can do.

Every method is fitted and judged on the same folds (see folds.py). Bottlenecks come from Extractor and its
cache. A fit is timed in seconds of one core's work, which other programs do not disturb much.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

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

from edgeretrain.backbone import Backbone, find_backbone
from edgeretrain.data.photos import PhotoSet
from edgeretrain.features.extract import Column, Extractor
from edgeretrain.head.logistic import choose_logistic, fit_logistic
from edgeretrain.head.sgd import Sgd, fit_sgd
from edgeretrain.head.softmax import ClassWeight, Head, log_loss
from edgeretrain.paths import cache_folder
from edgeretrain.precision import Precision
from edgeretrain.threads import available_cores

BACKBONES: tuple[tuple[str, Precision], ...] = (
    ("mobilenet_v2_100_224", "float32"),
    ("mobilenet_v2_100_224", "int8"),
    ("mobilenet_v1_100_224", "float32"),
)
FIXED = (0.03, 0.1, 0.3)
INNER_FOLDS = 3
KEPT = 0.2  # of the photos of a class that is made rare


@dataclass(frozen=True)
class Data:
    """Bottlenecks of one photo set: float32 `[2 * n, d]`, of the n photos and then, if needed, of the same mirrored."""

    values: npt.NDArray[np.float32]
    labels: Rows
    classes: int
    photos: int


@dataclass(frozen=True)
class Outcome:
    """One head on the photos held out."""

    predicted: Rows
    losses: Doubles
    seconds: float


REFITTED = "logistic, strength chosen, refitted with the validation photos"
UNAWARE = "logistic, strength chosen, training photos only"


def fit_default(fold: Fold, data: Data) -> dict[str, Outcome]:
    """The default head on one fold, and what it is before it has seen the validation photos."""
    learning = np.concatenate([fold.training, fold.validation])
    start = time.thread_time()
    unaware, choice = choose_logistic(data.values, data.labels, fold.training, fold.validation, data.classes)
    chosen = time.thread_time() - start
    head = fit_logistic(data.values, data.labels, learning, data.classes, l2=choice.l2)
    both = time.thread_time() - start
    return {
        REFITTED: _outcome(head, data, fold.testing, both),
        UNAWARE: _outcome(unaware, data, fold.testing, chosen),
    }


def fit_all(fold: Fold, data: Data) -> dict[str, Outcome]:
    """Every method on one fold; the first one is the default."""
    values, labels, classes = data.values, data.labels, data.classes
    learning = np.concatenate([fold.training, fold.validation])
    outcomes: dict[str, Outcome] = {}

    def judged(name: str, fit: Callable[[], Head], before: float = 0.0) -> None:
        start = time.thread_time()
        head = fit()
        outcomes[name] = _outcome(head, data, fold.testing, before + time.thread_time() - start)

    def logistic(rows: Rows, l2: float) -> Callable[[], Head]:
        return lambda: fit_logistic(values, labels, rows, classes, l2=l2)

    start = time.thread_time()
    head, choice = choose_logistic(values, labels, fold.training, fold.validation, classes)
    chosen = time.thread_time() - start
    judged(REFITTED, logistic(learning, choice.l2), chosen)
    judged(UNAWARE, lambda: head, chosen)
    mirrored = np.concatenate([learning, learning + data.photos])
    judged("the default, mirrored photos added to the refit", logistic(mirrored, choice.l2), chosen)
    for strength in FIXED:
        judged(f"logistic, strength {strength}", logistic(learning, strength))
    start = time.thread_time()
    l2 = _cross_validated(data, learning)
    crossed = time.thread_time() - start
    judged(f"logistic, one of these strengths by {INNER_FOLDS}-fold cross-validation", logistic(learning, l2), crossed)
    judged(
        "retrain.py: 4,000 SGD steps, training photos only",
        lambda: fit_sgd(values, labels, fold.training, classes, Sgd(), class_weight="balanced", seed=0),
    )
    return outcomes


def _outcome(head: Head, data: Data, testing: Rows, seconds: float) -> Outcome:
    probabilities = head.probabilities(data.values[testing])
    expected = data.labels[testing]
    losses = [log_loss(row[None], expected[index : index + 1]) for index, row in enumerate(probabilities)]
    return Outcome(probabilities.argmax(axis=1), np.array(losses), seconds)


def _cross_validated(data: Data, learning: Rows) -> float:
    """The one of the fixed strengths with the least log loss over inner folds; no photo only chooses."""
    number = np.empty(len(learning), np.int64)
    number[np.argsort(data.labels[learning], kind="stable")] = np.arange(len(learning)) % INNER_FOLDS
    losses = dict.fromkeys(FIXED, 0.0)
    for inner in range(INNER_FOLDS):
        training, validation = learning[number != inner], learning[number == inner]
        for l2 in FIXED:
            head = fit_logistic(data.values, data.labels, training, data.classes, l2=l2)
            losses[l2] += log_loss(head.probabilities(data.values[validation]), data.labels[validation])
    return min(losses, key=lambda l2: losses[l2])


def fit_unequal(data: Data, fold: Fold, rare: Sequence[int]) -> dict[str, Outcome]:
    """The default head for both class weights, with most photos of the rare classes left out of all that teaches."""
    outcomes: dict[str, Outcome] = {}
    weights: tuple[ClassWeight, ...] = ("balanced", "none")
    for weight in weights:
        start = time.thread_time()
        training, validation = (_thinned(rows, data.labels, rare) for rows in (fold.training, fold.validation))
        shared = (data.values, data.labels)
        _, choice = choose_logistic(*shared, training, validation, data.classes, class_weight=weight)
        learning = np.concatenate([training, validation])
        head = fit_logistic(*shared, learning, data.classes, l2=choice.l2, class_weight=weight)
        outcomes[weight] = _outcome(head, data, fold.testing, time.thread_time() - start)
    return outcomes


def _thinned(rows: Rows, labels: Rows, rare: Sequence[int]) -> Rows:
    random = np.random.default_rng(0)
    kept = [rows[~np.isin(labels[rows], rare)]]
    for label in rare:
        members = rows[labels[rows] == label]
        kept.append(random.permutation(members)[: round(KEPT * len(members))])
    return np.concatenate(kept)


_data: Data  # of a worker process


def _start(data: Data) -> None:
    global _data
    _data = data


def _work(fit: Callable[[Data], dict[str, Outcome]]) -> dict[str, Outcome]:
    return fit(_data)


def _spread(data: Data, tasks: Sequence[Callable[[Data], dict[str, Outcome]]]) -> list[dict[str, Outcome]]:
    """The tasks on all cores, a process each: the heads' linear algebra is held to one thread."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(available_cores(), context, _start, (data,)) as pool:
        return list(pool.map(_work, tasks))


def _load(photo_set: PhotoSet, labels: Rows, backbone: Backbone, flips: Sequence[bool]) -> Data:
    values = [
        Extractor("squash", cache_folder()).features(photo_set.photos, Column(backbone, flip=flip)) for flip in flips
    ]
    return Data(np.concatenate(values), np.tile(labels, len(flips)), len(photo_set.labels), len(labels))


def _methods_table(
    data: Data, repeated: Sequence[Sequence[Fold]], fit: Callable[[Fold, Data], dict[str, Outcome]]
) -> str:
    all_folds = [fold for folds in repeated for fold in folds]
    outcomes = _spread(data, [partial(fit, fold) for fold in all_folds])
    names = list(outcomes[0])
    right = {name: np.zeros((len(repeated), data.photos)) for name in names}
    losses = {name: np.zeros((len(repeated), data.photos)) for name in names}
    for number, (fold, outcome) in enumerate(zip(all_folds, outcomes, strict=True)):
        repeat = number // len(repeated[0])
        for name in names:
            right[name][repeat, fold.testing] = outcome[name].predicted == data.labels[fold.testing]
            losses[name][repeat, fold.testing] = outcome[name].losses
    rows = []
    for name in names:
        gain = (losses[name] - losses[names[0]]).mean(axis=0)
        first = name == names[0]
        rows.append(
            [
                name,
                percent(right[name]),
                "" if first else difference(right[name], right[names[0]]),
                f"{losses[name].mean():.4f}",
                "" if first else f"{gain.mean():+.3f} ± {gain.std(ddof=1) / np.sqrt(len(gain)):.3f}",
                f"{np.mean([outcome[name].seconds for outcome in outcomes]):.2f}",
            ]
        )
    return table(["head", "top-1, %", "difference", "log loss", "difference", "core-seconds a fit"], rows)


def _imbalance_rows(name: str, data: Data, repeated: Sequence[Sequence[Fold]]) -> list[list[str]]:
    pairs = [[2 * repeat % data.classes, (2 * repeat + 1) % data.classes] for repeat in range(len(repeated))]
    all_folds = [fold for folds in repeated for fold in folds]
    rare_pairs = [pairs[repeat] for repeat, folds in enumerate(repeated) for _ in folds]
    fits = [partial(fit_unequal, fold=fold, rare=pair) for fold, pair in zip(all_folds, rare_pairs, strict=True)]
    outcomes = _spread(data, fits)
    shape = (len(repeated), data.photos)
    right = {weight: np.zeros(shape) for weight in outcomes[0]}
    rare = np.stack([np.isin(data.labels[: data.photos], pair) for pair in pairs])
    for number, (fold, outcome) in enumerate(zip(all_folds, outcomes, strict=True)):
        for weight, correct in right.items():
            correct[number // len(repeated[0]), fold.testing] = outcome[weight].predicted == data.labels[fold.testing]
    share = np.where(rare, KEPT, 1.0)
    rows = []
    for weight, correct in right.items():
        recalls = [correct[:, data.labels[: data.photos] == label].mean() for label in range(data.classes)]
        alike = float((share * correct).sum() / share.sum())
        cells = (float(np.mean(recalls)), correct[rare].mean(), correct[~rare].mean(), alike)
        paired = "" if weight == "balanced" else difference(correct, right["balanced"])
        rows.append([name, weight, *(f"{100 * cell:.1f}" for cell in cells), paired])
    return rows


def main() -> None:
    parser = argument_parser("Compare ways to fit the head, by repeated k-fold.")
    parser.add_argument("--default-only", action="store_true", help="the default head alone")
    arguments = parsed(parser)
    fit, flips = (fit_default, (False,)) if arguments.default_only else (fit_all, (False, True))

    sets = photo_sets(arguments.photos)
    print(f"{machine()}\n\n{arguments.repeats} x {arguments.folds}-fold\n", flush=True)
    unequal = []
    for preset, precision in BACKBONES:
        for name, photo_set, labels in sets:
            repeated = repeated_folds(photo_set, labels, arguments.folds, arguments.repeats)
            backbone = find_backbone(preset, precision)
            data = _load(photo_set, labels, backbone, flips)
            title = f"{name}, {preset} {precision} ({backbone.digest[:8]})"
            print(f"### {title}\n\n{_methods_table(data, repeated, fit)}\n", flush=True)
            if (preset, precision) == BACKBONES[0] and not arguments.default_only:
                unequal += _imbalance_rows(name, data, repeated)
    if arguments.default_only:
        return
    header = ["photos", "--class-weight", "mean recall, %", "of the two rare classes", "of the others"]
    header += ["top-1 on photos as unequal as those it learned from", "difference of mean recall"]
    print(f"### Two classes with a fifth of their photos, {' '.join(BACKBONES[0])}\n\n{table(header, unequal)}")


if __name__ == "__main__":
    main()
