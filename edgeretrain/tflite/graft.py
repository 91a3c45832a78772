"""Append a softmax head to a backbone: `FULLY_CONNECTED`, `SOFTMAX`, at the backbone's own quantization.

The backbone's tensors, buffers and operators stay as they are. Operators are written at versions that every runtime
since TensorFlow Lite 2.3 has; TensorFlow 2.21's own converter writes `FULLY_CONNECTED` version 12, which
tflite-runtime 2.14 refuses (tensorflow#80736).

int8 arithmetic follows the TFLite 8-bit quantization specification: real = scale * (q - zero_point), weights
symmetric int8, bias int32 at the scale input x weights, softmax output at scale 1/256.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError
from edgeretrain.head.softmax import Head
from edgeretrain.precision import Precision
from edgeretrain.tflite.flatbuffer import add_buffer, damage_told, read_model, schema
from edgeretrain.threads import one_blas_thread


@dataclass(frozen=True)
class _Quantization:
    scale: float
    zero_point: int


class _Graph:
    """A backbone's main subgraph, while a head is appended to it."""

    def __init__(self, path: Path) -> None:
        self.schema = schema()
        self.model = read_model(path)
        with damage_told(path):
            self.subgraph = self.model.subgraphs[0]
            inputs, outputs = len(self.subgraph.inputs), len(self.subgraph.outputs)
            if inputs != 1 or outputs != 1:
                raise EdgeretrainError(
                    f"{path}: a backbone has one input and one output; this model has {inputs} and {outputs}. "
                    "Give a .tflite feature extractor."
                )
            self.features = self.subgraph.tensors[self.subgraph.outputs[0]]

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        kind: int,
        data: npt.NDArray[Any] | None = None,
        quantization: _Quantization | None = None,
    ) -> int:
        """Add a tensor, constant when it has data; its index."""
        tensor = self.schema.TensorT()
        tensor.name = name
        tensor.shape = np.asarray(shape, np.int32)
        tensor.type = kind
        tensor.buffer = 0 if data is None else add_buffer(self.model, np.ascontiguousarray(data).tobytes())
        if quantization is not None:
            tensor.quantization = self.schema.QuantizationParametersT()
            tensor.quantization.scale = np.asarray([quantization.scale], np.float32)
            tensor.quantization.zeroPoint = np.asarray([quantization.zero_point], np.int64)
        self.subgraph.tensors.append(tensor)
        return len(self.subgraph.tensors) - 1

    def operator(
        self, kind: str, version: int, inputs: Sequence[int], output: int, options: Any = None, option_kind: str = ""
    ) -> None:
        """Add an operator, sharing the operator code where the model has it."""
        code = getattr(self.schema.BuiltinOperator, kind)
        codes = self.model.operatorCodes
        index = next((i for i, one in enumerate(codes) if (one.builtinCode, one.version) == (code, version)), None)
        if index is None:
            new = self.schema.OperatorCodeT()
            # Readers older than schema 3a know the one-byte field only; 127 in it points to the new one.
            new.deprecatedBuiltinCode = min(code, 127)
            new.builtinCode = code
            new.version = version
            codes.append(new)
            index = len(codes) - 1
        operator = self.schema.OperatorT()
        operator.opcodeIndex = index
        operator.inputs = np.asarray(inputs, np.int32)
        operator.outputs = np.asarray([output], np.int32)
        if options is not None:
            operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, option_kind)
            operator.builtinOptions = options
        self.subgraph.operators.append(operator)

    def fully_connected(self, version: int, inputs: Sequence[int], output: int) -> None:
        self.operator(
            "FULLY_CONNECTED",
            version,
            inputs,
            output,
            self.schema.FullyConnectedOptionsT(),
            "FullyConnectedOptions",
        )

    def softmax(self, version: int, logits: int, output: int) -> None:
        options = self.schema.SoftmaxOptionsT()
        options.beta = 1.0
        self.operator("SOFTMAX", version, [logits], output, options, "SoftmaxOptions")

    def finish(self, output: int) -> None:
        """Make the tensor the model's output, also in the signatures."""
        before = self.subgraph.outputs[0]
        self.subgraph.outputs = np.asarray([output], np.int32)
        for signature in self.model.signatureDefs or []:
            for entry in signature.outputs:
                if entry.tensorIndex == before:
                    entry.tensorIndex, entry.name = output, "probabilities"


@one_blas_thread
def append_head(backbone: Path, head: Head, precision: Precision, bottlenecks: npt.NDArray[np.float32]) -> Any:
    """The backbone's model (`ModelT`) with the head at its end.

    Args:
        backbone: file with one output, the bottleneck `[1, d]`: float32, or int8 for the precision int8.
        head: weights `[d, k]` and bias `[k]`.
        precision: how the head is stored: float32; float16 weights; int8 weights with float32 logits (dynamic);
            int8 throughout with a uint8 output (int8).
        bottlenecks: float32 `[n, d]`, training bottlenecks of this very backbone; they set the int8 logits' range.

    Raises:
        EdgeretrainError: the backbone is no such file, or its bottleneck has another length than the head takes.
    """
    graph = _Graph(backbone)
    types = graph.schema.TensorType
    expected = types.INT8 if precision == "int8" else types.FLOAT32
    if graph.features.type != expected or int(np.prod(graph.features.shape)) != head.weights.shape[0]:
        raise EdgeretrainError(
            f"{backbone}: its output is not {'int8' if precision == 'int8' else 'float32'} "
            f"[1, {head.weights.shape[0]}]. Choose another --precision, or make the backbone with "
            "`edgeretrain backbone build`."
        )
    if precision == "int8":
        _append_int8(graph, head, bottlenecks)
    else:
        _append_float(graph, head, precision)
    return graph.model


def _append_float(graph: _Graph, head: Head, precision: Precision) -> None:
    types = graph.schema.TensorType
    features = int(graph.subgraph.outputs[0])
    rows = head.weights.T  # FULLY_CONNECTED keeps its weights as [k, d]
    classes = rows.shape[0]
    version = 1
    if precision == "float16":
        halves = graph.tensor("head/weights_float16", rows.shape, types.FLOAT16, rows.astype(np.float16))
        weights = graph.tensor("head/weights", rows.shape, types.FLOAT32)
        graph.operator("DEQUANTIZE", 3, [halves], weights, graph.schema.DequantizeOptionsT(), "DequantizeOptions")
    elif precision == "dynamic":
        quantized, scale = _quantize_symmetric(rows)
        weights = graph.tensor("head/weights", rows.shape, types.INT8, quantized, _Quantization(scale, 0))
        version = 3  # the first with int8 weights and float32 activations
    else:
        weights = graph.tensor("head/weights", rows.shape, types.FLOAT32, rows)
    bias = graph.tensor("head/bias", [classes], types.FLOAT32, head.bias)
    logits = graph.tensor("head/logits", [1, classes], types.FLOAT32)
    graph.fully_connected(version, [features, weights, bias], logits)
    probabilities = graph.tensor("probabilities", [1, classes], types.FLOAT32)
    graph.softmax(1, logits, probabilities)
    graph.finish(probabilities)


def _append_int8(graph: _Graph, head: Head, bottlenecks: npt.NDArray[np.float32]) -> None:
    types = graph.schema.TensorType
    features = int(graph.subgraph.outputs[0])
    feature_scale = float(graph.features.quantization.scale[0])
    rows = head.weights.T
    classes = rows.shape[0]
    quantized, scale = _quantize_symmetric(rows)
    weights = graph.tensor("head/weights", rows.shape, types.INT8, quantized, _Quantization(scale, 0))
    bias_scale = feature_scale * scale
    # The weights that will really be used decide the bias: what rounding them adds to the mean logit is taken off.
    drift = bottlenecks.mean(axis=0, dtype=np.float64) @ (quantized.T * scale - head.weights.astype(np.float64))
    integers = np.rint((head.bias - drift) / bias_scale).astype(np.int32)
    bias = graph.tensor("head/bias", [classes], types.INT32, integers, _Quantization(bias_scale, 0))
    logits = graph.tensor(
        "head/logits",
        [1, classes],
        types.INT8,
        quantization=_logits_quantization(bottlenecks @ (quantized.T * np.float32(scale)) + integers * bias_scale),
    )
    graph.fully_connected(4, [features, weights, bias], logits)
    softmax = graph.tensor("head/softmax", [1, classes], types.INT8, quantization=_Quantization(1 / 256, -128))
    graph.softmax(2, logits, softmax)
    probabilities = graph.tensor("probabilities", [1, classes], types.UINT8, quantization=_Quantization(1 / 256, 0))
    graph.operator("QUANTIZE", 1, [softmax], probabilities, graph.schema.QuantizeOptionsT(), "QuantizeOptions")
    graph.finish(probabilities)


def _quantize_symmetric(values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int8], float]:
    """int8 of the same shape in -127..127 and its scale; one scale for all, which every runtime's kernel takes."""
    scale = float(np.abs(values).max()) / 127 or 1.0
    return np.rint(values / scale).astype(np.int8), scale


def _logits_quantization(logits: npt.NDArray[np.floating[Any]]) -> _Quantization:
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
    return _Quantization(scale, round(-128 - low / scale))
