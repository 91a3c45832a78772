"""Frozen against fine-tuned: the same photos, the same test photos, several seeds and several splits. Needs TensorFlow.

Every run is an ordinary `retrain(..., fine_tune=...)`. Split 0 is the one that `edgeretrain retrain` makes; for the
others each photo gets another name, and the names decide which photos are held out.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from folds import machine, table

from edgeretrain.cli.options import parse_precisions
from edgeretrain.evaluation.figures import won_and_lost
from edgeretrain.evaluation.metrics import Evaluation
from edgeretrain.fine_tuning import FineTuning
from edgeretrain.options import Options, parse_layers
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.records.training import ModelRecord, Report
from edgeretrain.training.retrain import retrain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", help="folder of class folders (default: flower_photos in EDGERETRAIN_PHOTOS)")
    parser.add_argument("--preset", default="mobilenet_v2_035_128")
    parser.add_argument("--fine-tune", default="all", help="layers, or all")
    parser.add_argument("--epochs", type=int, default=FineTuning().epochs)
    parser.add_argument("--soup", type=int, default=FineTuning().soup, help="trainings in a run")
    parser.add_argument("--precisions", default=",".join(PRECISIONS), help="separated by commas")
    parser.add_argument("--seeds", type=int, default=3, help="runs of split 0")
    parser.add_argument("--splits", type=int, default=0, help="further splits, one run each")
    parser.add_argument("--testing-percentage", type=float, default=Options().testing_percentage)
    parser.add_argument("--first-split", type=int, default=1, help="the first of these")
    arguments = parser.parse_args()
    photos = Path(arguments.photos or Path(os.environ.get("EDGERETRAIN_PHOTOS", "")) / "flower_photos")
    if not photos.is_dir():
        sys.exit(f"{photos}: no such folder. Set EDGERETRAIN_PHOTOS, or give --photos.")
    precisions = parse_precisions([arguments.precisions])
    tuning = FineTuning(layers=parse_layers(arguments.fine_tune), epochs=arguments.epochs, soup=arguments.soup)
    first = arguments.first_split
    runs = [(0, seed) for seed in range(arguments.seeds)]
    runs += [(split, 0) for split in range(first, first + arguments.splits)]
    percentage = arguments.testing_percentage
    print(f"# {arguments.preset} on {photos.name}, {percentage:g} % for testing\n\n{machine()}\n\n{tuning}\n")
    told = []
    with tempfile.TemporaryDirectory() as scratch:
        for split, seed in runs:
            folder = renamed(photos, Path(scratch) / str(split), split)
            options = Options(seed=seed, testing_percentage=percentage)
            report, seconds, tuning_seconds = measured(
                folder, Path(scratch) / "run", arguments.preset, precisions, tuning, options
            )
            told.append((split, seed, report, seconds, tuning_seconds))
            print(f"split {split} seed {seed}: {seconds:.0f} s", file=sys.stderr, flush=True)
            print(table(*rows_of([told[-1]])), file=sys.stderr, flush=True)
    print("## Each run\n")
    print(table(*rows_of(told)))
    print("\n## How the training went\n")
    print(table(*courses(told)))
    for name, some in (("seeds of split 0", told[: arguments.seeds]), ("splits", told)):
        if len(some) > 1:
            print(f"\n## Mean over the {name}\n")
            print(table(*means([one[2] for one in some])))


def renamed(photos: Path, folder: Path, split: int) -> Path:
    """The photos under names that bring another split."""
    if split == 0:
        return photos
    for label in sorted(path for path in photos.iterdir() if path.is_dir()):
        (folder / label.name).mkdir(parents=True, exist_ok=True)
        for path in sorted(label.iterdir()):
            shutil.copy(path, folder / label.name / f"split{split}_{path.name}")
    return folder


def measured(
    photos: Path, out: Path, preset: str, precisions: Sequence[Precision], tuning: FineTuning, options: Options
) -> tuple[Report, float, float]:
    """The report of one run, its wall time, and that of the fine-tuning in it, seconds."""
    ticks: list[float] = []

    def progress(step: str, done: int, total: int) -> None:
        if step.startswith("Fine-tuning"):
            ticks.append(time.perf_counter())

    start = time.perf_counter()
    report = retrain(
        photos, out, preset=preset, precisions=precisions, fine_tune=tuning, options=options, progress=progress
    )
    return report, time.perf_counter() - start, ticks[-1] - ticks[0]


Told = tuple[int, int, Report, float, float]


def rows_of(told: Sequence[Told]) -> tuple[list[str], list[list[str]]]:
    header = ["split", "seed", "precision", "test photos", "frozen, %", "tuned, %", "won, lost"]
    header += ["log loss, frozen", "tuned"]
    rows = []
    for split, seed, report, _, _ in told:
        for model in report.models:
            before, after = frozen_evaluation(model), model.evaluation
            won, lost = won_and_lost(before, after)
            figures = [f"{100 * before.top1:.1f}", f"{100 * after.top1:.1f}", f"+{won} -{lost}"]
            figures += [f"{before.log_loss:.3f}", f"{after.log_loss:.3f}"]
            rows.append([str(split), str(seed), model.precision, str(after.photos), *figures])
    return header, rows


def frozen_evaluation(model: ModelRecord) -> Evaluation:
    """Without fine-tuning: the model's own where tuning came to nothing."""
    return model.evaluation if model.frozen is None else model.frozen.evaluation


def courses(told: Sequence[Told]) -> tuple[list[str], list[list[str]]]:
    header = ["split", "seed", "epochs", "best", "validation top-1, %, frozen", "tuned", "validation log loss, frozen"]
    header += ["each training", "tuned", "tuning, s", "s an epoch", "whole run, s"]
    rows = []
    for split, seed, report, seconds, tuning_seconds in told:
        tuned = report.fine_tuning
        assert tuned is not None
        frozen = tuned.trainings[0].history[0]
        epochs = [training.history[-1].epoch for training in tuned.trainings]
        bests = [training.best_epoch for training in tuned.trainings]
        alone = [training.history[training.best_epoch].validation_log_loss for training in tuned.trainings]
        figures = [f"{100 * verdict.validation_top1:.1f}" for verdict in (frozen, tuned)]
        figures += [f"{frozen.validation_log_loss:.3f}", listed(f"{loss:.3f}" for loss in alone)]
        figures += [f"{tuned.validation_log_loss:.3f}"]
        times = [f"{tuning_seconds:.0f}", f"{tuning_seconds / sum(epochs):.1f}", f"{seconds:.0f}"]
        rows.append([str(split), str(seed), listed(epochs), listed(bests), *figures, *times])
    return header, rows


def listed(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)


def means(reports: Sequence[Report]) -> tuple[list[str], list[list[str]]]:
    header = ["precision", "frozen, %", "tuned, %", "difference", "log loss, frozen", "tuned"]
    rows = []
    for index, first in enumerate(reports[0].models):
        models = [report.models[index] for report in reports]
        both = [[frozen_evaluation(model) for model in models], [model.evaluation for model in models]]
        top1 = [100 * float(np.mean([evaluation.top1 for evaluation in evaluations])) for evaluations in both]
        loss = [float(np.mean([evaluation.log_loss for evaluation in evaluations])) for evaluations in both]
        figures = [f"{top1[0]:.1f}", f"{top1[1]:.1f}", f"{top1[1] - top1[0]:+.1f}", f"{loss[0]:.3f}", f"{loss[1]:.3f}"]
        rows.append([first.precision, *figures])
    return header, rows


if __name__ == "__main__":
    main()
