"""Put the scaling of raw RGB in front of the file of a network that takes scaled photos."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeretrain.data.scaling import Scaling
from edgeretrain.tflite.flatbuffer import add_buffer, schema


def with_scaling(core: Any, scaling: Scaling) -> Any:
    """The network with raw RGB, `float32 [1,S,S,3]`, 0 to 255, as its input: photo * factor - -offset.

    Args:
        core: `ModelT` of the network of scaled photos; it is not changed.
        scaling: of the pixels. What it does nothing for (a factor of 1, an offset of 0) gets no operator.

    Returns:
        A `ModelT` that shares what it can with the core.
    """
    model = copy.copy(core)
    model.buffers, model.operatorCodes = list(core.buffers), list(core.operatorCodes)
    graph = copy.copy(core.subgraphs[0])
    model.subgraphs = [graph, *core.subgraphs[1:]]
    graph.tensors = list(graph.tensors)
    operators = []
    (scaled,) = (int(index) for index in graph.inputs)
    photo = graph.tensors[scaled]
    steps: list[tuple[str, Sequence[float]]] = []
    if any(factor != 1 for factor in scaling.factor):
        steps.append(("Mul", scaling.factor))
    if any(offset != 0 for offset in scaling.offset):
        steps.append(("Sub", [-offset for offset in scaling.offset]))
    if not steps:
        return model
    graph.tensors[scaled] = copy.copy(photo)
    graph.tensors[scaled].name = b"scaled"
    graph.tensors.append(photo)
    at = len(graph.tensors) - 1
    graph.inputs = np.asarray([at], np.int32)
    for number, (kind, numbers) in enumerate(steps, start=1):
        constant = schema().TensorT()
        constant.name = f"scaled/{kind}"
        constant.type = schema().TensorType.FLOAT32
        # One number is a scalar, three are the channels, the last axis: both broadcast.
        constant.shape = np.asarray([] if len(numbers) == 1 else [len(numbers)], np.int32)
        constant.buffer = add_buffer(model, np.asarray(numbers, np.float32).tobytes())
        graph.tensors.append(constant)
        operator = schema().OperatorT()
        operator.opcodeIndex = _operator_code(model, getattr(schema().BuiltinOperator, kind.upper()))
        operator.inputs = np.asarray([at, len(graph.tensors) - 1], np.int32)
        operator.builtinOptionsType = getattr(schema().BuiltinOptions, f"{kind}Options")
        operator.builtinOptions = getattr(schema(), f"{kind}OptionsT")()
        if number == len(steps):
            at = scaled
        else:
            graph.tensors.append(copy.copy(graph.tensors[scaled]))
            at = len(graph.tensors) - 1
            graph.tensors[at].name = f"scaled/{number}"
        operator.outputs = np.asarray([at], np.int32)
        operators.append(operator)
    graph.operators = [*operators, *graph.operators]
    return model


def _operator_code(model: Any, kind: int) -> int:
    for index, code in enumerate(model.operatorCodes):
        if (code.builtinCode, code.version) == (kind, 1):
            return index
    code = schema().OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
