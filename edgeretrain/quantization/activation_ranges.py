"""The range of each activation of a float32 file over the calibration photos: the int8 scales come from it.

Not measured by TensorFlow's calibrator (2.18 to 2.21): an addition may write its result over its first input, and the
calibrator reads the inputs afterwards, so the layer before a residual addition gets the range of the sum, up to six
times its own. Here every activation has its own memory. It also takes half the time.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from edgeretrain.tflite.flatbuffer import numbers, schema
from edgeretrain.tflite.model import Model
from edgeretrain.tflite.runtime import Runner

Range = tuple[np.float32, np.float32]


def with_ranges(float32: Model, photos: Iterable[npt.NDArray[np.float32]]) -> bytes:
    """The file with the smallest and the largest value of every activation noted, as TensorFlow's quantizer reads them.

    Args:
        float32: a network with one input; it is not changed.
        photos: its inputs, each `float32 [1,S,S,3]`.
    """
    model = float32.copy()
    for tensor, (low, high) in _ranges(float32, _activations(float32), photos).items():
        quantization = schema().QuantizationParametersT()
        quantization.min, quantization.max = np.asarray([low], np.float32), np.asarray([high], np.float32)
        model.tensors[tensor].quantization = quantization
    return model.write()


def _activations(model: Model) -> list[int]:
    """The input and the outputs of the operators, if they are float32."""
    results = [tensor for operator in model.operators for tensor in numbers(operator.outputs)]
    return [tensor for tensor in (*model.inputs, *results) if model.dtype(tensor) == "float32"]


def _ranges(model: Model, activations: list[int], photos: Iterable[npt.NDArray[np.float32]]) -> dict[int, Range]:
    # A delegate does not show the tensors between its kernels.
    runner = Runner(model.write(), delegates=False, keep_tensors=True)
    values = {tensor: runner.interpreter.tensor(tensor) for tensor in activations}  # functions that give views
    ranges: dict[int, Range] = {}
    for photo in photos:
        runner.set(runner.inputs[0], photo)
        runner.invoke()
        for tensor, value in values.items():
            low, high = ranges.get(tensor, (np.float32(np.inf), np.float32(-np.inf)))
            ranges[tensor] = min(low, value().min()), max(high, value().max())
    return ranges
