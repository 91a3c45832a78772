"""Make an int8 backbone nearer to the float32 one, after TensorFlow's post-training quantization. NumPy only.

Two steps, layer by layer from the photo on; each layer's input is the output of the corrected int8 layers before it:

1. depthwise weights are rounded up or down so that their errors cancel (`rounding.py`);
2. biases are corrected: the inputs of most layers are ReLU6 outputs with large means, so rounded weights and inputs
   shift the mean of every output channel. The shift, measured on the calibration photos, is taken off the bias: Nagel
   et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, arXiv:1906.04721, section
   4.2 and, for measured means, appendix D.

Only the numbers in the weights and biases change: operators, shapes, scales and zero points are TensorFlow's.
What this gains: benchmarks/int8_features.md, int8_backbone.md.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgeretrain.data.scaling import Scaling
from edgeretrain.quantization.layers import (
    Doubles,
    Floats,
    LayerWeights,
    QuantizedLayer,
    input_quantization,
    read_layers,
    run_layer,
    sampled_patches,
)
from edgeretrain.quantization.rounding import MOST_WEIGHTS, covariance_of, round_depthwise
from edgeretrain.tflite.model import Model
from edgeretrain.threads import one_blas_thread

STEPS = ("depthwise rounding", "bias correction")
"""The steps, as the card names them."""

PHOTOS = 28
"""Calibration photos that are used, at most: more gain nothing (int8_backbone.md) and need memory."""


@one_blas_thread
def refine(
    int8: bytes,
    float32: bytes,
    photos: Sequence[npt.NDArray[np.uint8]],
    scaling: Scaling,
    *,
    steps: Sequence[str] = STEPS,
) -> tuple[bytes, list[str]]:
    """The int8 file with better weights and biases, and the steps that were taken.

    Args:
        int8: takes the photo as uint8.
        float32: the file of the same network in that precision.
        photos: for calibration, each `uint8 [S,S,3]`.
        scaling: of the pixels.
        steps: some of STEPS.

    Returns:
        The unchanged int8 file and no steps, if the network has layers that MobileNets do not have (NASNet).
    """
    model = Model.read(int8)
    layers = read_layers(model, Model.read(float32))
    if layers is None:
        return int8, []
    pixels = np.stack(list(photos[:PHOTOS]))
    photo = input_quantization(model)
    exact = {layers[0].inputs[0]: scaling(pixels)}
    quantized = {layers[0].inputs[0]: photo.real(pixels)}
    for number, layer in enumerate(layers):
        expected, actual = [exact[index] for index in layer.inputs], [quantized[index] for index in layer.inputs]
        if (weights := layer.weights) is None:
            exact[layer.output], result = run_layer(layer, expected), run_layer(layer, actual)
        else:
            rows, bias = _refined(model, layer, weights, expected[0], actual[0], steps)
            exact[layer.output] = run_layer(layer, expected, weights.exact, weights.bias)
            result = run_layer(layer, actual, rows, bias)
        quantized[layer.output] = layer.quantization.real(layer.quantization.nearest(result, np.int8))
        later = {index for other in layers[number + 1 :] for index in other.inputs}
        for index in set(layer.inputs) - later:
            del exact[index], quantized[index]
    taken = {"bias correction"}
    if any(_can_be_rounded(layer) for layer in layers):
        taken.add("depthwise rounding")
    return model.write(), [step for step in STEPS if step in steps and step in taken]


def _can_be_rounded(layer: QuantizedLayer) -> bool:
    return layer.kind == "depthwise" and layer.side**2 <= MOST_WEIGHTS


def _refined(
    model: Model, layer: QuantizedLayer, weights: LayerWeights, expected: Floats, actual: Floats, steps: Sequence[str]
) -> tuple[Floats, Floats]:
    """Correct a layer's int8 weights and int32 bias in the model; returns the real numbers that they stand for."""
    expected_patches, actual_patches = sampled_patches(layer, expected), sampled_patches(layer, actual)
    integers = _stored(model, layer, weights)
    if "depthwise rounding" in steps and _can_be_rounded(layer):
        integers = round_depthwise(weights.exact.astype(np.float64), weights.scale, covariance_of(actual_patches))
        model.set_constant(weights.tensor, integers.T)
    rows = integers * weights.scale[:, None]
    bias = weights.bias.astype(np.float64)
    if "bias correction" in steps:
        bias += _mean_output(weights.exact, expected_patches) - _mean_output(rows, actual_patches)
    limit = 2**31 - 1
    corrected = np.clip(np.rint(bias / weights.bias_scale), -limit, limit).astype(np.int32)
    if "bias correction" in steps:
        model.set_constant(weights.bias_tensor, corrected)
    return rows.astype(np.float32), (corrected * weights.bias_scale).astype(np.float32)


def _mean_output(rows: Doubles | Floats, patches: Floats) -> Doubles:
    """The mean of each output channel, without bias: `[k]`."""
    means = patches.mean(axis=0, dtype=np.float64)
    return np.asarray((rows * means).sum(axis=1))


def _stored(model: Model, layer: QuantizedLayer, weights: LayerWeights) -> npt.NDArray[np.int8]:
    """The int8 weights in the model, rows as in `LayerWeights.exact`."""
    stored = model.constant(weights.tensor)
    assert stored is not None
    count, length = weights.exact.shape
    return stored.reshape(length, count).T if layer.kind == "depthwise" else stored.reshape(count, length)
