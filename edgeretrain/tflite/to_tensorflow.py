"""TFLite's operators in TensorFlow's: what each computes, on real numbers.

Quantized tensors are taken for the real numbers that they stand for: `QUANTIZE` and `DEQUANTIZE` do nothing to them.
One trace of quantization stays: the output of a layer whose range starts at zero is a ReLU, for a converter leaves out
the activation that the range already gives.

What each operator means: TensorFlow Lite's schema and reference kernels. Operators not in OPERATORS are refused.
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.flatbuffer import OptionsT, schema
from edgeretrain.tflite.graph import Graph, Operator, Tensor
from edgeretrain.tflite.tensorflow_types import TfTensor

TensorFlow = ModuleType
"""The module, which the rules get handed: this file imports without it."""

Rule = Callable[[TensorFlow, list[TfTensor], OptionsT, list[Tensor]], TfTensor]
"""TensorFlow, the inputs, the options, the outputs as the file describes them -> the output, or a list of them."""


def check_known(graph: Graph, operators: Sequence[int]) -> None:
    """Whether all of some operators can be translated.

    Raises:
        EdgeretrainError: some cannot; the message names them.
    """
    unknown: dict[str, None] = {}
    for number in operators:
        operator = graph.operators[number]
        if operator.custom or operator.kind not in OPERATORS:
            flex = operator.custom and operator.kind.startswith("Flex")
            what = "Select TF operator" if flex else "custom operator" if operator.custom else "operator"
            name = operator.kind.removeprefix("Flex" if flex else "operator ")
            unknown[f"the {what} {name}"] = None
    if unknown:
        raise EdgeretrainError(
            f"{graph.path}: needs {', '.join(unknown)}, which edgeretrain cannot translate. Cut before it with "
            "--layer, or give the network that the file was converted from (.keras, .h5, a SavedModel, .pb)."
        )


def run_operators(graph: Graph, operators: Sequence[int], values: dict[int, TfTensor], output: int) -> TfTensor:
    """What TensorFlow computes of a tensor from others. Can be traced; a call changes nothing.

    Args:
        operators: by number, in the order they run; all known (`check_known`).
        values: tensors that are given, by number.

    Raises:
        EdgeretrainError: an operator cannot compute what it is given; the file is damaged, or holds a state.
    """
    import tensorflow as tf

    known: dict[int, TfTensor] = dict(values)
    for number in operators:
        operator = graph.operators[number]
        try:
            inputs = [None if tensor < 0 else _value(graph, known, tensor) for tensor in operator.inputs]
            results = _computed(tf, operator, inputs, [graph.tensors[tensor] for tensor in operator.outputs])
        except (tf.errors.OpError, ValueError, TypeError, IndexError, AttributeError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise EdgeretrainError(
                f"{graph.path}: its operator {number}, {operator.kind}, cannot be computed ({reason}). The file is "
                "damaged, or made for a batch or a size of photos that it cannot take here."
            ) from error
        known.update(zip(operator.outputs, results, strict=False))
    return known[output]


def _value(graph: Graph, known: dict[int, TfTensor], number: int) -> TfTensor:
    if number in known:
        return known[number]
    tensor = graph.tensors[number]
    if tensor.constant is None and 0 in tensor.shape:
        return np.zeros([side or 0 for side in tensor.shape], np.float32 if tensor.dtype == "float32" else np.int32)
    if tensor.constant is None:
        raise ValueError(f"nothing computes its input {tensor}")
    return tensor.constant


def _computed(tf: TensorFlow, operator: Operator, inputs: list[TfTensor], outputs: list[Tensor]) -> list[TfTensor]:
    def run() -> list[TfTensor]:
        result = OPERATORS[operator.kind](tf, inputs, operator.options, outputs)
        return list(result) if isinstance(result, list | tuple) else [result]

    if all(given is None or isinstance(given, np.ndarray) for given in inputs):
        # Of constants only: computed once, here, so that shapes are known when the photo's tensors need them.
        with tf.init_scope():
            return [np.asarray(result) for result in run()]
    return run()


def _activated(tf: TensorFlow, x: TfTensor, options: OptionsT, outputs: list[Tensor]) -> TfTensor:
    """The activation fused into an operator; or the one that the range of its quantized output stands for."""
    kinds = schema().ActivationFunctionType
    fused = getattr(options, "fusedActivationFunction", kinds.NONE)
    output = outputs[0]
    if fused == kinds.NONE and len(output.scale) == 1 and output.dtype in ("int8", "uint8"):
        low, high = output.range
        if low == 0:
            return tf.nn.relu6(x) if abs(high - 6) <= output.scale[0] else tf.nn.relu(x)
    functions = {
        kinds.NONE: lambda x: x,
        kinds.RELU: tf.nn.relu,
        kinds.RELU6: tf.nn.relu6,
        kinds.RELU_N1_TO_1: lambda x: tf.clip_by_value(x, -1.0, 1.0),
    }
    if fused not in functions:  # LiteRT's kernels know no other either
        raise ValueError(f"activation {fused} is not known")
    return functions[fused](x)


def _convolution(tf: TensorFlow, inputs: list[TfTensor], options: OptionsT, outputs: list[Tensor]) -> TfTensor:
    x, weights, *bias = inputs  # weights [out, height, width, in]
    result = tf.nn.conv2d(x, tf.transpose(weights, (1, 2, 3, 0)), *_window(options), dilations=_dilation(options))
    if (
        weights.shape[3] != x.shape[3] and bias
    ):  # groups: TensorFlow fuses the addition of a bias, and cannot compute it
        return _activated(tf, result + bias[0], options, outputs)
    return _activated(tf, _with_bias(tf, result, bias), options, outputs)


def _depthwise(tf: TensorFlow, inputs: list[TfTensor], options: OptionsT, outputs: list[Tensor]) -> TfTensor:
    x, weights, *bias = inputs  # weights [1, height, width, in x multiplier]
    _, height, width, count = weights.shape
    filters = tf.reshape(weights, (height, width, x.shape[3], count // x.shape[3]))
    (down, across), padding = _window(options)
    if down != across:
        raise ValueError(f"strides {down} and {across} differ, which TensorFlow's depthwise convolution does not know")
    strides = (1, down, across, 1)
    result = tf.nn.depthwise_conv2d(x, filters, strides, padding, dilations=_dilation(options))
    return _activated(tf, _with_bias(tf, result, bias), options, outputs)


def _connected(tf: TensorFlow, inputs: list[TfTensor], options: OptionsT, outputs: list[Tensor]) -> TfTensor:
    x, weights, *bias = inputs  # weights [out, in]
    if getattr(options, "weightsFormat", 0):
        raise ValueError("its weights are shuffled")
    rows = tf.reshape(x, (-1, weights.shape[1]))
    result = _with_bias(tf, tf.matmul(rows, weights, transpose_b=True), bias)
    if getattr(options, "keepNumDims", False):
        result = tf.reshape(result, (*x.shape[:-1], weights.shape[0]))
    return _activated(tf, result, options, outputs)


def _with_bias(tf: TensorFlow, x: TfTensor, bias: list[TfTensor]) -> TfTensor:
    return tf.nn.bias_add(x, bias[0]) if bias and bias[0] is not None else x


def _window(options: OptionsT) -> tuple[tuple[int, int], str]:
    return (int(options.strideH), int(options.strideW)), "SAME" if options.padding == schema().Padding.SAME else "VALID"


def _dilation(options: OptionsT) -> tuple[int, int]:
    return int(options.dilationHFactor), int(options.dilationWFactor)


def _pooling(name: str) -> Rule:
    def rule(tf: TensorFlow, inputs: list[TfTensor], options: OptionsT, outputs: list[Tensor]) -> TfTensor:
        strides, padding = _window(options)
        window = (int(options.filterHeight), int(options.filterWidth))
        return _activated(tf, getattr(tf.nn, name)(inputs[0], window, strides, padding), options, outputs)

    return rule


def _arithmetic(name: str) -> Rule:
    def rule(tf: TensorFlow, inputs: list[TfTensor], options: OptionsT, outputs: list[Tensor]) -> TfTensor:
        return _activated(tf, getattr(tf, name)(*inputs), options, outputs)

    return rule


def _plain(name: str) -> Rule:
    """An operator that is one of TensorFlow's functions, such as `nn.relu`, of its inputs alone."""

    def rule(tf: TensorFlow, inputs: list[TfTensor], _: OptionsT, __: list[Tensor]) -> TfTensor:
        function: Any = tf
        for part in name.split("."):
            function = getattr(function, part)
        return function(*inputs)

    return rule


def _reduction(name: str) -> Rule:
    def rule(tf: TensorFlow, inputs: list[TfTensor], options: OptionsT, _: list[Tensor]) -> TfTensor:
        axes = tuple(int(axis) for axis in np.atleast_1d(inputs[1]))
        return getattr(tf, name)(inputs[0], axes, keepdims=bool(getattr(options, "keepDims", False)))

    return rule


def _resized(name: str) -> Rule:
    def rule(tf: TensorFlow, inputs: list[TfTensor], options: OptionsT, _: list[Tensor]) -> TfTensor:
        corners, centers = bool(options.alignCorners), bool(options.halfPixelCenters)
        return getattr(tf.raw_ops, name)(
            images=inputs[0], size=inputs[1], align_corners=corners, half_pixel_centers=centers
        )

    return rule


def _reshaped(tf: TensorFlow, inputs: list[TfTensor], options: OptionsT, _: list[Tensor]) -> TfTensor:
    shape = inputs[1] if len(inputs) > 1 and inputs[1] is not None else options.newShape
    return tf.reshape(inputs[0], np.asarray(shape, np.int32).reshape(-1))


def _squeezed(tf: TensorFlow, inputs: list[TfTensor], options: OptionsT, _: list[Tensor]) -> TfTensor:
    axes = getattr(options, "squeezeDims", None)
    return tf.squeeze(inputs[0], None if axes is None or len(axes) == 0 else [int(axis) for axis in axes])


def _mirrored(tf: TensorFlow, inputs: list[TfTensor], options: OptionsT, _: list[Tensor]) -> TfTensor:
    modes = schema().MirrorPadMode
    return tf.pad(inputs[0], inputs[1], "REFLECT" if options.mode == modes.REFLECT else "SYMMETRIC")


def _strided_slice(tf: TensorFlow, inputs: list[TfTensor], options: OptionsT, _: list[Tensor]) -> TfTensor:
    return tf.strided_slice(
        *inputs,
        begin_mask=int(options.beginMask),
        end_mask=int(options.endMask),
        ellipsis_mask=int(options.ellipsisMask),
        new_axis_mask=int(options.newAxisMask),
        shrink_axis_mask=int(options.shrinkAxisMask),
    )


def _prelu(tf: TensorFlow, inputs: list[TfTensor], _: OptionsT, __: list[Tensor]) -> TfTensor:
    x, slopes = inputs
    return tf.nn.relu(x) + -slopes * tf.nn.relu(-x)  # the form that the converter makes PRELU of


def _hard_swish(tf: TensorFlow, inputs: list[TfTensor], _: OptionsT, __: list[Tensor]) -> TfTensor:
    return inputs[0] * (tf.nn.relu6(inputs[0] + 3.0) * np.float32(1 / 6))


def _softmax(tf: TensorFlow, inputs: list[TfTensor], options: OptionsT, _: list[Tensor]) -> TfTensor:
    beta = float(getattr(options, "beta", 1.0))
    return tf.nn.softmax(inputs[0] if beta == 1 else inputs[0] * beta)


def _product(tf: TensorFlow, inputs: list[TfTensor], options: OptionsT, _: list[Tensor]) -> TfTensor:
    return tf.matmul(inputs[0], inputs[1], transpose_a=bool(options.adjX), transpose_b=bool(options.adjY))


def _cast(tf: TensorFlow, inputs: list[TfTensor], _: OptionsT, outputs: list[Tensor]) -> TfTensor:
    return tf.cast(inputs[0], "float32" if outputs[0].dtype.startswith("float") else outputs[0].dtype)


OPERATORS: dict[str, Rule] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _connected,
    "BATCH_MATMUL": _product,
    "ADD": _arithmetic("add"),
    "SUB": _arithmetic("subtract"),
    "MUL": _arithmetic("multiply"),
    "DIV": _arithmetic("divide"),
    "MAXIMUM": _plain("maximum"),
    "MINIMUM": _plain("minimum"),
    "SQUARED_DIFFERENCE": _plain("math.squared_difference"),
    "AVERAGE_POOL_2D": _pooling("avg_pool2d"),
    "MAX_POOL_2D": _pooling("max_pool2d"),
    "MEAN": _reduction("reduce_mean"),
    "SUM": _reduction("reduce_sum"),
    "REDUCE_MAX": _reduction("reduce_max"),
    "PAD": _plain("pad"),
    "PADV2": lambda tf, inputs, _, __: tf.pad(inputs[0], inputs[1], constant_values=inputs[2]),
    "MIRROR_PAD": _mirrored,
    "RESHAPE": _reshaped,
    "SQUEEZE": _squeezed,
    "EXPAND_DIMS": lambda tf, inputs, _, __: tf.expand_dims(inputs[0], int(inputs[1].reshape(()))),
    "TRANSPOSE": _plain("transpose"),
    "CONCATENATION": lambda tf, inputs, options, _: tf.concat(inputs, int(options.axis)),
    "SPLIT": lambda tf, inputs, options, _: tf.split(inputs[1], int(options.numSplits), int(inputs[0].reshape(()))),
    "SLICE": _plain("slice"),
    "STRIDED_SLICE": _strided_slice,
    "PACK": lambda tf, inputs, options, _: tf.stack(inputs, int(options.axis)),
    "SHAPE": lambda tf, inputs, _, __: np.asarray(inputs[0].shape, np.int32),
    "CAST": _cast,
    "SPACE_TO_DEPTH": lambda tf, inputs, options, _: tf.nn.space_to_depth(inputs[0], int(options.blockSize)),
    "DEPTH_TO_SPACE": lambda tf, inputs, options, _: tf.nn.depth_to_space(inputs[0], int(options.blockSize)),
    "SPACE_TO_BATCH_ND": _plain("space_to_batch"),
    "BATCH_TO_SPACE_ND": _plain("compat.v1.batch_to_space_nd"),
    "RESIZE_BILINEAR": _resized("ResizeBilinear"),
    "RESIZE_NEAREST_NEIGHBOR": _resized("ResizeNearestNeighbor"),
    "SOFTMAX": _softmax,
    "LOGISTIC": _plain("sigmoid"),
    "HARD_SWISH": _hard_swish,
    "RELU": _plain("nn.relu"),
    "RELU6": _plain("nn.relu6"),
    "RELU_N1_TO_1": lambda tf, inputs, _, __: tf.clip_by_value(inputs[0], -1.0, 1.0),
    "LEAKY_RELU": lambda tf, inputs, options, _: tf.nn.leaky_relu(inputs[0], float(options.alpha)),
    "PRELU": _prelu,
    "ELU": _plain("nn.elu"),
    "GELU": lambda tf, inputs, options, _: tf.nn.gelu(inputs[0], bool(getattr(options, "approximate", False))),
    "TANH": _plain("tanh"),
    "ABS": _plain("abs"),
    "NEG": _plain("negative"),
    "EXP": _plain("exp"),
    "SQUARE": _plain("square"),
    "SQRT": _plain("sqrt"),
    "RSQRT": _plain("math.rsqrt"),
    "L2_NORMALIZATION": lambda tf, inputs, _, __: tf.math.l2_normalize(inputs[0], -1),
    "QUANTIZE": lambda tf, inputs, _, __: inputs[0],
    "DEQUANTIZE": lambda tf, inputs, _, __: inputs[0],
}
"""How each operator is computed, by its name in TFLite's schema."""
