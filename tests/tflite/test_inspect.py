"""What inspect tells of a file is what is in it."""

import json
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.garden import Run

from edgeretrain.backbone import find_backbone
from edgeretrain.errors import EdgeretrainError
from edgeretrain.precision import PRECISIONS
from edgeretrain.tflite.flatbuffer import read_model, schema, write_model
from edgeretrain.tflite.inspect import inspect_model


def operators(found: dict[str, Any]) -> dict[tuple[str, int], int]:
    return {(one["name"], one["version"]): one["count"] for one in found["operators"]}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_our_own_file(run: Run, precision: str) -> None:
    path = run.model(precision)
    found = inspect_model(path)
    assert json.loads(json.dumps(found)) == found
    assert (found["file"], found["bytes"]) == (path.name, path.stat().st_size)
    assert 0.8 < found["weight_bytes"] / found["bytes"] < 1
    assert found["labels"] == ["checks", "dots", "stripes"]
    assert (found["card"]["preset"], found["card"]["precision"]) == ("mobilenet_v2_100_224", precision)
    assert found["description"].startswith("edgeretrain ")
    assert "TFLITE_METADATA" in found["metadata"]
    (photo,), (probabilities,) = found["inputs"], found["outputs"]
    assert (photo["dtype"], photo["shape"]) == ("uint8" if precision == "int8" else "float32", [1, 224, 224, 3])
    assert (probabilities["name"], probabilities["shape"]) == ("probabilities", [1, 3])
    if precision == "int8":
        assert probabilities["quantization"] == {"scale": 1 / 256, "zero_point": 0}
        assert photo["quantization"]["scale"] == pytest.approx(1 / 127.5)
    else:
        assert probabilities["quantization"] is photo["quantization"] is None


def test_operators_are_mobilenets(run: Run) -> None:
    """17 blocks of V2: 17 depthwise, 16 expanding, 17 projecting, first and last convolution; 10 additions."""
    counts = operators(inspect_model(run.model("float32")))
    by_name = {name: count for (name, _), count in counts.items()}
    assert (by_name["DEPTHWISE_CONV_2D"], by_name["CONV_2D"], by_name["ADD"]) == (17, 35, 10)
    assert counts["FULLY_CONNECTED", 1] == counts["SOFTMAX", 1] == by_name["MEAN"] == 1


def test_tensors(run: Run) -> None:
    found = inspect_model(run.model("int8"))
    named = {tensor["name"]: tensor for tensor in found["tensors"]}
    weights = named["head/weights"]
    assert (weights["dtype"], weights["shape"], weights["constant_bytes"]) == ("int8", [3, 1280], 3840)
    assert named["head/bias"]["dtype"] == "int32"
    channels = [tensor for tensor in found["tensors"] if "channels" in (tensor["quantization"] or {})]
    assert len(channels) > 50
    for tensor in channels:
        quantization = tensor["quantization"]
        assert quantization["channels"] == tensor["shape"][quantization["axis"]]
        assert 0 < quantization["smallest_scale"] <= quantization["largest_scale"]


def test_a_file_of_another_maker() -> None:
    found = inspect_model(find_backbone("mobilenet_v1_100_224", "float32").path)
    assert (found["labels"], found["card"]) == ([], {})
    assert operators(found)


def test_operators_and_types_that_the_schema_does_not_know(tmp_path: Path) -> None:
    model = read_model(find_backbone("mobilenet_v2_100_224", "float32").path)
    model.operatorCodes[0].builtinCode = 30_000
    custom = schema().OperatorCodeT()
    custom.builtinCode = custom.deprecatedBuiltinCode = schema().BuiltinOperator.CUSTOM
    custom.customCode, custom.version = "Flown", 2
    model.operatorCodes.append(custom)
    model.subgraphs[0].operators[-1].opcodeIndex = len(model.operatorCodes) - 1
    model.subgraphs[0].tensors[3].type = 99
    path = tmp_path / "newer.tflite"
    path.write_bytes(write_model(model))
    found = inspect_model(path)
    assert any(name == "operator 30000" for name, _ in operators(found))
    assert operators(found)["Flown", 2] == 1
    assert found["tensors"][3]["dtype"] == "type 99"


def test_codes_of_writers_before_schema_3a(tmp_path: Path) -> None:
    model = read_model(find_backbone("mobilenet_v2_100_224", "float32").path)
    expected = {schema().BuiltinOperator.CONV_2D: "CONV_2D"}
    for code in model.operatorCodes:
        code.builtinCode = 0
    path = tmp_path / "older.tflite"
    path.write_bytes(write_model(model))
    names = {name for name, _ in operators(inspect_model(path))}
    assert names >= {*expected.values(), "DEPTHWISE_CONV_2D"}


def test_a_damaged_file_of_ours_is_an_error(run: Run, tmp_path: Path) -> None:
    good = run.model("int8").read_bytes()
    with zipfile.ZipFile(run.model("int8")) as archive:
        end = archive.infolist()[0].header_offset
    path = tmp_path / "model.tflite"
    rng = random.Random(6)
    for position in rng.sample(range(8, end), 15):
        damaged = bytearray(good)
        damaged[position] ^= rng.randrange(1, 256)
        path.write_bytes(damaged)
        with pytest.raises(EdgeretrainError, match="damaged"):
            inspect_model(path)


def test_references_to_nowhere_are_damage(tmp_path: Path) -> None:
    original = find_backbone("mobilenet_v2_100_224", "int8").path
    path = tmp_path / "model.tflite"
    for break_it in (
        lambda model: setattr(model.subgraphs[0].tensors[5], "buffer", 10_000),
        lambda model: setattr(model.subgraphs[0].operators[5], "opcodeIndex", 10_000),
        lambda model: setattr(model.subgraphs[0], "outputs", np.array([10_000], np.int32)),
        lambda model: model.subgraphs.clear(),
    ):
        model = read_model(original)
        break_it(model)
        path.write_bytes(write_model(model))
        with pytest.raises(EdgeretrainError, match=r"model\.tflite: .*damaged"):
            inspect_model(path)


def test_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "photo.tflite").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(EdgeretrainError, match="this is not a TFLite model"):
        inspect_model(tmp_path / "photo.tflite")
