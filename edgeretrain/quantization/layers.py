"""The layers of an int8 backbone with the weights of its float32 file, and how a layer computes. NumPy only.

Supported are the layers of MobileNet V1 and V2: convolutions, depthwise convolutions, additions, the final mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from edgeretrain.tflite.flatbuffer import OperatorT, numbers, schema
from edgeretrain.tflite.model import Model
from edgeretrain.tflite.quantized import Quantization

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

Kind = Literal["convolution", "depthwise", "add", "mean"]

_POSITIONS = 14
"""Rows and columns of a feature map that `sampled_patches` takes from a photo: 196 positions are enough."""


@dataclass(frozen=True)
class LayerWeights:
    """The weights of a layer, exact and in int8.

    Attributes:
        exact: float32 `[k,n]`: a row for each of k output channels; n is inputs x kernel area (depthwise: kernel area).
        bias: float32 `[k]`, exact.
        scale, bias_scale: float64 `[k]`, of the int8 weights and the int32 bias.
        tensor, bias_tensor: tensors of the int8 file.
    """

    exact: Floats
    bias: Floats
    scale: Doubles
    bias_scale: Doubles
    tensor: int
    bias_tensor: int


@dataclass(frozen=True)
class QuantizedLayer:
    """An operator of the network.

    Attributes:
        inputs, output: tensors of the int8 file.
        quantization: of the output.
        weights: None for additions and the mean.
        side: of the kernel, pixels. The padding is TensorFlow's SAME (with a side of 1, there is none).
    """

    kind: Kind
    inputs: tuple[int, ...]
    output: int
    quantization: Quantization
    weights: LayerWeights | None = None
    side: int = 1
    stride: int = 1
    relu6: bool = False


def read_layers(int8: Model, float32: Model) -> tuple[QuantizedLayer, ...] | None:
    """The layers of an int8 file, in order, with the weights of the float32 file of the same network.

    Args:
        int8, float32: operators before the first layer (int8: `QUANTIZE`; float32: the scaling) are left out.

    Returns:
        None if there is a layer that MobileNets do not have, or the files do not match.
    """
    operators = [operator for operator in int8.operators if int8.kind(operator) != "QUANTIZE"]
    originals = [operator for operator in float32.operators if float32.kind(operator) not in ("MUL", "SUB")]
    if list(map(int8.kind, operators)) != list(map(float32.kind, originals)):
        return None
    layers = [_layer(int8, operator, float32, same) for operator, same in zip(operators, originals, strict=True)]
    known = tuple(layer for layer in layers if layer is not None)
    return known if len(known) == len(layers) else None


def _layer(int8: Model, operator: OperatorT, float32: Model, original: OperatorT) -> QuantizedLayer | None:
    kind, tensors = int8.kind(operator), int8.tensors
    inputs, (output, *_) = numbers(operator.inputs), numbers(operator.outputs)
    quantization = int8.quantization(output)
    options = operator.builtinOptions
    activations = schema().ActivationFunctionType
    if kind == "ADD" and options.fusedActivationFunction == activations.NONE:
        return QuantizedLayer("add", inputs, output, quantization)
    if kind == "MEAN" and len(tensors[inputs[0]].shape) == 4 and len(tensors[output].shape) == 2:
        return QuantizedLayer("mean", inputs[:1], output, quantization)
    if kind not in ("CONV_2D", "DEPTHWISE_CONV_2D") or len(inputs) != 3:
        return None
    depthwise = kind == "DEPTHWISE_CONV_2D"
    exact, bias = (float32.constant(tensor) for tensor in numbers(original.inputs)[1:3])
    if exact is None or bias is None:
        return None
    _, height, width, _ = exact.shape
    plain = (
        height == width
        and options.strideH == options.strideW
        and options.dilationHFactor == options.dilationWFactor == 1
        and (options.padding == schema().Padding.SAME or height == options.strideH == 1)
        and options.fusedActivationFunction in (activations.NONE, activations.RELU6)
        and not (depthwise and tensors[inputs[0]].shape[3] != exact.shape[3])
    )
    if not plain:
        return None
    rows = exact.reshape(-1, exact.shape[3]).T if depthwise else exact.reshape(len(exact), -1)
    weights = LayerWeights(
        np.ascontiguousarray(rows),
        bias,
        np.asarray(tensors[inputs[1]].quantization.scale, np.float64),
        np.asarray(tensors[inputs[2]].quantization.scale, np.float64),
        inputs[1],
        inputs[2],
    )
    relu6 = options.fusedActivationFunction == activations.RELU6
    name: Kind = "depthwise" if depthwise else "convolution"
    return QuantizedLayer(name, inputs[:1], output, quantization, weights, height, int(options.strideH), relu6)


def input_quantization(int8: Model) -> Quantization:
    """The quantization of the photo: the file takes it as uint8, the first layer as int8 with the same scale."""
    return int8.quantization(int8.inputs[0])


def run_layer(
    layer: QuantizedLayer, inputs: Sequence[Floats], rows: Floats | None = None, bias: Floats | None = None
) -> Floats:
    """The output of a layer, in floating point.

    Args:
        inputs: one feature map `[N,H,W,C]`; two for an addition.
        rows, bias: weights `[k,n]` and `[k]`; None for layers without weights.
    """
    if layer.kind == "add":
        return np.asarray(inputs[0] + inputs[1])
    if layer.kind == "mean":
        return np.asarray(inputs[0].mean(axis=(1, 2)))
    assert rows is not None and bias is not None
    result = np.stack([_convolved(layer, feature_map, rows) for feature_map in inputs[0]])
    result += bias
    return np.clip(result, 0, 6, out=result) if layer.relu6 else result


def _convolved(layer: QuantizedLayer, photo: Floats, rows: Floats) -> Floats:
    """One feature map `[H,W,C]` through a convolution, without bias."""
    taps = _taps(layer, photo[None])
    if layer.kind == "convolution":
        patches = taps[0][0] if len(taps) == 1 else np.concatenate([tap[0] for tap in taps], axis=-1)
        return np.asarray(patches @ rows.T)
    result = taps[0][0] * rows[:, 0]
    for tap, weight in zip(taps[1:], rows.T[1:], strict=True):
        result += tap[0] * weight
    return np.asarray(result)


def _taps(layer: QuantizedLayer, maps: Floats) -> list[Floats]:
    """For each position in the kernel, row by row, its inputs: views `[N,H',W',C]`."""
    size, stride = maps.shape[1], layer.stride
    outputs = -(-size // stride)
    padding = max((outputs - 1) * stride + layer.side - size, 0)
    if padding:
        border = (padding // 2, padding - padding // 2)
        maps = np.pad(maps, ((0, 0), border, border, (0, 0)))
    reach = (outputs - 1) * stride + 1
    side = range(layer.side)
    return [maps[:, y : y + reach : stride, x : x + reach : stride] for y in side for x in side]


def sampled_patches(layer: QuantizedLayer, maps: Floats) -> Floats:
    """The kernel's inputs at up to 196 positions of each photo; the same positions for the same sizes.

    Args:
        maps: `[N,H,W,C]`.

    Returns:
        `[m,n]` as the rows of `LayerWeights.exact`, or for a depthwise layer `[m,C,n]`.
    """
    taps = _taps(layer, maps)
    photos, height, width, channels = taps[0].shape
    random = np.random.default_rng(0)
    rows = _drawn(random, photos, height)[:, :, None]
    columns = _drawn(random, photos, width)[:, None, :]
    photo = np.arange(photos)[:, None, None]
    patches = np.stack([tap[photo, rows, columns].reshape(-1, channels) for tap in taps], axis=1)
    return patches.transpose(0, 2, 1) if layer.kind == "depthwise" else patches.reshape(len(patches), -1)


def _drawn(random: np.random.Generator, photos: int, length: int) -> npt.NDArray[np.int64]:
    order = random.permuted(np.tile(np.arange(length), (photos, 1)), axis=1)
    return np.asarray(order[:, :_POSITIONS])
