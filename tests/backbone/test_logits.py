"""Class scores as bottleneck: MobileNet V1 with its ImageNet classifier."""

import os
from pathlib import Path

import numpy as np
import pytest

from edgeretrain.backbone.build import build_backbones
from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.errors import EdgeretrainError

pytestmark = pytest.mark.tensorflow

PRESET = "mobilenet_v1_025_128_logits"


def weights(name: str) -> Path:
    pytest.importorskip("tensorflow")
    folder = os.environ.get("EDGERETRAIN_WEIGHTS")
    if not folder or not (Path(folder) / name).is_file():
        pytest.skip(f"EDGERETRAIN_WEIGHTS names no folder that holds {name}")
    return Path(folder) / name


def test_the_bottleneck_is_what_keras_classifier_says_before_its_softmax(tmp_path: Path) -> None:
    import tensorflow as tf

    top = weights("mobilenet_2_5_128_tf.h5")
    (backbone,) = build_backbones(PRESET, ["float32"], weights=None, calibration=None, out=tmp_path)
    assert (backbone.path.name, backbone.card["bottleneck"]) == (f"{PRESET}.float32.tflite", 1000)
    assert backbone.card["weights"]["file"] == top.name
    assert backbone.card["parameters"] == 475_544
    classifier = tf.keras.applications.MobileNet(alpha=0.25, input_shape=(128, 128, 3), weights=str(top))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    scores = bottlenecks_of(backbone.path.read_bytes(), pixels)
    assert scores.min() < 0
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = classifier(pixels.astype(np.float32) / 127.5 - 1, training=False)
    np.testing.assert_allclose(shares, expected, atol=1e-5)


def test_weights_without_the_classifier_are_refused(tmp_path: Path) -> None:
    given = weights("mobilenet_2_5_128_tf_no_top.h5")
    with pytest.raises(EdgeretrainError, match=r"without the ImageNet classifier.*Keras' mobilenet_2_5_128_tf\.h5"):
        build_backbones(PRESET, ["float32"], weights=given, calibration=None, out=tmp_path)
    given = weights("mobilenet_2_5_128_tf.h5")
    with pytest.raises(EdgeretrainError, match=r"with its ImageNet classifier\. Give the file without it"):
        build_backbones("mobilenet_v1_025_128", ["float32"], weights=given, calibration=None, out=tmp_path)
    assert list(tmp_path.iterdir()) == []
