"""A float32 file with narrower weights: float16, or int8 weights for floating-point arithmetic. NumPy only.

The float16 and dynamic-range quantization of TensorFlow's converter, but made from its float32 file: another
conversion takes 11 s for NASNet, this less than 1 s. Dynamic bottlenecks are identical to those of TensorFlow's file;
float16 ones are nearer to float32, because the scaling of the pixels stays exact.
"""

import numpy as np

from edgeretrain.quantization.layers import Floats
from edgeretrain.tflite.flatbuffer import operator_kind, schema
from edgeretrain.tflite.model import Model

MIN_FLOAT16_SIZE = 16
"""Constants of fewer numbers stay float32: the scaling of the pixels, at no cost in bytes."""

MIN_INT8_SIZE = 1024
"""Weights of fewer numbers stay float32 in a dynamic file, as in TensorFlow: so few save nothing."""

# Operator: the axis of the weights with a scale for each entry (None: one scale for all), and the operator version
# that takes int8 weights. FULLY_CONNECTED with a scale for each row is version 12, which tflite-runtime 2.14 refuses.
_TAKES_INT8: dict[str, tuple[int | None, int]] = {
    "CONV_2D": (0, 5),
    "DEPTHWISE_CONV_2D": (3, 6),
    "FULLY_CONNECTED": (None, 3),
}

_LEAST = np.float32(5e-7)
"""Lower limit for the largest weight of a filter, as in TensorFlow: a filter of zeros has no scale."""

_HALF_ARITHMETIC = ("reduced_precision_support", b"fp16accfp32")
"""The metadata of TensorFlow's float16 files that also lets a delegate compute in float16."""

_OF_THE_CONVERTER = ("min_runtime_version", "CONVERSION_METADATA")


def to_float16(float32: Model) -> bytes:
    """Every weight in float16; `DEQUANTIZE` operators widen them when the file is loaded.

    Args:
        float32: it is not changed.
    """
    model = _without_converter_metadata(float32)
    model.operator_code("DEQUANTIZE", 3)
    for graph in model.all_subgraphs():
        place = 0
        for tensor, values in _constants(graph):
            if values.size < MIN_FLOAT16_SIZE:
                continue
            limit = np.finfo(np.float16).max
            narrow = graph.add_copy(tensor)
            graph.tensors[narrow].type = schema().TensorType.FLOAT16
            graph.tensors[narrow].buffer = graph.add_buffer(np.clip(values, -limit, limit).astype(np.float16).tobytes())
            graph.tensors[tensor].buffer = 0
            graph.add_operator("DEQUANTIZE", [narrow], tensor, version=3, place=place)
            place += 1
    model.set_metadata(*_HALF_ARITHMETIC)
    model.prune()
    return model.write()


def to_dynamic(float32: Model) -> bytes:
    """The weights of convolutions and fully connected layers in int8, symmetric; the runtime quantizes activations.

    Args:
        float32: it is not changed.
    """
    model = _without_converter_metadata(float32)
    for graph in model.all_subgraphs():
        consumers = graph.consumers()
        for tensor, values in _constants(graph):
            uses = consumers.get(tensor, [])
            codes = {operator.opcodeIndex for operator, _ in uses}
            if values.size < MIN_INT8_SIZE or len(codes) != 1 or any(place != 1 for _, place in uses):
                continue
            code = model.tree.operatorCodes[codes.pop()]
            if (kind := operator_kind(code).name) not in _TAKES_INT8:
                continue
            axis, version = _TAKES_INT8[kind]
            others = tuple(other for other in range(values.ndim) if other != axis)
            scale = np.maximum(np.abs(values).max(axis=others, keepdims=True), _LEAST).astype(np.float64) / 127
            graph.tensors[tensor].type = schema().TensorType.INT8
            graph.tensors[tensor].buffer = graph.add_buffer(np.rint(values / scale).astype(np.int8).tobytes())
            graph.set_scales(tensor, scale.reshape(-1), np.zeros(scale.size), axis or 0)
            code.version = max(code.version, version)
    model.prune()
    return model.write()


def _without_converter_metadata(float32: Model) -> Model:
    """A copy without the converter's metadata, which describe its own file."""
    model = float32.copy()
    model.drop_metadata(*_OF_THE_CONVERTER)
    return model


def _constants(model: Model) -> list[tuple[int, Floats]]:
    """The constant float32 tensors of a subgraph, and their values."""
    float32 = (tensor for tensor in range(len(model.tensors)) if model.dtype(tensor) == "float32")
    return [(tensor, values) for tensor in float32 if (values := model.constant(tensor)) is not None]
