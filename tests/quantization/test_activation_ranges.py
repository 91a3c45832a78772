"""The ranges of activations, on a bundled file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.quantization.activation_ranges import with_ranges
from edgeretrain.tflite.extract import extract
from edgeretrain.tflite.model import Model

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def float32() -> Model:
    pytest.importorskip("ai_edge_litert")
    return Model.read(MODELS / "mobilenet_v2_100_224.float32.tflite")


@pytest.fixture(scope="module")
def noted(float32: Model) -> Model:
    return Model.read(with_ranges(float32, (photo[None].astype(np.float32) for photo in pixels())))


def pixels() -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (2, 28, 28, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)


def operators_of(model: Model, kind: str) -> list[Any]:
    return [operator for operator in model.operators if model.kind(operator) == kind]


def range_of(model: Model, tensor: int) -> tuple[float, float]:
    quantization = model.tensors[tensor].quantization
    return float(quantization.min[0]), float(quantization.max[0])


def test_every_activation_has_one_and_no_constant_has(noted: Model) -> None:
    activations = {*noted.inputs, *(index for operator in noted.operators for index in operator.outputs)}
    for index, tensor in enumerate(noted.tensors):
        ranged = tensor.quantization is not None and tensor.quantization.min is not None
        assert ranged == (index in activations), tensor.name
    assert range_of(noted, noted.inputs[0]) == (pixels().min(), pixels().max())
    # ReLU6 after a depthwise convolution
    assert all(range_of(noted, one.outputs[0]) >= (0, 0) for one in operators_of(noted, "DEPTHWISE_CONV_2D"))
    assert max(range_of(noted, one.outputs[0])[1] for one in operators_of(noted, "DEPTHWISE_CONV_2D")) == 6


def test_the_input_of_an_addition_has_its_own_range_and_not_that_of_the_sum(float32: Model, noted: Model) -> None:
    addition = operators_of(noted, "ADD")[0]
    produced = {int(one.outputs[0]): one for one in operators_of(noted, "CONV_2D")}
    index = next(int(one) for one in addition.inputs if int(one) in produced)
    assert range_of(noted, index) != range_of(noted, addition.outputs[0])
    # The same network, cut there: what the runtime then gives.
    last = next(place for place, operator in enumerate(float32.operators) if index in operator.outputs)
    cut = extract(float32, range(last + 1), float32.inputs, index)
    values = bottlenecks_of(cut.write(), pixels())
    assert range_of(noted, index) == pytest.approx((values.min(), values.max()), rel=1e-4)
