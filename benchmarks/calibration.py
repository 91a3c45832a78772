"""What an int8 backbone should be calibrated on: the table in calibration.md.

    EDGERETRAIN_PHOTOS=... EDGERETRAIN_WEIGHTS=... python benchmarks/calibration.py [--preset PRESET]

Needs the `tensorflow` extra. For each choice of calibration photos: how far the int8 bottlenecks are from the float32
ones, and how many photos of flower_photos and trashnet a head trained on the int8 bottlenecks gets right (repeated
k-fold, the same folds for every choice).
"""

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from int8_backbone import frozen_preset

from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.backbone.presets import DEFAULT_PRESET, get_preset
from edgeretrain.data.pixels import load_pixels
from edgeretrain.head.logistic import fit_logistic
from edgeretrain.quantization.calibration import calibration_pixels
from edgeretrain.quantization.convert import convert

Pixels = npt.NDArray[np.uint8]
SETS = ("flower_photos", "trashnet")
FOLDS, REPEATS, L2 = 5, 3, 0.03


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare calibration photos for int8 backbones.")
    parser.add_argument("--preset", default=DEFAULT_PRESET)
    preset = get_preset(parser.parse_args().preset)
    size = preset.resolution
    root = Path(os.environ["EDGERETRAIN_PHOTOS"])
    photos = {name: _photos(root / name, size) for name in SETS}

    graph = frozen_preset(preset.name)
    data = convert(graph, "float32")
    exact = {name: bottlenecks_of(data, pixels) for name, (pixels, _) in photos.items()}

    print(f"{preset.name}: {REPEATS} x {FOLDS}-fold, standard error over the repeats in brackets\n")
    head = " | ".join(f"{name}: difference | {name}: top-1" for name in SETS)
    print(f"| calibration | photos | {head} |\n|---|---|{'---|---|' * len(SETS)}")
    row = " | ".join(f"- | {_accuracy(exact[name], photos[name][1])}" for name in SETS)
    print(f"| (float32) | - | {row} |", flush=True)
    for choice, count, calibration in _choices(root, size):
        data = convert(graph, "int8", calibration)
        cells = []
        for name in SETS:
            pixels, labels = photos[name]
            bottlenecks = bottlenecks_of(data, pixels)
            difference = np.abs(bottlenecks - exact[name]).mean() / np.abs(exact[name]).mean()
            cells.append(f"{difference:.1%} | {_accuracy(bottlenecks, labels)}")
        print(f"| {choice} | {count} | {' | '.join(cells)} |", flush=True)


def _choices(root: Path, size: int) -> Iterable[tuple[str, int, Iterable[Pixels]]]:
    def photos(folder: Path | None, count: int, seed: int = 0) -> Iterable[Pixels]:
        return calibration_pixels(folder, size, count=count, seed=seed)

    def recoloured(count: int) -> Iterable[Pixels]:
        rng = np.random.default_rng(0)
        for pixels in calibration_pixels(None, size, count=count):
            yield pixels[:, :, rng.permutation(3)]

    def noise(count: int) -> Iterable[Pixels]:
        rng = np.random.default_rng(0)
        for _ in range(count):
            yield rng.integers(0, 256, (size, size, 3), dtype=np.uint8)

    for count in (14, 28, 56, 128, 256):
        yield "crops of scikit-image's photographs", count, photos(None, count)
    for seed in (1, 2):
        yield f"the same, seed {seed}", 128, photos(None, 128, seed)
    yield "the same, colour channels shuffled", 128, recoloured(128)
    for name in SETS:
        for count in (28, 128):
            yield name, count, photos(root / name, count)
    yield "uniform noise", 128, noise(128)


def _photos(folder: Path, size: int) -> tuple[Pixels, npt.NDArray[np.int64]]:
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    found = [(path, label) for label, name in enumerate(classes) for path in sorted(name.glob("*.jpg"))]
    return np.stack([load_pixels(path, size) for path, _ in found]), np.array([label for _, label in found])


def _accuracy(bottlenecks: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> str:
    """Repeated stratified k-fold top-1 of the default head, percent, with its standard error."""
    classes = int(labels.max()) + 1
    scores = []
    for repeat in range(REPEATS):
        rng = np.random.default_rng(repeat)
        fold = np.empty(len(labels), np.int64)
        for label in range(classes):
            members = np.flatnonzero(labels == label)
            fold[rng.permutation(members)] = np.arange(len(members)) % FOLDS
        right = 0
        for number in range(FOLDS):
            held_out = fold == number
            head = fit_logistic(bottlenecks, labels, np.flatnonzero(~held_out), classes, l2=L2)
            right += int((head.probabilities(bottlenecks[held_out]).argmax(1) == labels[held_out]).sum())
        scores.append(100 * right / len(labels))
    return f"{np.mean(scores):.1f} ({np.std(scores, ddof=1) / np.sqrt(REPEATS):.1f})"


if __name__ == "__main__":
    main()
