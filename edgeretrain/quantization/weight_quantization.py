"""A float32 file with narrower weights: float16, or int8 weights for floating-point arithmetic. NumPy only.

Both are what TensorFlow's converter makes (float16 and dynamic-range quantization), made from the float32 file that it
has made already: converting a network once more takes 11 s for NASNet, this less than one. Dynamic bottlenecks are
those of TensorFlow's file to the last bit, float16 ones nearer to float32: the scaling of the pixels stays exact.
"""

import numpy as np
import numpy.typing as npt

from edgeretrain.tflite.flatbuffer import operator_kind, schema
from edgeretrain.tflite.model import Model

Floats = npt.NDArray[np.float32]

EXACT = 16
"""Constants of fewer numbers stay float32: the scaling of the pixels, at no cost in bytes."""

SMALL = 1024
"""Weights of fewer numbers stay float32 in a dynamic file, as in TensorFlow: so few save nothing."""

# Operator: the axis of the weights with a scale for each entry (None: one scale for all), and the operator version
# that takes int8 weights. FULLY_CONNECTED with a scale for each row is version 12, which tflite-runtime 2.14 refuses.
_TAKES_INT8: dict[str, tuple[int | None, int]] = {
    "CONV_2D": (0, 5),
    "DEPTHWISE_CONV_2D": (3, 6),
    "FULLY_CONNECTED": (None, 3),
}

_LEAST = np.float32(5e-7)
"""What the largest weight of a filter is taken to be at least, as in TensorFlow: a dead filter has no scale."""

_HALF_ARITHMETIC = ("reduced_precision_support", b"fp16accfp32")
"""The note in TensorFlow's float16 files that lets a delegate compute in float16, too."""

_OF_THE_CONVERTER = ("min_runtime_version", "CONVERSION_METADATA")


def to_float16(float32: Model) -> bytes:
    """Every weight in float16; `DEQUANTIZE` operators widen them when the file is loaded.

    Args:
        float32: it is not changed.
    """
    model = _without_notes(float32)
    model.operator_code("DEQUANTIZE", 3)
    for graph in model.all_subgraphs():
        place = 0
        for tensor, values in _constants(graph):
            if values.size < EXACT:
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
    model = _without_notes(float32)
    for graph in model.all_subgraphs():
        consumers = graph.consumers()
        for tensor, values in _constants(graph):
            uses = consumers.get(tensor, [])
            codes = {operator.opcodeIndex for operator, _ in uses}
            if values.size < SMALL or len(codes) != 1 or any(place != 1 for _, place in uses):
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


def _without_notes(float32: Model) -> Model:
    """A copy without the converter's notes, which are of the file that it made."""
    model = float32.copy()
    model.drop_metadata(*_OF_THE_CONVERTER)
    return model


def _constants(model: Model) -> list[tuple[int, Floats]]:
    """The float32 tensors of a subgraph that hold numbers, and these."""
    float32 = (tensor for tensor in range(len(model.tensors)) if model.dtype(tensor) == "float32")
    return [(tensor, values) for tensor in float32 if (values := model.constant(tensor)) is not None]
