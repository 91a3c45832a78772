"""The bundled files, computed layer by layer, against the runtime."""

from pathlib import Path

import numpy as np
import pytest

from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.quantization.layers import QuantizedLayer, input_quantization, read_layers, run_layer, sampled_patches
from edgeretrain.tflite.model import Model
from edgeretrain.tflite.quantized import Quantization

MODELS = Path(__file__).parents[2] / "models"
PRESETS = ("mobilenet_v2_100_224", "mobilenet_v1_100_224")


def models(preset: str) -> tuple[Model, Model]:
    pytest.importorskip("ai_edge_litert")
    return Model.read(MODELS / f"{preset}.int8.tflite"), Model.read(MODELS / f"{preset}.float32.tflite")


def layers_of(preset: str) -> tuple[QuantizedLayer, ...]:
    layers = read_layers(*models(preset))
    assert layers is not None
    return layers


def photo() -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (1, 28, 28, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_layers_compute_what_the_float32_file_does(preset: str) -> None:
    layers = layers_of(preset)
    maps = {layers[0].inputs[0]: photo().astype(np.float32) / 127.5 - 1}
    for layer in layers:
        seen = [maps[index] for index in layer.inputs]
        weights = layer.weights
        maps[layer.output] = run_layer(layer, seen, weights.exact, weights.bias) if weights else run_layer(layer, seen)
    expected = bottlenecks_of((MODELS / f"{preset}.float32.tflite").read_bytes(), photo())
    assert np.abs(maps[layers[-1].output] - expected).max() <= 1e-4 * expected.max()


def test_the_scales_are_those_of_the_int8_file() -> None:
    layers = layers_of("mobilenet_v2_100_224")
    assert [layer.kind for layer in layers].count("depthwise") == 17
    for layer in layers:
        if (weights := layer.weights) is not None:
            scale = np.abs(weights.exact).max(axis=1) / 127
            # A dead channel's weights are so small that its bias would not fit into int32: TensorFlow widens its scale.
            assert (weights.scale > 0.99999 * scale).all()
            assert np.allclose(weights.scale[scale > 1e-5], scale[scale > 1e-5], rtol=1e-5)
    int8, _ = models("mobilenet_v2_100_224")
    photo = input_quantization(int8)
    assert photo.scale == pytest.approx(1 / 127.5)
    assert photo.zero_point in (127, 128)


def test_another_network_or_an_unknown_layer_gives_none() -> None:
    int8, float32 = models("mobilenet_v2_100_224")
    assert read_layers(int8, models("mobilenet_v1_100_224")[1]) is None
    addition = next(one for one in int8.operators if int8.kind(one) == "ADD")
    addition.builtinOptions.fusedActivationFunction = 1  # ReLU behind an addition: not MobileNet
    assert read_layers(int8, float32) is None


def test_rounding_stays_within_int8() -> None:
    quantization = Quantization(0.5, -128)
    values = np.array([-3, 0, 0.2, 0.3, 127.5, 200], np.float32)
    assert quantization.real(quantization.nearest(values, np.int8)).tolist() == [0, 0, 0, 0.5, 127.5, 127.5]


def test_sampled_patches_times_weights_are_outputs_of_the_layer() -> None:
    layers = layers_of("mobilenet_v1_100_224")
    rng = np.random.default_rng(0)
    for layer in layers[:3]:  # 3x3 with stride 2; depthwise; 1x1
        assert layer.weights is not None
        exact, bias = layer.weights.exact, layer.weights.bias
        channels = exact.shape[0] if layer.kind == "depthwise" else exact.shape[1] // layer.side**2
        maps = rng.normal(0, 1, (2, 20, 20, channels)).astype(np.float32)
        patches = sampled_patches(layer, maps)
        outputs = (patches * exact).sum(axis=2) if layer.kind == "depthwise" else patches @ exact.T
        everywhere = run_layer(layer, [maps], exact, bias)
        assert len(outputs) == 2 * min(14, everywhere.shape[1]) ** 2
        first = everywhere[0].reshape(-1, len(exact))
        for output in np.clip(outputs[:5] + bias, 0, 6):
            assert np.abs(first - output).max(axis=1).min() < 1e-4
