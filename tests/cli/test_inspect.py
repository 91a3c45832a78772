"""`edgeretrain inspect`."""

import json
from pathlib import Path

import pytest

from cli.conftest import Run
from edgeretrain.paths import bundled_folder


def test_a_model_of_ours(cli: Run, run_folder: Path) -> None:
    model = run_folder / "model.int8.tflite"
    text = cli("inspect", model).succeeds().out
    assert text.startswith(f"{model}: {model.stat().st_size:,} bytes")
    assert "input: photo, uint8 [1, 224, 224, 3], scale 0.00784314" in text
    assert "output: probabilities, uint8 [1, 2], scale 0.00390625, zero point 0" in text
    assert "labels: bricks, grass" in text
    assert "  preset: mobilenet_v2_100_224" in text
    assert "1 FULLY_CONNECTED v4" in text


def test_json_and_tensors(cli: Run, run_folder: Path) -> None:
    model = run_folder / "model.float32.tflite"
    description = json.loads(cli("inspect", model, "--json").succeeds().out)
    assert description["labels"] == ["bricks", "grass"]
    assert description["card"]["precision"] == "float32"
    listed = cli("inspect", model, "--tensors").succeeds().out
    for tensor in description["tensors"]:
        if len(tensor["name"]) < 30:
            assert tensor["name"] in listed


def test_a_model_of_others(cli: Run) -> None:
    text = cli("inspect", bundled_folder() / "mobilenet_v2_100_224.int8.tflite").succeeds().out
    assert "labels: none" in text
    assert "card: none (not written by edgeretrain)" in text


def test_what_is_no_model(cli: Run, run_folder: Path, tmp_path: Path) -> None:
    cli("inspect", tmp_path / "no.tflite").fails("no.tflite: cannot be read", "Give a .tflite file")
    text = tmp_path / "text.tflite"
    text.write_text("This is no model.")
    cli("inspect", text).fails("text.tflite: this is not a TFLite model", "Give a .tflite file")


@pytest.mark.parametrize("part", [0.0001, 0.3, 0.9])
def test_a_model_that_is_cut_off(part: float, cli: Run, run_folder: Path, tmp_path: Path) -> None:
    data = (run_folder / "model.int8.tflite").read_bytes()
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(data[: int(len(data) * part)])
    cli("inspect", cut).fails("cut.tflite", "damaged or cut off", "Copy or make it again")


def test_costs_and_layers(cli: Run, run_folder: Path) -> None:
    model = run_folder / "model.int8.tflite"
    text = cli("inspect", model, "--layers").succeeds().out
    assert "cost: 299.5 M MACs, 2,209,378 parameters\n" in text
    rows = [line.split() for line in text.splitlines() if "CONV_2D" in line or "FULLY_CONNECTED" in line]
    assert ["FULLY_CONNECTED", "1x2", "2,560", "2,562", "2,568"] in [row[1:] for row in rows]
    assert len([row for row in rows if row[1] in ("CONV_2D", "DEPTHWISE_CONV_2D")]) == 52  # a layer a line
    assert "CONV_2D  1x112x112x32" not in cli("inspect", model).succeeds().out


def test_layers_of_unknown_cost_are_named(cli: Run, tmp_path: Path) -> None:
    from edgeretrain.tflite.flatbuffer import read_model, schema, write_model

    model = read_model(bundled_folder() / "mobilenet_v2_100_224.float32.tflite")
    flown = schema().OperatorCodeT()
    flown.builtinCode, flown.customCode = schema().BuiltinOperator.CUSTOM, "Flown\x1b[31m"
    model.operatorCodes.append(flown)
    model.subgraphs[0].operators[-1].opcodeIndex = len(model.operatorCodes) - 1
    path = tmp_path / "flown.tflite"
    path.write_bytes(write_model(model))
    text = cli("inspect", path, "--layers").succeeds().out
    assert "not among the MACs: 1 layer of unknown cost (Flown\\x1b[31m)" in text
    assert "\x1b" not in text
