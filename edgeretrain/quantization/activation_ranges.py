"""The range that each activation of a float32 file takes over the calibration photos: what int8 scales come from.

Not measured by TensorFlow's calibrator (2.18 to 2.21): an addition may write its result over its first input, and the
calibrator reads the inputs afterwards, so the layer before a residual addition gets the range of the sum, up to six
times its own. Here every activation has memory of its own. It also takes half the time.
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
        photos: what is fed to it, each `float32 [1,S,S,3]`.
    """
    model = float32.copy()
    for tensor, (low, high) in _ranges(float32, _activations(float32), photos).items():
        quantization = schema().QuantizationParametersT()
        quantization.min, quantization.max = np.asarray([low], np.float32), np.asarray([high], np.float32)
        model.tensors[tensor].quantization = quantization
    return model.write()


def _activations(model: Model) -> list[int]:
    """The input and what the operators give, as far as it is float32."""
    results = [tensor for operator in model.operators for tensor in numbers(operator.outputs)]
    return [tensor for tensor in (*model.inputs, *results) if model.dtype(tensor) == "float32"]


def _ranges(model: Model, activations: list[int], photos: Iterable[npt.NDArray[np.float32]]) -> dict[int, Range]:
    # Kernels of a delegate keep what is between them to themselves.
    runner = Runner(model.write(), delegates=False, keep_tensors=True)
    values = {tensor: runner.interpreter.tensor(tensor) for tensor in activations}  # functions that give views
    found: dict[int, Range] = {}
    for photo in photos:
        runner.set(runner.inputs[0], photo)
        runner.invoke()
        for tensor, value in values.items():
            low, high = found.get(tensor, (np.float32(np.inf), np.float32(-np.inf)))
            found[tensor] = min(low, value().min()), max(high, value().max())
    return found
