"""The range that each activation of a float32 file takes over the calibration photos: what int8 scales come from.

Not measured by TensorFlow's calibrator (2.18 to 2.21): an addition may write its result over its first input, and the
calibrator reads the inputs afterwards, so the layer before a residual addition gets the range of the sum, up to six
times its own. Here every activation has memory of its own. It also takes half the time.
"""

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.tflite.flatbuffer import schema, write_model
from edgeretrain.tflite.quiet import quiet

Range = tuple[np.float32, np.float32]


def with_ranges(float32: Any, photos: Iterable[npt.NDArray[np.float32]]) -> bytes:
    """The file with the smallest and the largest value of every activation noted, as TensorFlow's quantizer reads them.

    Args:
        float32: `ModelT` with one input; it is not changed.
        photos: what is fed to it, each `float32 [1,S,S,3]`.
    """
    model = copy.copy(float32)
    graph = copy.copy(model.subgraphs[0])
    model.subgraphs = [graph, *model.subgraphs[1:]]
    graph.tensors = list(graph.tensors)
    with quiet():
        ranges = _ranges(write_model(float32), _activations(float32), photos)
    for index, (low, high) in ranges.items():
        tensor = copy.copy(graph.tensors[index])
        tensor.quantization = schema().QuantizationParametersT()
        tensor.quantization.min = np.asarray([low], np.float32)
        tensor.quantization.max = np.asarray([high], np.float32)
        graph.tensors[index] = tensor
    return write_model(model)


def _activations(model: Any) -> list[int]:
    """The input and what the operators give, as far as it is float32."""
    graph = model.subgraphs[0]
    outputs = [int(index) for operator in graph.operators for index in operator.outputs]
    found = [*(int(index) for index in graph.inputs), *outputs]
    return [index for index in found if graph.tensors[index].type == schema().TensorType.FLOAT32]


def _ranges(data: bytes, activations: list[int], photos: Iterable[npt.NDArray[np.float32]]) -> dict[int, Range]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # Kernels of a delegate keep what is between them to themselves.
    interpreter = Interpreter(
        model_content=data,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    values = {index: interpreter.tensor(index) for index in activations}  # functions that give views
    photo = interpreter.get_input_details()[0]["index"]
    found: dict[int, Range] = {}
    for one in photos:
        interpreter.set_tensor(photo, one)
        interpreter.invoke()
        for index, value in values.items():
            low, high = found.get(index, (np.float32(np.inf), np.float32(-np.inf)))
            found[index] = min(low, value().min()), max(high, value().max())
    return found
