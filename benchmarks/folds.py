"""What the accuracy benchmarks share: the photo sets, repeated stratified folds, and paired differences."""

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeretrain.data.photos import PhotoSet, find_photos
from edgeretrain.tflite.runtime import load_runtime
from edgeretrain.threads import available_cores
from edgeretrain.version import __version__

SETS = ("flower_photos", "trashnet")

Rows = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fold:
    """The photos of one fold, as indices: nine tenths to learn from (of them one tenth chooses), one tenth to judge."""

    training: Rows
    validation: Rows
    testing: Rows


def argument_parser(description: str) -> argparse.ArgumentParser:
    """One that knows `folds`, `repeats` and `photos`; see `parsed`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--photos", help="folder that holds flower_photos and trashnet (default: EDGERETRAIN_PHOTOS)")
    return parser


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """What the command line says, once it has enough folds and repeats."""
    arguments = parser.parse_args()
    if arguments.folds < 3 or arguments.repeats < 1:
        parser.error("at least 3 folds (one to judge, one to choose the strength) and 1 repeat are needed")
    return arguments


def photo_sets(root: str | None) -> list[tuple[str, PhotoSet, Rows]]:
    """flower_photos and trashnet: name, photos, label of each photo `[n]`.

    Args:
        root: the folder that holds them; default EDGERETRAIN_PHOTOS.
    """
    root = root or os.environ.get("EDGERETRAIN_PHOTOS")
    missing = [name for name in SETS if not root or not (Path(root) / name).is_dir()]
    if root is None or missing:
        sys.exit(
            f"{root or 'EDGERETRAIN_PHOTOS is not set'}: no {' and no '.join(missing)} there. "
            f"Set EDGERETRAIN_PHOTOS, or give --photos: the folder that holds {' and '.join(SETS)}."
        )
    found = []
    for name in SETS:
        photo_set = find_photos(Path(root) / name)
        position = {label: index for index, label in enumerate(photo_set.labels)}
        found.append((name, photo_set, np.array([position[photo.label] for photo in photo_set.photos], np.int64)))
    return found


def repeated_folds(photo_set: PhotoSet, labels: Rows, folds: int, repeats: int) -> list[list[Fold]]:
    """Stratified k-fold, `repeats` times with other seeds; byte-identical photos are always in the same fold.

    The tenth after the one held out (for k = 10) is the validation set, so the shares are those of a retrain.
    """
    families: dict[str, list[int]] = {}
    for index, photo in enumerate(photo_set.photos):
        families.setdefault(photo.digest, []).append(index)
    groups = list(families.values())
    group_labels = np.array([labels[group[0]] for group in groups])
    every = []
    for repeat in range(repeats):
        random = np.random.default_rng(repeat)
        number = np.empty(len(labels), np.int64)
        dealt = 0
        for label in range(len(photo_set.labels)):
            for group in random.permutation(np.flatnonzero(group_labels == label)):
                number[groups[group]] = dealt % folds
                dealt += 1
        every.append(
            [
                Fold(
                    np.flatnonzero((number != held_out) & (number != (held_out + 1) % folds)),
                    np.flatnonzero(number == (held_out + 1) % folds),
                    np.flatnonzero(number == held_out),
                )
                for held_out in range(folds)
            ]
        )
    return every


def percent(right: Doubles) -> str:
    """Top-1 of `[repeats, n]` right or wrong photos."""
    return f"{100 * right.mean():.2f}"


def difference(right: Doubles, reference: Doubles) -> str:
    """Paired difference of two top-1s in points, and its standard error.

    Each photo counts once, by its mean over the repeats: the repeats share the photos, so they are not independent.
    What is left out is that another training set would have given another head.

    Args:
        right, reference: `[repeats, n]`, share of right answers for each photo.
    """
    gain = 100 * (right - reference).mean(axis=0)
    return f"{gain.mean():+.2f} ± {gain.std(ddof=1) / np.sqrt(len(gain)):.2f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """What the figures were measured with, for the head of a table."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model} ({platform.machine()}), {available_cores()} cores; {load_runtime()}; edgeretrain {__version__}"
