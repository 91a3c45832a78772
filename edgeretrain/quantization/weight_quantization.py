"""A float32 file with narrower weights: float16, or int8 weights for floating-point arithmetic. NumPy only.

Both are what TensorFlow's converter makes (float16 and dynamic-range quantization), made from the float32 file that it
has made already: converting a network once more takes 11 s for NASNet, this less than one. Dynamic bottlenecks are
those of TensorFlow's file to the last bit, float16 ones nearer to float32: the scaling of the pixels stays exact.
"""

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.tflite.flatbuffer import add_buffer, schema, write_model

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

_HALF_ARITHMETIC = (b"reduced_precision_support", b"fp16accfp32")
"""The note in TensorFlow's float16 files that lets a delegate compute in float16, too."""

_OF_THE_CONVERTER = (b"min_runtime_version", b"CONVERSION_METADATA")


def to_float16(float32: Any) -> bytes:
    """Every weight in float16; `DEQUANTIZE` operators widen them when the file is loaded.

    Args:
        float32: `ModelT`; it is not changed.
    """
    model = _own_copy(float32)
    dequantize = _add_operator_code(model, schema().BuiltinOperator.DEQUANTIZE, version=3)
    for graph in model.subgraphs:
        widened = []
        for index in _constants(model, graph):
            tensor = graph.tensors[index]
            values = _values(model, tensor)
            if values.size < EXACT:
                continue
            limit = np.finfo(np.float16).max
            narrow = copy.copy(tensor)
            narrow.type = schema().TensorType.FLOAT16
            narrow.buffer = add_buffer(model, np.clip(values, -limit, limit).astype(np.float16).tobytes())
            graph.tensors.append(narrow)
            tensor.buffer = 0
            operator = schema().OperatorT()
            operator.opcodeIndex = dequantize
            operator.inputs, operator.outputs = [len(graph.tensors) - 1], [index]
            widened.append(operator)
        graph.operators = [*widened, *graph.operators]
    note = schema().MetadataT()
    note.name, note.buffer = _HALF_ARITHMETIC[0], add_buffer(model, _HALF_ARITHMETIC[1])
    model.metadata.append(note)
    return _written(model)


def to_dynamic(float32: Any) -> bytes:
    """The weights of convolutions and fully connected layers in int8, symmetric; the runtime quantizes activations.

    Args:
        float32: `ModelT`; it is not changed.
    """
    model = _own_copy(float32)
    for graph in model.subgraphs:
        readers = _readers(graph)
        for index in _constants(model, graph):
            tensor, uses = graph.tensors[index], readers.get(index, [])
            values = _values(model, tensor)
            codes = {operator.opcodeIndex for operator, _ in uses}
            if values.size < SMALL or len(codes) != 1 or any(place != 1 for _, place in uses):
                continue
            code = model.operatorCodes[codes.pop()]
            if (name := _known(code)) is None:
                continue
            axis, version = _TAKES_INT8[name]
            others = tuple(one for one in range(values.ndim) if one != axis)
            scale = np.maximum(np.abs(values).max(axis=others, keepdims=True), _LEAST).astype(np.float64) / 127
            tensor.type = schema().TensorType.INT8
            tensor.buffer = add_buffer(model, np.rint(values / scale).astype(np.int8).tobytes())
            tensor.quantization = schema().QuantizationParametersT()
            tensor.quantization.scale = scale.astype(np.float32).reshape(-1)
            tensor.quantization.zeroPoint = np.zeros(scale.size, np.int64)
            tensor.quantization.quantizedDimension = axis or 0
            code.version = max(code.version, version)
    return _written(model)


def _own_copy(model: Any) -> Any:
    """A copy of all but the buffers' contents and the operators."""
    model = copy.copy(model)
    model.buffers = list(model.buffers)
    model.operatorCodes = [copy.copy(code) for code in model.operatorCodes]
    # The converter's notes are of the file that it made.
    entries = [entry for entry in model.metadata or () if entry.name not in _OF_THE_CONVERTER]
    model.metadata = [copy.copy(entry) for entry in entries]
    model.subgraphs = [copy.copy(graph) for graph in model.subgraphs]
    for graph in model.subgraphs:
        graph.tensors = [copy.copy(tensor) for tensor in graph.tensors]
        graph.operators = list(graph.operators)
    return model


def _constants(model: Any, graph: Any) -> list[int]:
    """The float32 tensors of a subgraph that hold numbers."""
    float32 = schema().TensorType.FLOAT32
    data = [model.buffers[tensor.buffer].data for tensor in graph.tensors]
    return [
        index
        for index, tensor in enumerate(graph.tensors)
        if tensor.type == float32 and data[index] is not None and len(data[index])
    ]


def _values(model: Any, tensor: Any) -> Floats:
    data = np.asarray(model.buffers[tensor.buffer].data, np.uint8).tobytes()
    return np.frombuffer(data, np.float32).reshape(tensor.shape)


def _readers(graph: Any) -> dict[int, list[tuple[Any, int]]]:
    """For each tensor the operators that read it, and as which of their inputs."""
    found: dict[int, list[tuple[Any, int]]] = {}
    for operator in graph.operators:
        for place, index in enumerate(operator.inputs):
            found.setdefault(int(index), []).append((operator, place))
    return found


def _known(code: Any) -> str | None:
    known = (name for name in _TAKES_INT8 if getattr(schema().BuiltinOperator, name) == code.builtinCode)
    return next(known, None)


def _add_operator_code(model: Any, kind: int, version: int) -> int:
    code = schema().OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _written(model: Any) -> bytes:
    """The file, without the buffers that nothing refers to any more. Changes the model, not the buffers' contents."""
    holders = [*(tensor for graph in model.subgraphs for tensor in graph.tensors), *model.metadata]
    kept = sorted({0, *(holder.buffer for holder in holders)})
    place = {old: new for new, old in enumerate(kept)}
    model.buffers = [model.buffers[old] for old in kept]
    for holder in holders:
        holder.buffer = place[holder.buffer]
    return write_model(model)
