"""How near int8 bottlenecks are to float32 ones, step by step of quantization.int8_correction: int8_backbone.md.

    EDGERETRAIN_PHOTOS=... EDGERETRAIN_WEIGHTS=... python benchmarks/int8_backbone.py [PRESET ...]

Needs the `tensorflow` extra. Calibrated on the default photographs, judged on flower_photos and trashnet. With
--repeats 0, no heads are trained.
"""

import argparse

import numpy as np
import numpy.typing as npt
from folds import SETS, Doubles, Fold, Rows, difference, machine, percent, photo_sets, repeated_folds, table

from edgeretrain.backbone.build import preset_source
from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.backbone.keras_model import keras_model, load_weights
from edgeretrain.backbone.presets import get_preset
from edgeretrain.backbone.weights import find_weights
from edgeretrain.data.pixels import load_pixels
from edgeretrain.head.logistic import choose_logistic, fit_logistic
from edgeretrain.paths import weights_cache
from edgeretrain.quantization.calibration import calibration_pixels
from edgeretrain.quantization.convert import FrozenNetwork, convert, freeze
from edgeretrain.quantization.int8_correction import STEPS, refine
from edgeretrain.tflite.quiet import quiet

Floats = npt.NDArray[np.float32]

DEFAULT = ("mobilenet_v2_100_224", "mobilenet_v1_100_224", "mobilenet_v2_035_128", "mobilenet_v1_025_224")
CHOICES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("TensorFlow's quantization alone", ()),
    *((f"with {step}", (step,)) for step in STEPS),
    ("with both", STEPS),
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare int8 bottlenecks with float32 ones, step by step.")
    parser.add_argument("presets", nargs="*", default=DEFAULT)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--photos", help="folder that holds flower_photos and trashnet (default: EDGERETRAIN_PHOTOS)")
    options = parser.parse_args()
    sets = photo_sets(options.photos)
    folds = [repeated_folds(photos, labels, options.folds, options.repeats) for _, photos, labels in sets]
    print(f"{machine()}\n\n{options.repeats} x {options.folds}-fold", flush=True)
    figures = ["unexplained", "difference"] + (["top-1, %", "to float32"] if options.repeats else [])
    header = ["int8", *(f"{name}: {figure}" for name in SETS for figure in figures)]
    for preset in options.presets:
        variants = _variants(preset)
        rows = [["(float32)"], *([choice] for choice, _ in CHOICES)]
        for (_, photos, labels), repeated in zip(sets, folds, strict=True):
            pixels = np.stack([load_pixels(photo.path, get_preset(preset).resolution) for photo in photos.photos])
            exact, *values = (bottlenecks_of(data, pixels) for data in variants)
            reference = _right(exact, labels, repeated)
            rows[0] += ["", "", *([percent(reference), ""] if repeated else [])]
            for row, bottlenecks in zip(rows[1:], values, strict=True):
                row += [f"{unexplained(bottlenecks, exact):.2%}", f"{relative_difference(bottlenecks, exact):.1%}"]
                if repeated:
                    right = _right(bottlenecks, labels, repeated)
                    row += [percent(right), difference(right, reference)]
        print(f"\n### {preset}\n\n{table(header, rows)}", flush=True)


def frozen_preset(name: str) -> FrozenNetwork:
    """A preset with its real weights, ready for `convert`."""
    preset = get_preset(name)
    with quiet():
        model = keras_model(preset)
        load_weights(model, preset, find_weights(preset, weights_cache()).path)
        source = preset_source(preset, model, {})
        return freeze(source.network, source.size, source.scaling)


def _variants(name: str) -> list[bytes]:
    """The float32 file, and an int8 one for each of CHOICES."""
    network = frozen_preset(name)
    photos = list(calibration_pixels(None, network.size))
    float32, int8 = convert(network, "float32"), convert(network, "int8", photos)
    return [float32, *(refine(int8, float32, photos, network.scaling, steps=steps)[0] for _, steps in CHOICES)]


def unexplained(bottlenecks: Floats, exact: Floats) -> float:
    """1 - R^2: the share of the exact bottlenecks' variance left after the best a * x + b for each feature.

    A head absorbs a and b; what is left is noise to it.
    """
    x, y = (values.astype(np.float64) - values.mean(axis=0, dtype=np.float64) for values in (bottlenecks, exact))
    slope = (x * y).sum(axis=0) / np.maximum(np.square(x).sum(axis=0), 1e-12)
    return float(np.square(y - slope * x).sum() / np.square(y).sum())


def relative_difference(bottlenecks: Floats, exact: Floats) -> float:
    """Mean absolute difference, relative to the mean exact value."""
    return float(np.abs(bottlenecks - exact).mean() / np.abs(exact).mean())


def _right(bottlenecks: Floats, labels: Rows, repeated: list[list[Fold]]) -> Doubles:
    """Which photos a head trained as in a retrain gets right when they are held out: `[repeats, n]`."""
    classes = int(labels.max()) + 1
    right = np.zeros((len(repeated), len(labels)))
    for row, folds in zip(right, repeated, strict=True):
        for fold in folds:
            _, choice = choose_logistic(bottlenecks, labels, fold.training, fold.validation, classes)
            learning = np.concatenate([fold.training, fold.validation])
            head = fit_logistic(bottlenecks, labels, learning, classes, l2=choice.l2)
            row[fold.testing] = head.probabilities(bottlenecks[fold.testing]).argmax(axis=1) == labels[fold.testing]
    return right


if __name__ == "__main__":
    main()
