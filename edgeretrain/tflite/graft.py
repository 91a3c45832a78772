"""Append a softmax head to a backbone: `FULLY_CONNECTED`, `SOFTMAX`, at the backbone's own quantization.

The backbone's tensors, buffers and operators stay as they are. Operators are written at versions that every runtime
since TensorFlow Lite 2.3 has; TensorFlow 2.21's own converter writes `FULLY_CONNECTED` version 12, which
tflite-runtime 2.14 refuses (tensorflow#80736).

int8 arithmetic follows the TFLite 8-bit quantization specification: real = scale * (q - zero_point), weights
symmetric int8, bias int32 at the scale input x weights, softmax output at scale 1/256.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError
from edgeretrain.head.softmax import Head
from edgeretrain.precision import Precision
from edgeretrain.tflite.flatbuffer import as_damaged_file, schema
from edgeretrain.tflite.model import Model
from edgeretrain.tflite.quantized import Quantization
from edgeretrain.threads import one_blas_thread


@one_blas_thread
def append_head(backbone: Path, head: Head, precision: Precision, bottlenecks: npt.NDArray[np.float32]) -> Model:
    """The backbone with the head at its end.

    Args:
        backbone: file with one output, the bottleneck `[1, d]`: float32, or int8 for the precision int8.
        head: weights `[d, k]` and bias `[k]`.
        precision: how the head is stored: float32; float16 weights; int8 weights with float32 logits (dynamic);
            int8 throughout with a uint8 output (int8).
        bottlenecks: float32 `[n, d]`, training bottlenecks of this very backbone; they set the int8 logits' range.

    Raises:
        EdgeretrainError: the backbone is not such a file, or its bottleneck has another length than the head takes.
    """
    model = Model.read(backbone)
    expected = "int8" if precision == "int8" else "float32"
    with as_damaged_file(backbone):
        inputs, outputs = len(model.inputs), len(model.outputs)
        if inputs != 1 or outputs != 1:
            raise EdgeretrainError(
                f"{backbone}: a backbone has one input and one output; this model has {inputs} and {outputs}. "
                "Give a .tflite feature extractor."
            )
        length = int(np.prod(model.tensors[model.outputs[0]].shape))
    if model.dtype(model.outputs[0]) != expected or length != head.weights.shape[0]:
        raise EdgeretrainError(
            f"{backbone}: its output is not {expected} [1, {head.weights.shape[0]}]. Choose another --precision, or "
            "make the backbone with `edgeretrain backbone build`."
        )
    probabilities = _add_int8(model, head, bottlenecks) if precision == "int8" else _add_float(model, head, precision)
    model.set_output(probabilities, "probabilities")
    return model


def _add_float(model: Model, head: Head, precision: Precision) -> int:
    """Add the operators of a head with float32 logits; the tensor of the probabilities."""
    rows = head.weights.T  # FULLY_CONNECTED keeps its weights as [k, d]
    shape = (1, len(rows))
    version = 1
    if precision == "float16":
        halves = model.add_constant("head/weights_float16", rows.astype(np.float16))
        weights = model.add_tensor("head/weights", rows.shape, np.float32)
        model.add_operator("DEQUANTIZE", [halves], weights, schema().DequantizeOptionsT(), version=3)
    elif precision == "dynamic":
        quantized, scale = _quantize_symmetric(rows)
        weights = model.add_constant("head/weights", quantized, Quantization(scale, 0))
        version = 3  # the first with int8 weights and float32 activations
    else:
        weights = model.add_constant("head/weights", rows)
    bias = model.add_constant("head/bias", head.bias)
    logits = model.add_tensor("head/logits", shape, np.float32)
    _add_fully_connected(model, [model.outputs[0], weights, bias], logits, version)
    probabilities = model.add_tensor("probabilities", shape, np.float32)
    _add_softmax(model, logits, probabilities, version=1)
    return probabilities


def _add_int8(model: Model, head: Head, bottlenecks: npt.NDArray[np.float32]) -> int:
    """Add the operators of an int8 head; the tensor of the probabilities, uint8."""
    features = model.outputs[0]
    rows = head.weights.T
    shape = (1, len(rows))
    quantized, scale = _quantize_symmetric(rows)
    weights = model.add_constant("head/weights", quantized, Quantization(scale, 0))
    bias_scale = model.quantization(features).scale * scale
    # The weights that will really be used decide the bias: what rounding them adds to the mean logit is taken off.
    drift = bottlenecks.mean(axis=0, dtype=np.float64) @ (quantized.T * scale - head.weights.astype(np.float64))
    integers = np.rint((head.bias - drift) / bias_scale).astype(np.int32)
    bias = model.add_constant("head/bias", integers, Quantization(bias_scale, 0))
    seen = bottlenecks @ (quantized.T * np.float32(scale)) + integers * bias_scale
    logits = model.add_tensor("head/logits", shape, np.int8, _logits_quantization(seen))
    _add_fully_connected(model, [features, weights, bias], logits, version=4)
    softmax = model.add_tensor("head/softmax", shape, np.int8, Quantization(1 / 256, -128))
    _add_softmax(model, logits, softmax, version=2)
    probabilities = model.add_tensor("probabilities", shape, np.uint8, Quantization(1 / 256, 0))
    model.add_operator("QUANTIZE", [softmax], probabilities, schema().QuantizeOptionsT())
    return probabilities


def _add_fully_connected(model: Model, inputs: Sequence[int], output: int, version: int) -> None:
    model.add_operator("FULLY_CONNECTED", inputs, output, schema().FullyConnectedOptionsT(), version=version)


def _add_softmax(model: Model, logits: int, output: int, version: int) -> None:
    options = schema().SoftmaxOptionsT()
    options.beta = 1.0
    model.add_operator("SOFTMAX", [logits], output, options, version=version)


def _quantize_symmetric(values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], float]:
    """int8 of the same shape in -127..127 and its scale; one scale for all, which every runtime's kernel takes."""
    scale = float(np.abs(values).max()) / 127 or 1.0
    return np.rint(values / scale).astype(np.int8), scale


def _logits_quantization(logits: npt.NDArray[np.floating[Any]]) -> Quantization:
    """The int8 range for logits `[n, k]`.

    It reaches from the largest logit seen down to where all other classes together can no longer get a probability of
    1/256, the output's step, rather than to the smallest logit: what is clipped below hardly counts in the softmax
    either way, and the steps get finer.
    """
    gap = float(np.log(256.0 * logits.shape[1]))
    best = logits.max(axis=1)
    high = float(best.max())
    low = max(float(logits.min()), float(best.min()) - gap)
    # Zero must be representable.
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255 or 1.0
    return Quantization(scale, round(-128 - low / scale))
