"""A whole float32 model file equals Keras: backbone, `Dense` and softmax with the same weights, to 1e-4."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compat.environments import Retrained
from edgeretrain.backbone.presets import DEFAULT_PRESET, get_preset
from edgeretrain.backbone.weights import weights_file
from edgeretrain.head.softmax import Head
from edgeretrain.tflite.classifier_file import write_classifier
from edgeretrain.tflite.flatbuffer import read_model
from edgeretrain.tflite.runtime import Network

pytestmark = pytest.mark.slow

TOLERANCE = 1e-4

# Every architecture at every bottleneck width, at the smallest resolution that the width comes in.
ONE_PER_WIDTH = [
    "mobilenet_v1_025_128",
    "mobilenet_v1_050_128",
    "mobilenet_v1_075_128",
    "mobilenet_v1_100_128",
    "mobilenet_v2_035_96",
    "mobilenet_v2_130_224",
    "mobilenet_v2_140_224",
    "nasnet_mobile",
]


def with_head(backbone: Any, head: Head) -> Any:
    """Keras' backbone, scaled photo in, with a `Dense` softmax behind it."""
    import tensorflow as tf

    dense = tf.keras.layers.Dense(head.weights.shape[1], activation="softmax")
    model = tf.keras.Model(backbone.input, dense(backbone.output))
    dense.set_weights([head.weights, head.bias])
    return model


def keras_probabilities(model: Any, pixels: Any) -> Any:
    scaled = np.asarray(pixels, np.float32) / 127.5 - 1
    return np.concatenate([np.asarray(model(scaled[start : start + 16])) for start in range(0, len(scaled), 16)])


def head_of(path: Path) -> Head:
    """The head's weights as they stand in a float32 model file."""
    model = read_model(path)
    arrays = {
        tensor.name.decode(): model.buffers[tensor.buffer].data.view(np.float32).reshape(tensor.shape)
        for tensor in model.subgraphs[0].tensors
        if tensor.name in (b"head/weights", b"head/bias")
    }
    return Head(np.ascontiguousarray(arrays["head/weights"].T), arrays["head/bias"])


def test_a_retrained_file_equals_keras_on_real_photos(retrained: Retrained) -> None:
    preset = get_preset(DEFAULT_PRESET)
    path = Path(os.environ.get("EDGERETRAIN_WEIGHTS", "nowhere")) / weights_file(preset)
    if not path.is_file():
        pytest.skip(f"EDGERETRAIN_WEIGHTS names no folder with {weights_file(preset)}")
    pytest.importorskip("tensorflow")
    from edgeretrain.backbone.keras_model import keras_model, load_weights
    from edgeretrain.classifier import Classifier
    from edgeretrain.data.pixels import load_pixels

    backbone = keras_model(preset)
    load_weights(backbone, preset, path)
    model = retrained.folder / "model.float32.tflite"
    photos = [retrained.photos[index] for index in retrained.testing]
    expected = keras_probabilities(
        with_head(backbone, head_of(model)), [load_pixels(photo, 224, "squash") for photo in photos]
    )
    classifier = Classifier(model, runtime="ai_edge_litert")
    found = np.stack([classifier.probabilities(photo) for photo in photos])
    print(f"{len(photos)} photos, largest difference of a probability {np.abs(found - expected).max():.1e}")
    assert len(photos) >= 50
    assert len(set(expected.argmax(axis=1))) == len(retrained.labels)
    assert np.abs(found - expected).max() <= TOLERANCE


@pytest.mark.parametrize("preset", ONE_PER_WIDTH)
def test_a_head_on_any_backbone_equals_keras(preset: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from edgeretrain.backbone.build import build_backbones
    from edgeretrain.backbone.keras_model import keras_model, randomize

    wanted = get_preset(preset)
    (built,) = build_backbones(preset, ["float32"], weights="random", calibration=None, out=tmp_path)
    backbone = keras_model(wanted)
    randomize(backbone, seed=0)
    rng = np.random.default_rng(5)
    side = wanted.resolution // 16
    pixels = rng.integers(0, 256, (8, side, side, 3), dtype=np.uint8).repeat(16, axis=1).repeat(16, axis=2)
    bottlenecks = np.asarray(backbone(pixels.astype(np.float32) / 127.5 - 1, training=False))
    # Weights to the scale of the bottlenecks: probabilities neither all alike nor all 0 and 1. (Standardised ones would
    # magnify the float32 rounding of either side: a random backbone's bottlenecks hardly vary from photo to photo.)
    weights = rng.normal(0, 2, (wanted.bottleneck, 7)) / np.sqrt((bottlenecks**2).mean() * wanted.bottleneck)
    head = Head(weights.astype(np.float32), rng.normal(0, 1, 7).astype(np.float32))
    card = {"preset": preset, "fit": "squash", "backbone": {}}
    content = write_classifier(
        built.path, head, "float32", bottlenecks, labels=[f"class {number}" for number in range(7)], card=card
    )
    network = Network(content)
    found = np.stack([network(one) for one in pixels])
    expected = keras_probabilities(with_head(backbone, head), pixels)
    assert (expected.std(axis=1) > 0.05).all()
    assert (expected.max(axis=1) < 0.999).all()
    print(f"{preset}: largest difference of a probability {np.abs(found - expected).max():.1e}")
    assert np.abs(found - expected).max() <= TOLERANCE
