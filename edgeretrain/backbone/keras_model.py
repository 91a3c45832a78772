"""A preset as a Keras model; its weight file is checked before it is loaded."""

from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.backbone.families import FAMILIES, Family
from edgeretrain.backbone.hdf5 import UNREADABLE, require_self_contained
from edgeretrain.backbone.presets import PRESETS, Preset
from edgeretrain.backbone.weights import weights_file
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.describe import first_line
from edgeretrain.quantization.layers import Floats
from edgeretrain.tflite.tensorflow_types import KerasLayer, KerasModel


def keras_model(preset: Preset) -> KerasModel:
    """The preset's Keras Applications model, scaled photo -> bottleneck, randomly initialised. Needs TensorFlow."""
    import tensorflow as tf

    shape = (preset.resolution, preset.resolution, 3)
    options = {"input_shape": shape, "include_top": False, "pooling": "avg", "weights": None}
    if preset.logits:
        options |= {"include_top": True, "pooling": None, "classifier_activation": None}
    if preset.family.scalable:
        options["alpha"] = preset.alpha
    # Layer names must not depend on other models of this process: the same network gives the same bytes.
    tf.keras.backend.clear_session()
    return getattr(tf.keras.applications, preset.family.constructor)(**options)


def load_weights(model: KerasModel, preset: Preset, path: Path) -> None:
    """Load a Keras weight file (HDF5, only arrays are read, no code) into the preset's model.

    Raises:
        EdgeretrainError: not such a file, or one of another network; the message says what it holds.
    """
    holds, with_top = _contents(path)
    expected = preset.family.title_at(preset.alpha)
    advice = f"{preset.name} needs the weights of {expected}. Give the right file with --weights FILE."
    if holds is not None and holds != expected:
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


def randomize(model: KerasModel, seed: int) -> None:
    """Random weights of plausible size everywhere, batch normalisation's statistics too; for tests."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if values := layer.get_weights():
            layer.set_weights([_random_like(layer, value, rng) for value in values])


def _random_like(layer: KerasLayer, value: Floats, rng: np.random.Generator) -> Floats:
    if value.ndim > 1:  # He's initialisation: He et al., arXiv:1502.01852
        fan_in = value[..., 0].size if "depthwise" not in layer.name else value[..., 0, 0].size
        return rng.normal(0, np.sqrt(2 / fan_in), value.shape).astype(np.float32)
    return rng.uniform(0.5, 1.5, value.shape).astype(np.float32)


def _contents(path: Path) -> tuple[str | None, bool]:
    """What network a weight file holds (None: not recognised), and whether with its classifier."""
    import h5py

    wrong, hint = f"{path}: not a Keras weight file in HDF5 format", "Give --weights a Keras .h5 file."
    if path.name.endswith(".weights.h5") or path.suffix not in (".h5", ".hdf5"):
        raise EdgeretrainError(f"{wrong}. {hint}")
    try:
        with h5py.File(path, "r") as file:
            require_self_contained(path, file)
            group = file.get("model_weights", file)
            if "layer_names" not in group.attrs:
                raise EdgeretrainError(f"{wrong}. {hint}")
            names = [raw.decode() if isinstance(raw, bytes) else str(raw) for raw in group.attrs["layer_names"]]
            family = next((family for family in FAMILIES if family.layer in names), None)
            filters = _filters(group[family.layer]) if family and family.scalable else 0
    except UNREADABLE as error:
        raise EdgeretrainError(f"{wrong} ({first_line(error)}). {hint}") from error
    with_top = any(name in names for name in ("conv_preds", "predictions", "Logits"))
    return _title(family, filters) if family else None, with_top


def _filters(layer: Any) -> int:
    """Output channels of a layer of a weight file; 0 without weights."""
    weights = [layer[weight].shape for weight in layer.attrs["weight_names"]]
    return int(weights[0][-1]) if weights else 0


def _title(family: Family, filters: int) -> str | None:
    """What network has so many filters in the family's layer; None: none of the family's widths."""
    widths = {preset.alpha for preset in PRESETS.values() if preset.family is family}
    matching = (alpha for alpha in widths if not family.scalable or filters == round(family.layer_filters * alpha))
    return next((family.title_at(alpha) for alpha in matching), None)
