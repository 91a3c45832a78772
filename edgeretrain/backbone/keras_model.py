"""A preset as a Keras model with its weights loaded, after a look at what the weight file holds."""

from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.backbone.hdf5 import UNREADABLE, require_self_contained
from edgeretrain.backbone.presets import Preset
from edgeretrain.backbone.weights import weights_file
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError

SCALING = Scaling.between(-1, 1)
"""Of the photos that the presets' ImageNet weights were trained on (`preprocess_input` of Keras Applications)."""

# Filters of a late layer whose number tells alpha: V1 1024 * alpha; V2 320 * alpha, rounded to multiples of 8.
_V1_ALPHA = {1024: 1.0, 768: 0.75, 512: 0.5, 256: 0.25}
_V2_ALPHA = {448: 1.4, 416: 1.3, 320: 1.0, 240: 0.75, 160: 0.5, 112: 0.35}

# Inception V3 numbers its layers; the first convolution of its last block is of a shape that no other has.
_INCEPTION_LAST = (1, 1, 2048, 320)


def keras_model(preset: Preset) -> Any:
    """The preset's Keras Applications model, scaled photo -> bottleneck, randomly initialised. Needs TensorFlow."""
    import tensorflow as tf

    shape = (preset.resolution, preset.resolution, 3)
    common = {"input_shape": shape, "include_top": False, "pooling": "avg", "weights": None}
    if preset.logits:
        common |= {"include_top": True, "pooling": None, "classifier_activation": None}
    # Layer names must not depend on what else this process has built: the same file twice, the same bytes.
    tf.keras.backend.clear_session()
    if preset.architecture == "mobilenet_v1":
        return tf.keras.applications.MobileNet(alpha=preset.alpha, **common)
    if preset.architecture == "mobilenet_v2":
        return tf.keras.applications.MobileNetV2(alpha=preset.alpha, **common)
    if preset.architecture == "inception_v3":
        return tf.keras.applications.InceptionV3(**common)
    return tf.keras.applications.NASNetMobile(**common)


def load_weights(model: Any, preset: Preset, path: Path) -> None:
    """Load a Keras weight file (HDF5, only arrays are read, no code) into the preset's model.

    Raises:
        EdgeretrainError: not such a file, or one of another network; the message says what it holds.
    """
    holds, with_top = _contents(path)
    wanted = _describe(preset.architecture, preset.alpha)
    advice = f"{preset.name} needs the weights of {wanted}. Give the right file with --weights FILE."
    if holds is not None and holds != wanted:
        raise EdgeretrainError(f"{path}: holds {holds}; {advice}")
    if with_top and not preset.logits:
        raise EdgeretrainError(
            f"{path}: holds {holds} with its ImageNet classifier. Give the file without it (Keras' `..._no_top.h5`)."
        )
    if preset.logits and not with_top:
        raise EdgeretrainError(
            f"{path}: holds {holds or 'weights'} without the ImageNet classifier, whose scores are {preset.name}'s "
            f"bottleneck. Give the file with it (Keras' {weights_file(preset)})."
        )
    try:
        model.load_weights(str(path))
    except UNREADABLE as error:
        raise EdgeretrainError(f"{path}: does not fit ({first_line(error)}). {advice}") from error


def weights_in(path: Path) -> str | None:
    """What network a weight file holds, such as `MobileNet V1 0.25`; None: not recognised."""
    try:
        return _contents(path)[0]
    except EdgeretrainError:
        return None


def randomize(model: Any, seed: int) -> None:
    """Random weights of plausible size everywhere, batch normalisation's statistics too; for tests."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if values := layer.get_weights():
            layer.set_weights([_random_like(layer, value, rng) for value in values])


def _random_like(layer: Any, value: Any, rng: np.random.Generator) -> Any:
    if value.ndim > 1:  # He's initialisation: He et al., arXiv:1502.01852
        fan_in = value[..., 0].size if "depthwise" not in layer.name else value[..., 0, 0].size
        return rng.normal(0, np.sqrt(2 / fan_in), value.shape).astype(np.float32)
    return rng.uniform(0.5, 1.5, value.shape).astype(np.float32)


def _describe(architecture: str, alpha: float) -> str:
    name = {"mobilenet_v1": "MobileNet V1", "mobilenet_v2": "MobileNet V2"}.get(architecture)
    if name:
        return f"{name} {alpha:.2f}"
    return "Inception V3" if architecture == "inception_v3" else "NASNet-mobile"


def _contents(path: Path) -> tuple[str | None, bool]:
    """What network a weight file holds (None: not recognised), and whether with its classifier."""
    import h5py

    wrong, way_out = f"{path}: not a Keras weight file in HDF5 format", "Give --weights a Keras .h5 file."
    if path.name.endswith(".weights.h5") or path.suffix not in (".h5", ".hdf5"):
        raise EdgeretrainError(f"{wrong}. {way_out}")
    try:
        with h5py.File(path, "r") as file:
            require_self_contained(path, file)
            group = file.get("model_weights", file)
            if "layer_names" not in group.attrs:
                raise EdgeretrainError(f"{wrong}. {way_out}")
            layers = {}
            for raw in group.attrs["layer_names"]:
                name = raw.decode() if isinstance(raw, bytes) else str(raw)
                arrays = [group[name][weight].shape for weight in group[name].attrs["weight_names"]]
                if arrays:
                    layers[name] = arrays[0]
    except UNREADABLE as error:
        raise EdgeretrainError(f"{wrong} ({first_line(error)}). {way_out}") from error
    with_top = any(name in layers for name in ("conv_preds", "predictions", "Logits"))
    if "conv_pw_13" in layers:
        alpha = _V1_ALPHA.get(layers["conv_pw_13"][-1])
        return (_describe("mobilenet_v1", alpha) if alpha else None), with_top
    if "block_16_project" in layers:
        alpha = _V2_ALPHA.get(layers["block_16_project"][-1])
        return (_describe("mobilenet_v2", alpha) if alpha else None), with_top
    if _INCEPTION_LAST in layers.values():
        return _describe("inception_v3", 1.0), with_top
    return ("NASNet-mobile" if "stem_bn1" in layers else None), with_top


def first_line(error: Exception) -> str:
    """What an exception says: its first line, of bearable length."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line if len(line) <= 200 else f"{line[:200]}..."
