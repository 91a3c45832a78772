"""Make backbones: a TensorFlow network -> traced and frozen once -> a `.tflite` file per precision."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgeretrain.backbone.artifact import Backbone, write_backbone
from edgeretrain.backbone.contract import Contract, bottlenecks_of, check_contract
from edgeretrain.backbone.keras_model import keras_model, load_weights, randomize
from edgeretrain.backbone.presets import Preset, get_preset
from edgeretrain.backbone.source import BackboneSource, SourceCard
from edgeretrain.backbone.tensorflow_extra import require_tensorflow
from edgeretrain.backbone.weights import Weights, WeightsCard, find_weights, given_weights
from edgeretrain.errors import EdgeretrainError
from edgeretrain.paths import weights_cache
from edgeretrain.precision import Precision
from edgeretrain.progress import Progress, silent
from edgeretrain.quantization.calibration import Calibration, calibration_from
from edgeretrain.quantization.convert import convert, freeze
from edgeretrain.quantization.int8_correction import refine
from edgeretrain.tflite.quiet import quiet
from edgeretrain.tflite.tensorflow_types import KerasModel, TfTensor

BOTTLENECK_TOLERANCE = 1e-4
"""The largest allowed error of a float32 backbone against TensorFlow, relative to the largest bottleneck value."""


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

    Args:
        weights: a Keras weight file; None: found in EDGERETRAIN_WEIGHTS or downloaded. "random" is for tests.
        calibration: a folder of photos for int8; None: the default photographs (see `calibration.py`).

    Raises:
        EdgeretrainError: TensorFlow is missing; the weights are missing or of another network; no calibration photos;
            a converted file breaks its contract (it is not written then).
    """
    chosen = get_preset(preset)
    progress(building_step(chosen.name), 0, len(precisions) + 1)
    require_tensorflow()
    pretrained = None if weights == "random" else _weights(chosen, weights, progress)
    with quiet():
        model = keras_model(chosen)
        if pretrained is not None:
            load_weights(model, chosen, pretrained.path)
        else:
            randomize(model, seed=0)
    source = preset_source(chosen, model, {"source": "random, seed 0"} if pretrained is None else pretrained.card())
    photos = calibration_from(calibration, chosen.resolution) if "int8" in precisions else None
    return write_backbones(chosen.name, source, precisions, calibration=photos, out=out, progress=progress)


def preset_source(preset: Preset, model: KerasModel, weights: WeightsCard) -> BackboneSource:
    """A preset's Keras model as a source.

    Args:
        model: as `keras_model` makes it, its weights loaded.
        weights: for the card.
    """

    def network(scaled: TfTensor) -> TfTensor:
        return model(scaled, training=False)

    card: SourceCard = {"architecture": preset.architecture, "alpha": preset.alpha, "weights": weights}
    return BackboneSource(network, preset.resolution, preset.family.scaling, int(model.count_params()), card)


def write_backbones(
    name: str,
    source: BackboneSource,
    precisions: Sequence[Precision],
    *,
    calibration: Calibration | None,
    out: Path,
    progress: Progress = silent,
) -> list[Backbone]:
    """Make a source's backbones, `<name>.<precision>.tflite` with cards, in the folder `out`.

    Tracing and freezing are done once for all precisions. Each file is checked before it is written.

    Args:
        calibration: for int8; may be None without it.

    Raises:
        EdgeretrainError: a converted file breaks its contract (it is not written then).
    """
    step, total = building_step(name), len(precisions) + 1
    tensorflow_version, keras_version = require_tensorflow()
    with quiet():
        graph = freeze(source.network, source.size, source.scaling)
    contract = Contract(name, source.size, graph.length, source.scaling)
    photos = calibration.pixels if calibration is not None else ()
    # Every precision is made from this file, so it is always compared with the source.
    float32 = convert(graph, "float32")
    _check_against(source, float32, name)
    backbones = []
    for done, precision in enumerate(precisions, start=1):
        progress(step, done, total)
        data = float32 if precision == "float32" else convert(graph, precision, photos)
        steps: list[str] = []
        if precision == "int8":
            data, steps = refine(data, float32, photos, source.scaling)
        check_contract(data, contract, precision)
        card: dict[str, Any] = {
            **source.card,
            "preset": name,
            "resolution": source.size,
            "precision": precision,
            "bottleneck": graph.length,
            "parameters": source.parameters,
            "converter": {"tensorflow": tensorflow_version, "keras": keras_version},
            "input": {"dtype": "uint8" if precision == "int8" else "float32", "range": "0..255 RGB"},
        }
        if precision == "int8" and calibration is not None:
            card["calibration"] = calibration.card | {"steps": steps}
        backbones.append(write_backbone(out, data, card))
    progress(step, total, total)
    return backbones


def building_step(name: str) -> str:
    """The name of the step for progress."""
    return f"Building {name}"


def _weights(preset: Preset, weights: Path | Weights | None, progress: Progress) -> Weights:
    if isinstance(weights, Weights):
        return weights
    return find_weights(preset, weights_cache(), progress=progress) if weights is None else given_weights(weights)


def _check_against(source: BackboneSource, data: bytes, name: str) -> None:
    """Check that the float32 file gives what TensorFlow gives for the source, on photo-like pixels.

    Raises:
        EdgeretrainError: it does not.
    """
    pixels = np.stack([_photo_like(source.size, seed) for seed in range(3)])
    expected = run_source(source, pixels)
    actual = bottlenecks_of(data, pixels)
    error = float(np.abs(actual - expected).max() / np.abs(expected).max())
    if not error <= BOTTLENECK_TOLERANCE:
        raise EdgeretrainError(
            f"{name}: the converted float32 file is {error:.1e} away from TensorFlow's own result (at most "
            f"{BOTTLENECK_TOLERANCE:.0e} is allowed). The cause may be the converter of this TensorFlow version: "
            "install another one."
        )


def run_source(source: BackboneSource, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The bottlenecks `float32 [n,d]` that TensorFlow computes for photos `uint8 [n,S,S,3]`, one by one."""
    import tensorflow as tf

    with quiet():
        rows = [np.asarray(source.network(tf.constant(source.scaling(photo[None])))) for photo in pixels]
    return np.stack([row.reshape(-1) for row in rows])


def _photo_like(size: int, seed: int) -> npt.NDArray[np.uint8]:
    """Smooth coloured noise with photo-like contrast, `uint8 [size,size,3]`: needs no photo on this machine."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    pixels = np.zeros((size, size, 3))
    for side, weight in ((4, 0.5), (16, 0.3), (64, 0.2)):
        noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        pixels += weight * np.asarray(Image.fromarray(noise).resize((size, size), Image.Resampling.BILINEAR))
    return pixels.astype(np.uint8)
