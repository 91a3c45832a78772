"""The ranges of activations, on a bundled file."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.quantization.activation_ranges import with_ranges
from edgeretrain.tflite.flatbuffer import read_model, schema, write_model

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def float32() -> Any:
    pytest.importorskip("ai_edge_litert")
    return read_model(MODELS / "mobilenet_v2_100_224.float32.tflite")


@pytest.fixture(scope="module")
def noted(float32: Any) -> Any:
    photos = [one[None].astype(np.float32) for one in pixels()]
    return schema().ModelT.InitFromPackedBuf(with_ranges(float32, iter(photos)), 0)


def pixels() -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (2, 28, 28, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)


def operators_of(model: Any, kind: str) -> list[Any]:
    wanted = getattr(schema().BuiltinOperator, kind)
    return [one for one in model.subgraphs[0].operators if model.operatorCodes[one.opcodeIndex].builtinCode == wanted]


def range_of(model: Any, index: int) -> tuple[float, float]:
    quantization = model.subgraphs[0].tensors[index].quantization
    return float(quantization.min[0]), float(quantization.max[0])


def test_every_activation_has_one_and_no_constant_has(noted: Any) -> None:
    graph = noted.subgraphs[0]
    activations = {*graph.inputs, *(index for operator in graph.operators for index in operator.outputs)}
    for index, tensor in enumerate(graph.tensors):
        ranged = tensor.quantization is not None and tensor.quantization.min is not None
        assert ranged == (index in activations), tensor.name
    assert range_of(noted, graph.inputs[0]) == (pixels().min(), pixels().max())
    # ReLU6 after a depthwise convolution
    assert all(range_of(noted, one.outputs[0]) >= (0, 0) for one in operators_of(noted, "DEPTHWISE_CONV_2D"))
    assert max(range_of(noted, one.outputs[0])[1] for one in operators_of(noted, "DEPTHWISE_CONV_2D")) == 6


def test_the_input_of_an_addition_has_its_own_range_and_not_that_of_the_sum(float32: Any, noted: Any) -> None:
    addition = operators_of(noted, "ADD")[0]
    produced = {int(one.outputs[0]): one for one in operators_of(noted, "CONV_2D")}
    index = next(int(one) for one in addition.inputs if int(one) in produced)
    assert range_of(noted, index) != range_of(noted, addition.outputs[0])
    # The same network, cut there: what the runtime then gives.
    cut = copy.copy(float32)
    graph = copy.copy(float32.subgraphs[0])
    cut.subgraphs = [graph]
    graph.outputs = np.asarray([index], np.int32)
    last = next(place for place, one in enumerate(graph.operators) if index in one.outputs)
    graph.operators = graph.operators[: last + 1]
    values = bottlenecks_of(write_model(cut), pixels())
    assert range_of(noted, index) == pytest.approx((values.min(), values.max()), rel=1e-4)
