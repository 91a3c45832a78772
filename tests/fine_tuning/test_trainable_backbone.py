"""A backbone file as a network that can learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeretrain.backbone import find_backbone
from edgeretrain.backbone.source import BackboneSource
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.fine_tuning.trainable_backbone import TrainableBackbone
from edgeretrain.precision import Precision
from edgeretrain.tflite.graph import Graph
from edgeretrain.tflite.runtime import Network
from fine_tuning.conftest import SIZE, SMALL_LAYERS

pytestmark = pytest.mark.tensorflow


def test_what_it_knows_of_itself(small_backbone: Path) -> None:
    backbone = TrainableBackbone(small_backbone, "all")
    assert (backbone.size, backbone.length) == (SIZE, 8)
    assert str(backbone.scaling) == "-1..1"
    shapes = [tuple(variable.shape) for variable in backbone.variables]
    assert shapes[:2] == [(8, 3, 3, 3), (8,)]
    assert len(shapes) == 2 * SMALL_LAYERS
    assert backbone.parameters == 3 * 72 + 3 * 8 * 72 + 72 + 8  # equal biases are stored once


def test_the_top_layers_come_last(small_backbone: Path) -> None:
    every = [variable.numpy() for variable in TrainableBackbone(small_backbone, "all").variables]
    top = [variable.numpy() for variable in TrainableBackbone(small_backbone, 2).variables]
    assert all(np.array_equal(a, b) for a, b in zip(every[-4:], top, strict=True))


@pytest.mark.parametrize("layers", [6, 100])
def test_too_many_layers_are_refused_with_the_number_there_is(small_backbone: Path, layers: int) -> None:
    with pytest.raises(EdgeretrainError, match=rf"has 5 layers with weights, so {layers} cannot .* up to 5\.$"):
        TrainableBackbone(small_backbone, layers)


@pytest.mark.parametrize("preset", ["mobilenet_v1_100_224", "mobilenet_v2_100_224"])
def test_a_bundled_backbone_gives_its_bottlenecks(preset: str) -> None:
    path = find_backbone(preset, "float32").path
    backbone, file = TrainableBackbone(path, "all"), Network(path)
    photos = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 3), np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    expected = np.stack([file(photo) for photo in photos])
    made = np.asarray(backbone(backbone.scaling(photos)))
    assert np.abs(made - expected).max() < 1e-4 * np.abs(expected).max()
    assert len(backbone.variables) == 2 * (27 if "v1" in preset else 52)


def test_shapes_that_are_written_for_one_photo_serve_many(tmp_path: Path) -> None:
    from edgeretrain.backbone.build import write_backbones

    tf = pytest.importorskip("tensorflow")
    weights = np.random.default_rng(1).normal(size=(4, 4, 3, 5)).astype(np.float32)

    def network(scaled: Any) -> Any:
        return tf.reshape(tf.nn.conv2d(scaled, weights, 1, "VALID"), (1, 5))

    source = BackboneSource(network, 4, Scaling.between(0, 255), 0, {})
    (backbone,) = write_backbones("flat", source, ["float32"], calibration=None, out=tmp_path)
    assert "RESHAPE" in [operator.kind for operator in Graph(backbone.path).operators]
    photos = np.random.default_rng(2).integers(0, 256, (6, 4, 4, 3), np.uint8)
    made = np.asarray(TrainableBackbone(backbone.path, "all")(photos.astype(np.float32)))
    assert made == pytest.approx(np.einsum("nhwc,hwco->no", photos.astype(np.float32), weights), rel=1e-4, abs=1e-2)


@pytest.mark.parametrize("precision", ["int8", "dynamic"])
def test_only_float32_weights_learn(precision: Precision) -> None:
    path = find_backbone("mobilenet_v2_100_224", precision).path
    with pytest.raises(EdgeretrainError, match=r"only a float32 backbone can be fine-tuned"):
        TrainableBackbone(path, "all")
