"""Which runtime is taken, what a network takes and gives, and what it refuses."""

import importlib
import importlib.metadata
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.garden import Run

from edgeretrain.backbone import find_backbone
from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite import runtime as runtime_module
from edgeretrain.tflite.flatbuffer import read_model, schema, write_model
from edgeretrain.tflite.quantized import Quantization
from edgeretrain.tflite.runtime import RUNTIME_NAMES, Network, Runner, Runtime, check_is_tflite, load_runtime

pytest.importorskip("ai_edge_litert")
MODULES = {
    "ai_edge_litert": "ai_edge_litert.interpreter",
    "tflite_runtime": "tflite_runtime.interpreter",
    "tensorflow": "tensorflow.lite.python.interpreter",
}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Runtimes by name, as if these were installed: an interpreter, or the error that the import ends in."""
    there: dict[str, Any] = {}

    def import_module(module: str) -> Any:
        name = next(name for name, home in MODULES.items() if home == module)
        found = there.get(name, ModuleNotFoundError(f"No module named {name!r}"))
        if isinstance(found, Exception):
            raise found
        return types.SimpleNamespace(Interpreter=found)

    monkeypatch.setattr(runtime_module.importlib, "import_module", import_module)
    monkeypatch.setattr(importlib.metadata, "version", lambda distribution: f"version of {distribution}")
    return there


class Interpreter:
    def __init__(self, **_: object) -> None:
        raise ValueError("no model")


def test_the_first_one_installed_is_taken(installed: dict[str, Any]) -> None:
    assert tuple(MODULES) == RUNTIME_NAMES
    for name in reversed(RUNTIME_NAMES):
        installed[name] = Interpreter
        loaded = load_runtime()
        assert (loaded.name, loaded.interpreter) == (name, Interpreter)
    assert str(load_runtime("tensorflow")) == "tensorflow version of tensorflow"
    assert load_runtime("tflite_runtime").version == "version of tflite-runtime"


@pytest.mark.parametrize(
    "error", [ImportError("numpy 1"), OSError("libc"), RuntimeError("ABI"), AttributeError("_ARRAY_API")]
)
def test_one_that_does_not_import_is_passed_over(installed: dict[str, Any], error: Exception) -> None:
    installed["ai_edge_litert"] = error
    installed["tensorflow"] = Interpreter
    assert load_runtime().name == "tensorflow"
    with pytest.raises(EdgeretrainError, match=rf"ai_edge_litert.*{error}"):
        load_runtime("ai_edge_litert")


@pytest.mark.usefixtures("installed")
def test_none_installed() -> None:
    with pytest.raises(EdgeretrainError) as caught:
        load_runtime()
    message = str(caught.value)
    assert all(name in message for name in RUNTIME_NAMES)
    assert "pip install" in message and "\n" not in message


def test_an_unknown_name() -> None:
    with pytest.raises(
        EdgeretrainError, match=r"There is no runtime 'onnx'\. Use one of ai_edge_litert, tflite_runtime"
    ):
        load_runtime("onnx")


# Networks


def test_a_float_network_takes_raw_rgb() -> None:
    """The scaling is in the graph: the same pixels as uint8 for the int8 backbone lead to about the same bottleneck."""
    pixels = np.random.default_rng(0).integers(0, 256, (14, 14, 3), np.uint8).repeat(16, 0).repeat(16, 1)
    real = Network(find_backbone("mobilenet_v2_100_224", "float32").path)
    integer = Network(find_backbone("mobilenet_v2_100_224", "int8").path)
    assert (real.size, real.input_dtype, real.outputs) == (224, np.float32, 1280)
    assert (integer.size, integer.input_dtype, integer.outputs) == (224, np.uint8, 1280)
    one, other = real(pixels), integer(pixels)
    assert one.shape == other.shape == (1280,) and one.dtype == other.dtype == np.float32
    assert np.corrcoef(one, other)[0, 1] > 0.9


def test_outputs_are_dequantized(run: Run) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (224, 224, 3), np.uint8)
    found = Network(run.model("int8"))(pixels)
    assert found.sum() == pytest.approx(1, abs=3 / 256)
    assert (found * 256 == np.rint(found * 256)).all()


def test_results_are_copies(run: Run) -> None:
    random = np.random.default_rng(1)
    for precision in ("float32", "int8"):
        network = Network(run.model(precision))
        first = network(random.integers(0, 256, (224, 224, 3), np.uint8))
        kept = first.copy()
        network(np.zeros((224, 224, 3), np.uint8))
        assert (first == kept).all()


def test_bytes_and_path_and_threads_give_the_same(run: Run) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (224, 224, 3), np.uint8)
    path = run.model("int8")
    expected = Network(path)(pixels)
    assert (Network(path.read_bytes())(pixels) == expected).all()
    assert (Network(path, threads=3)(pixels) == expected).all()
    assert Network(path).runtime == load_runtime()


def refusal(model: Path | bytes, **options: Any) -> str:
    with pytest.raises(EdgeretrainError) as caught:
        Network(model, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_no_threads(run: Run) -> None:
    assert refusal(run.model("int8"), threads=0) == "threads must be at least 1, not 0."


def test_files_that_are_no_models(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    assert refusal(path).startswith(f"{path}: cannot be read (No such file")
    assert "Give a .tflite file" in refusal(tmp_path)
    for content in (b"", b"TFL3", b"\x1c\0\0\0TFL", b"#!/bin/sh\n"):
        path.write_bytes(content)
        assert "this is not a TFLite model" in refusal(path)
    path.write_bytes(b"\x1c\0\0\0TFL3")
    check_is_tflite(path)
    assert "cannot load it" in refusal(path)


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    good = find_backbone("mobilenet_v2_100_224", "int8").path.read_bytes()
    path = tmp_path / "model.tflite"
    for length in (1000, len(good) // 2, len(good) - 5000):
        path.write_bytes(good[:length])
        message = refusal(path)
        assert message.startswith(f"{path}: ai_edge_litert") and "cannot load it" in message
    assert refusal(good[:1000]).startswith("the model: ")


def test_an_operator_that_the_runtime_is_too_old_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator and its version are named, and which runtime would do on this machine."""
    model = read_model(find_backbone("mobilenet_v2_100_224", "float32").path)
    code = next(code for code in model.operatorCodes if code.builtinCode == schema().BuiltinOperator.CONV_2D)
    code.version = 99
    message = refusal(write_model(model))
    assert "cannot load it: the model needs CONV_2D version 99, which this runtime does not support." in message
    assert message.endswith("pip install --upgrade ai-edge-litert")
    code.version, code.builtinCode, code.deprecatedBuiltinCode = 1, 250, 127
    assert "the model needs operator number 250, which" in refusal(write_model(model))
    monkeypatch.setattr(runtime_module.platform, "machine", lambda: "armv7l")
    assert "64-bit Raspberry Pi OS with ai-edge-litert" in refusal(write_model(model))


def test_what_tflite_runtime_says_of_an_operator_that_it_is_too_old_for(run: Run) -> None:
    class Old:
        def __init__(self, **_: object) -> None:
            raise ValueError(
                "Didn't find op for builtin opcode 'FULLY_CONNECTED' version '12'. An older version of this builtin "
                "might be supported. Are you using an old TFLite binary with a newer model?\nRegistration failed.\n"
            )

    message = refusal(run.model("int8"), runtime=Runtime("tflite_runtime", "2.14.0", Old))
    assert message.endswith(
        ": tflite_runtime 2.14.0 cannot load it: the model needs FULLY_CONNECTED version 12, which this runtime does "
        "not support. Upgrade LiteRT: pip install --upgrade ai-edge-litert"
    )


def with_input(shape: list[int], kind: str) -> bytes:
    """A model of one operator: QUANTIZE or so would do; RESHAPE takes any type."""
    types_, operators = schema().TensorType, schema().BuiltinOperator
    model, graph, code, operator = (
        getattr(schema(), name)() for name in ("ModelT", "SubGraphT", "OperatorCodeT", "OperatorT")
    )
    model.version, model.buffers = 3, [schema().BufferT()]
    code.builtinCode = code.deprecatedBuiltinCode = operators.RESHAPE
    code.version = 1
    options = schema().ReshapeOptionsT()
    options.newShape = np.array([1, int(np.prod(shape))], np.int32)
    operator.opcodeIndex, operator.builtinOptions = 0, options
    operator.builtinOptionsType = schema().BuiltinOptions.ReshapeOptions
    operator.inputs, operator.outputs = np.array([0], np.int32), np.array([1], np.int32)
    graph.tensors = []
    for each in (shape, options.newShape):
        tensor = schema().TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = "t", np.array(each, np.int32), getattr(types_, kind), 0
        graph.tensors.append(tensor)
    graph.inputs, graph.outputs, graph.operators = operator.inputs, operator.outputs, [operator]
    model.subgraphs, model.operatorCodes = [graph], [code]
    return write_model(model)


@pytest.mark.parametrize(
    ("shape", "kind", "told"),
    [
        ([1, 8, 9, 3], "FLOAT32", "float32 [1, 8, 9, 3]"),
        ([1, 8, 8, 1], "FLOAT32", "float32 [1, 8, 8, 1]"),
        ([2, 8, 8, 3], "FLOAT32", "float32 [2, 8, 8, 3]"),
        ([8, 8, 3], "FLOAT32", "float32 [8, 8, 3]"),
        ([1, 8, 8, 3], "INT8", "int8 [1, 8, 8, 3]"),
        ([1, 8, 8, 3], "INT32", "int32 [1, 8, 8, 3]"),
    ],
)
def test_another_input_is_told(shape: list[int], kind: str, told: str) -> None:
    message = refusal(with_input(shape, kind))
    assert f"its input is {told}; edgeretrain's models take one photo" in message


def test_a_small_model_of_ours_is_taken() -> None:
    pixels = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
    for kind in ("FLOAT32", "UINT8"):
        network = Network(with_input([1, 8, 8, 3], kind))
        assert (network.size, network.outputs) == (8, 192)
        assert (network(pixels) == np.arange(192)).all()


def test_several_inputs_or_outputs_or_a_map_are_told(tmp_path: Path) -> None:
    model = read_model(find_backbone("mobilenet_v2_100_224", "float32").path)
    graph = model.subgraphs[0]
    last = graph.operators[-1]
    graph.outputs = np.array([graph.outputs[0], last.inputs[0]], np.int32)
    assert "its output is [1, 1280], [1, 7, 7, 1280]; one vector" in refusal(write_model(model))
    graph.outputs = np.array([last.inputs[0]], np.int32)
    assert "its output is [1, 7, 7, 1280]; one vector" in refusal(write_model(model))


def test_runtime_is_told_with_its_version() -> None:
    assert str(Runtime("ai_edge_litert", "2.3.0", None)) == "ai_edge_litert 2.3.0"


# Files of any making


def test_a_runner_describes_its_ends() -> None:
    runner = Runner(find_backbone("mobilenet_v2_100_224", "int8").path)
    (photo,), (bottleneck,) = runner.inputs, runner.outputs
    assert (photo.shape, photo.dtype, photo.is_square_rgb, photo.size) == ((1, 224, 224, 3), np.uint8, True, 150528)
    assert (bottleneck.shape, bottleneck.dtype, bottleneck.is_square_rgb) == ((1, 1280), np.int8, False)
    assert str(photo) == "uint8 [1, 224, 224, 3]"
    assert photo.quantization.scale == pytest.approx(1 / 127.5) and bottleneck.quantization.zero_point == -128
    assert Runner(find_backbone("mobilenet_v2_100_224", "float32").path).inputs[0].quantization == Quantization(0, 0)


def test_a_runner_gives_integers_and_the_real_numbers_that_they_stand_for() -> None:
    runner = Runner(find_backbone("mobilenet_v2_100_224", "int8").path)
    (bottleneck,) = runner.outputs
    runner.set(runner.inputs[0], np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8))
    runner.invoke()
    stored, real = runner.stored(bottleneck), runner.real(bottleneck)
    assert stored.dtype == np.int8 and real.dtype == np.float32 and np.ptp(real) > 1
    scale, zero_point = bottleneck.quantization.scale, bottleneck.quantization.zero_point
    assert np.allclose(real, (stored.astype(float) - zero_point) * scale)


def test_without_delegates_every_tensor_can_be_read() -> None:
    path = find_backbone("mobilenet_v2_100_224", "float32").path
    runner = Runner(path, delegates=False, keep_tensors=True)
    photo = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3)).astype(np.float32)
    result = runner.run(photo)
    scaled = next(tensor for tensor in runner.tensors() if tensor.shape == photo.shape and tensor != runner.inputs[0])
    # The first operator multiplies, the second subtracts: one of the two is what stands there.
    values = runner.stored(scaled)
    assert np.allclose(values, photo / 127.5) or np.allclose(values, photo / 127.5 - 1, atol=1e-6)
    kinds = {node["op_name"] for node in runner.interpreter._get_ops_details()}
    assert "DELEGATE" not in kinds
    assert np.allclose(result, Runner(path).run(photo), atol=1e-4)


def test_an_input_can_get_another_shape() -> None:
    content = with_input([1, 8, 8, 3], "FLOAT32")
    model = read_model(content)
    graph = model.subgraphs[0]
    graph.tensors[0].shapeSignature = np.array([-1, 8, 8, 3], np.int32)
    graph.operators[0].builtinOptions.newShape = np.array([-1, 192], np.int32)
    runner = Runner(write_model(model))
    runner.resize(runner.inputs[0], (2, 8, 8, 3))
    assert runner.run(np.zeros((2, 8, 8, 3), np.float32)).shape == (2, 192)


def test_a_name_for_messages() -> None:
    with pytest.raises(EdgeretrainError, match=r"^the head: ai_edge_litert .* cannot load it"):
        Runner(b"no model", name="the head")
