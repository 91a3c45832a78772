"""What quantization costs the features of each preset, step by step: the tables in int8_features.md.

    EDGERETRAIN_PHOTOS=... EDGERETRAIN_WEIGHTS=... python benchmarks/int8_features.py [PRESET ...] [--every 4]

Needs the `tensorflow` extra. No heads are trained: int8_backbone.py and int8.py do that. Judged on every 4th photo of
flower_photos and trashnet. Without names, the presets whose weights are in EDGERETRAIN_WEIGHTS, the fastest first. With
--own-photos also: all steps, but calibrated on 56 of the photos of the set itself that are not judged.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from folds import SETS, machine, photo_sets, table
from int8 import presets_with_weights
from int8_backbone import frozen_preset, unexplained

from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.data.photos import Photo
from edgeretrain.data.pixels import load_pixels
from edgeretrain.quantization.calibration import DEFAULT_COUNT, calibration_pixels
from edgeretrain.quantization.convert import FrozenNetwork, convert
from edgeretrain.quantization.int8_correction import STEPS, refine
from edgeretrain.tflite.quiet import quiet

Pixels = npt.NDArray[np.uint8]

COLUMNS = ["TensorFlow", "own ranges", "+ depthwise rounding", "+ bias correction"]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare int8 features with float32 ones, step by step.")
    parser.add_argument("presets", nargs="*")
    parser.add_argument("--every", type=int, default=4, help="judge every n-th photo; default 4")
    parser.add_argument("--own-photos", action="store_true", help="one more column: calibrated on photos of the set")
    parser.add_argument("--photos", help="folder that holds flower_photos and trashnet (default: EDGERETRAIN_PHOTOS)")
    options = parser.parse_args()
    sets = [photos.photos for _, photos, _ in photo_sets(options.photos)]
    presets = options.presets or presets_with_weights()
    if not presets:
        sys.exit("EDGERETRAIN_WEIGHTS names no folder that holds weights of a preset. Set it, or name presets.")
    columns = COLUMNS + (["all, calibrated on the set itself"] if options.own_photos else [])
    counts = ", ".join(
        f"{len(photos[:: options.every])} photos of {name}" for name, photos in zip(SETS, sets, strict=True)
    )
    print(f"{machine()}; {counts}; unexplained variance, %\n", flush=True)
    print(table(["preset", *(f"{name}: {column}" for name in SETS for column in columns)], []), flush=True)
    for name in presets:
        row = [name]
        network, float32, files = _files(name)
        for photos in sets:
            judged = _pixels(photos[:: options.every], network.size)
            exact = bottlenecks_of(float32, judged)
            variants = list(files)
            if options.own_photos:
                variants.append(_calibrated_on(network, float32, photos, options.every))
            row += [f"{100 * unexplained(bottlenecks_of(data, judged), exact):.2f}" for data in variants]
        print(f"| {' | '.join(row)} |", flush=True)


def _files(name: str) -> tuple[FrozenNetwork, bytes, list[bytes]]:
    """The network, its float32 file, and the int8 file of each of COLUMNS."""
    network = frozen_preset(name)
    photos = list(calibration_pixels(None, network.size))
    float32, int8 = convert(network, "float32"), convert(network, "int8", photos)
    steps = [refine(int8, float32, photos, network.scaling, steps=STEPS[:count])[0] for count in (1, 2)]
    return network, float32, [_by_tensorflow(network, photos), int8, *steps]


def _by_tensorflow(network: FrozenNetwork, photos: Iterable[Pixels]) -> bytes:
    """TensorFlow's calibrator in place of our ranges; the quantizer is the same."""
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    fed = [[network.scaling(photo[None])] for photo in photos]
    fed[0][0][0, 0, :2] = [[-1], [1]]  # the input's range is that of the pixels, as in `convert`
    with quiet():
        calibrated = Calibrator(network.core.write()).calibrate(lambda: iter(fed))
        return bytes(mlir_quantize(calibrated, input_data_type=tf.uint8, output_data_type=tf.int8))


def _calibrated_on(network: FrozenNetwork, float32: bytes, photos: Sequence[Photo], every: int) -> bytes:
    others = [photo for number, photo in enumerate(photos) if number % every]
    spread = np.linspace(0, len(others) - 1, DEFAULT_COUNT).astype(int)
    own = list(np.random.default_rng(0).permutation(_pixels([others[index] for index in spread], network.size)))
    return refine(convert(network, "int8", own), float32, own, network.scaling)[0]


def _pixels(photos: Sequence[Photo], size: int) -> Pixels:
    return np.stack([load_pixels(photo.path, size) for photo in photos])


if __name__ == "__main__":
    main()
