"""A small preset with random weights, as a weight file and as a cache of its own: no download, the same every time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeretrain.backbone.presets import get_preset
from edgeretrain.backbone.source import BackboneSource
from edgeretrain.backbone.weights import weights_file
from edgeretrain.data.scaling import Scaling

PRESET = "mobilenet_v2_035_96"
LAYERS = 52
SIZE = 24
SMALL_LAYERS = 5


def random_model() -> Any:
    """The preset's Keras model with random weights, always the same ones."""
    pytest.importorskip("tensorflow")
    from edgeretrain.backbone.keras_model import keras_model, randomize

    model = keras_model(get_preset(PRESET))
    randomize(model, seed=0)
    return model


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the preset's weight file, named in EDGERETRAIN_WEIGHTS; other modules keep theirs."""
    folder = tmp_path_factory.mktemp("weights")
    random_model().save(folder / weights_file(get_preset(PRESET)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGERETRAIN_WEIGHTS", str(folder))
        yield folder


@pytest.fixture(scope="session")
def small_backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float32 backbone of five layers: convolutions with batch normalisation, a bottleneck of 8."""
    keras = pytest.importorskip("tensorflow").keras
    from edgeretrain.backbone.build import write_backbones

    keras.backend.clear_session()
    keras.utils.set_random_seed(4)
    value = photo = keras.Input((SIZE, SIZE, 3))
    for name in ("stem", "narrow", "expand", "depthwise", "project"):
        if name == "depthwise":
            value = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(value)
        else:
            value = keras.layers.Conv2D(8, 3, strides=1 + (name == "stem"), use_bias=False)(value)
        value = keras.layers.BatchNormalization()(value)
        value = keras.layers.ReLU(6)(value)
    model = keras.Model(photo, keras.layers.GlobalAveragePooling2D()(value))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(np.full(8, 0.3, np.float32))
    source = BackboneSource(lambda scaled: model(scaled, training=False), SIZE, Scaling.between(-1, 1), 0, {})
    out = tmp_path_factory.mktemp("small")
    (backbone,) = write_backbones("small", source, ["float32"], calibration=None, out=out)
    return backbone.path
