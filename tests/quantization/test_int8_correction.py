"""The refinement of int8 backbones, on the bundled ones: their plain rounding is made again and refined again."""

import os
from pathlib import Path

import numpy as np
import pytest

from edgeretrain.backbone.contract import Contract, bottlenecks_of, check_contract
from edgeretrain.backbone.presets import get_preset
from edgeretrain.quantization.calibration import calibration_pixels
from edgeretrain.quantization.int8_correction import STEPS, refine
from edgeretrain.quantization.layers import read_layers
from edgeretrain.tflite.model import Model

MODELS = Path(__file__).parents[2] / "models"
PRESET = "mobilenet_v1_100_224"
SCALING = get_preset(PRESET).family.scaling


def unexplained(bottlenecks: np.ndarray, exact: np.ndarray) -> float:
    """Share of the exact bottlenecks' variance left after the best a * x + b for each feature."""
    x, y = bottlenecks - bottlenecks.mean(axis=0), exact - exact.mean(axis=0)
    slope = (x * y).sum(axis=0) / np.maximum(np.square(x).sum(axis=0), 1e-12)
    return float(np.square(y - slope * x).sum() / np.square(y).sum())


def plainly_rounded(int8: Model, float32: Model) -> bytes:
    """Every weight and bias rounded to nearest, as TensorFlow does."""
    layers = read_layers(int8, float32)
    assert layers is not None
    for layer in layers:
        if (weights := layer.weights) is not None:
            rows = np.clip(np.rint(weights.exact / weights.scale[:, None]), -127, 127).astype(np.int8)
            int8.set_constant(weights.tensor, rows.T if layer.kind == "depthwise" else rows)
            int8.set_constant(weights.bias_tensor, np.rint(weights.bias / weights.bias_scale).astype(np.int32))
    return int8.write()


@pytest.fixture(scope="module")
def files() -> tuple[bytes, bytes]:
    """V1 1.0/224: int8 as TensorFlow rounds it, and float32."""
    pytest.importorskip("ai_edge_litert")
    float32 = MODELS / f"{PRESET}.float32.tflite"
    plain = plainly_rounded(Model.read(MODELS / f"{PRESET}.int8.tflite"), Model.read(float32))
    return plain, float32.read_bytes()


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    pytest.importorskip("skimage")
    return list(calibration_pixels(None, 224, count=8))


@pytest.mark.slow
def test_bottlenecks_come_nearer_to_the_float32_ones(files: tuple[bytes, bytes], photos: list[np.ndarray]) -> None:
    int8, float32 = files
    refined, steps = refine(int8, float32, photos, SCALING)
    assert steps == list(STEPS)
    check_contract(refined, Contract(PRESET, 224, get_preset(PRESET).bottleneck, SCALING), "int8")
    others = np.stack(list(calibration_pixels(None, 224, count=14, seed=1)))
    exact = bottlenecks_of(float32, others)
    before, after = (unexplained(bottlenecks_of(data, others), exact) for data in (int8, refined))
    assert after < before / 4
    assert refine(int8, float32, photos, SCALING)[0] == refined
    # It starts from the exact weights, so it does nothing to what it has made.
    assert refine(refined, float32, photos, SCALING)[0] == refined


def test_only_weights_and_biases_change(files: tuple[bytes, bytes], photos: list[np.ndarray]) -> None:
    int8, float32 = files
    before, after = Model.read(int8), Model.read(refine(int8, float32, photos[:1], SCALING)[0])
    assert before.kinds() == after.kinds()
    changed = 0
    for one, other in zip(before.tensors, after.tensors, strict=True):
        assert (one.name, one.type, list(one.shape)) == (other.name, other.type, list(other.shape))
        assert np.array_equal(one.quantization.scale, other.quantization.scale)
        assert np.array_equal(one.quantization.zeroPoint, other.quantization.zeroPoint)
        changed += not np.array_equal(before.tree.buffers[one.buffer].data, after.tree.buffers[other.buffer].data)
    assert changed == 13 + 27  # depthwise weights, and all biases


def test_without_steps_nothing_changes(files: tuple[bytes, bytes], photos: list[np.ndarray]) -> None:
    int8, float32 = files
    assert refine(int8, float32, photos[:1], SCALING, steps=()) == (Model.read(int8).write(), [])


def test_another_network_is_left_as_it_is(files: tuple[bytes, bytes], photos: list[np.ndarray]) -> None:
    int8, _ = files
    other = (MODELS / "mobilenet_v2_100_224.float32.tflite").read_bytes()
    assert refine(int8, other, photos[:1], SCALING) == (int8, [])


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["mobilenet_v2_035_128", "mobilenet_v1_025_128"])
def test_real_weights_on_real_photos(preset: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    weights, photos = os.environ.get("EDGERETRAIN_WEIGHTS"), os.environ.get("EDGERETRAIN_PHOTOS")
    if not weights or not photos:
        pytest.skip("EDGERETRAIN_WEIGHTS and EDGERETRAIN_PHOTOS are not both set")
    from edgeretrain.backbone.build import build_backbones

    float32, int8 = build_backbones(preset, ["float32", "int8"], weights=None, calibration=None, out=tmp_path)
    assert int8.card["calibration"]["steps"] == list(STEPS)
    plain = plainly_rounded(Model.read(int8.path), Model.read(float32.path))
    size = get_preset(preset).resolution
    for name in ("flower_photos", "trashnet"):
        pixels = np.stack(list(calibration_pixels(Path(photos) / name, size, count=60)))
        exact = bottlenecks_of(float32.path.read_bytes(), pixels)
        before, after = (unexplained(bottlenecks_of(d, pixels), exact) for d in (plain, int8.path.read_bytes()))
        assert after < before / 2, name


def test_a_5x5_kernel_is_left_to_the_bias_correction(
    files: tuple[bytes, bytes], photos: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the 3x3 kernels of this network were too large.
    monkeypatch.setattr(
        "edgeretrain.quantization.int8_correction.MOST_WEIGHTS", 8
    )  # as if the 3x3 kernels of this network were
    int8, float32 = files
    refined, steps = refine(int8, float32, photos[:1], SCALING)
    assert steps == ["bias correction"]
    assert refined == refine(int8, float32, photos[:1], SCALING, steps=["bias correction"])[0] != int8
