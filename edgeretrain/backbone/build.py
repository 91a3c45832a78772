"""Make backbones: Keras weights -> traced and frozen once -> a `.tflite` file per precision. Needs TensorFlow."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgeretrain.backbone.artifact import Backbone, write_backbone
from edgeretrain.backbone.calibration import calibration_card, calibration_pixels
from edgeretrain.backbone.contract import bottlenecks_of, check_contract
from edgeretrain.backbone.convert import FrozenGraph, convert
from edgeretrain.backbone.keras_model import keras_model, load_weights, randomize
from edgeretrain.backbone.quiet import quiet
from edgeretrain.backbone.refine import refine
from edgeretrain.backbone.weights import Weights, find_weights, given_weights
from edgeretrain.errors import EdgeretrainError
from edgeretrain.presets import Precision, Preset, get_preset
from edgeretrain.progress import Progress, silent

TOLERANCE = 1e-4
"""How far a float32 backbone may be from Keras, relative to the largest bottleneck value."""


def build_backbones(
    preset: str,
    precisions: Sequence[Precision],
    *,
    weights: Path | Weights | Literal["random"] | None,
    calibration: Path | None,
    out: Path,
    progress: Progress = silent,
) -> list[Backbone]:
    """Make the backbones of a preset, `<preset>.<precision>.tflite` with cards, in the folder `out`.

    Tracing and freezing are done once for all precisions. Each file is checked before it is written.

    Args:
        weights: a Keras weight file; None: found in EDGERETRAIN_WEIGHTS or downloaded. "random" is for tests.
        calibration: a folder of photos for int8; None: the default photographs (see `calibration.py`).

    Raises:
        EdgeretrainError: TensorFlow is missing; the weights are missing or of another network; no calibration photos;
            a file that was made does not keep its contract (it is not written then).
    """
    wanted = get_preset(preset)
    step, total = f"Building {wanted.name}", len(precisions) + 1
    progress(step, 0, total)
    tensorflow_version, keras_version = _versions()
    found = weights if weights == "random" else _weights(wanted, weights, progress)
    with quiet():
        model = keras_model(wanted)
        if isinstance(found, Weights):
            load_weights(model, wanted, found.path)
        else:
            randomize(model, seed=0)
        graph = freeze(model, wanted.resolution)
    photos = list(calibration_pixels(calibration, wanted.resolution)) if "int8" in precisions else []
    backbones = []
    float32 = b""
    for done, precision in enumerate(precisions, start=1):
        progress(step, done, total)
        if precision in ("float32", "int8"):
            float32 = float32 or convert(graph, "float32")
        data = float32 if precision == "float32" else convert(graph, precision, lambda: photos)
        steps: list[str] = []
        if precision == "int8":
            data, steps = refine(data, float32, photos)
        check_contract(data, wanted, precision)
        if precision == "float32":
            _check_against(model, data, wanted)
        card: dict[str, Any] = {
            "preset": wanted.name,
            "architecture": wanted.architecture,
            "alpha": wanted.alpha,
            "resolution": wanted.resolution,
            "precision": precision,
            "bottleneck": wanted.bottleneck,
            "parameters": int(model.count_params()),
            "weights": found.card() if isinstance(found, Weights) else {"source": "random, seed 0"},
            "converter": {"tensorflow": tensorflow_version, "keras": keras_version},
            "input": {"dtype": "uint8" if precision == "int8" else "float32", "range": "0..255 RGB"},
        }
        if precision == "int8":
            card["calibration"] = calibration_card(calibration, len(photos)) | {"steps": steps}
        backbones.append(write_backbone(out, data, card))
    progress(step, total, total)
    return backbones


def freeze(model: Any, size: int) -> FrozenGraph:
    """Trace a Keras model of scaled photos, [-1, 1], behind the scaling of raw RGB; its weights become constants."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def run(photo: Any) -> Any:
        # Multiply, then subtract: x / 127.5 - 1, in the two operations that the converter folds best.
        scaled = tf.subtract(photo * np.float32(1 / 127.5), 1.0, name="scaled")
        return model(scaled, training=False)

    signature = [tf.TensorSpec((1, size, size, 3), tf.float32, name="photo")]
    traced = tf.function(run, input_signature=signature).get_concrete_function()
    frozen = convert_variables_to_constants_v2(traced)
    bottleneck = frozen.outputs[0].op.name
    return FrozenGraph(frozen.graph.as_graph_def(), "photo", "scaled", bottleneck, size, scale=1 / 127.5, offset=-1.0)


def _versions() -> tuple[str, str]:
    """TensorFlow's and Keras' versions; the first import of TensorFlow happens here."""
    try:
        with quiet():
            import tensorflow as tf

            return str(tf.__version__), str(tf.keras.__version__)
    except ImportError as error:
        raise EdgeretrainError(
            'Making a backbone needs TensorFlow, which is not installed. Run pip install "edgeretrain[tensorflow]".'
        ) from error


def _weights(preset: Preset, weights: Path | Weights | None, progress: Progress) -> Weights:
    from edgeretrain.backbone.store import weights_cache

    if isinstance(weights, Weights):
        return weights
    return find_weights(preset, weights_cache(), progress=progress) if weights is None else given_weights(weights)


def _check_against(model: Any, data: bytes, preset: Preset) -> None:
    """The float32 file gives what Keras gives, on photo-like pixels.

    Raises:
        EdgeretrainError: it does not.
    """
    pixels = np.stack([_photo_like(preset.resolution, seed) for seed in range(3)])
    with quiet():
        expected = np.asarray(model(pixels.astype(np.float32) / 127.5 - 1, training=False))
    actual = bottlenecks_of(data, pixels)
    error = float(np.abs(actual - expected).max() / np.abs(expected).max())
    if not error <= TOLERANCE:
        raise EdgeretrainError(
            f"{preset.name}: the converted float32 file is {error:.1e} away from Keras (at most {TOLERANCE:.0e} is "
            "allowed). This TensorFlow version's converter may be at fault: install another one."
        )


def _photo_like(size: int, seed: int) -> npt.NDArray[np.uint8]:
    """Smooth coloured noise with photo-like contrast, `uint8 [size,size,3]`: needs no photo on this machine."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    pixels = np.zeros((size, size, 3))
    for side, weight in ((4, 0.5), (16, 0.3), (64, 0.2)):
        noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        pixels += weight * np.asarray(Image.fromarray(noise).resize((size, size), Image.Resampling.BILINEAR))
    return pixels.astype(np.uint8)
