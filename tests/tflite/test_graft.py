"""The appended head against NumPy: probabilities, integers, operator versions, and the backbone's own bytes."""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgeretrain.backbone import find_backbone
from edgeretrain.data.photos import find_photos
from edgeretrain.data.pixels import load_pixels
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.extract import Column, Extractor
from edgeretrain.head.logistic import fit_logistic
from edgeretrain.head.softmax import Head, softmax
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.tflite.flatbuffer import read_model, schema, write_model
from edgeretrain.tflite.graft import _logits_quantization, append_head
from edgeretrain.tflite.runtime import Network

interpreter_module = pytest.importorskip("ai_edge_litert.interpreter")
PRESET = "mobilenet_v2_100_224"


@dataclass(frozen=True)
class Case:
    """A backbone, the bottlenecks and pixels of some photos, and a head fitted on the former."""

    backbone: Path
    bottlenecks: npt.NDArray[np.float32]
    pixels: list[npt.NDArray[np.uint8]]
    head: Head
    model: bytes


@pytest.fixture(scope="module")
def cases(textures: Path, cache: Path) -> dict[Precision, Case]:
    photo_set = find_photos(textures)
    labels = np.array([photo_set.labels.index(photo.label) for photo in photo_set.photos])
    pixels = [load_pixels(photo.path, 224) for photo in photo_set.photos[::3]]
    made = {}
    for precision in PRECISIONS:
        backbone = find_backbone(PRESET, precision)
        values = Extractor("squash", cache).features(photo_set.photos, Column(backbone))
        head = fit_logistic(values, labels, np.arange(len(labels)), 3, l2=0.01)
        model = append_head(backbone.path, head, precision, values).write()
        made[precision] = Case(backbone.path, values[::3], pixels, head, model)
    return made


def outputs(case: Case) -> npt.NDArray[np.float32]:
    network = Network(case.model)
    return np.stack([network(one) for one in case.pixels])


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-6), ("float16", 1e-3), ("dynamic", 0.05), ("int8", 0.06)]
)
def test_the_file_is_backbone_and_head(cases: dict[Precision, Case], precision: Precision, tolerance: float) -> None:
    case = cases[precision]
    found, expected = outputs(case), case.head.probabilities(case.bottlenecks)
    assert found.shape == (24, 3)
    assert np.abs(found - expected).max() < tolerance
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 23 / 24
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5 if precision != "int8" else 3 / 256)
    assert np.ptp(expected[:, 0]) > 0.9  # or any file would do


def test_dynamic_is_backbone_and_rounded_weights(cases: dict[Precision, Case]) -> None:
    """The runtime rounds the bottleneck to 8 bits too: 1 in 254 of its largest number."""
    case = cases["dynamic"]
    step = np.abs(case.head.weights).max() / 127
    weights = np.rint(case.head.weights / step) * step
    steps = np.abs(case.bottlenecks).max(axis=1, keepdims=True) / 127
    bottlenecks = np.rint(case.bottlenecks / steps) * steps
    expected = softmax(bottlenecks @ weights + case.head.bias)
    assert np.abs(outputs(case) - expected).max() < 2e-3


def test_int8_is_the_integer_arithmetic_of_the_specification(cases: dict[Precision, Case]) -> None:
    """FULLY_CONNECTED and SOFTMAX in Python's integers, on the very int8 bottlenecks that the runtime has."""
    case = cases["int8"]
    model = schema().ModelT.InitFromPackedBuf(case.model, 0)
    tensors = model.subgraphs[0].tensors
    index = {tensor.name.decode(): number for number, tensor in enumerate(tensors)}
    connected = next(
        operator
        for operator in model.subgraphs[0].operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode == schema().BuiltinOperator.FULLY_CONNECTED
    )
    features, weights, bias = (tensors[number] for number in connected.inputs)
    logits = tensors[connected.outputs[0]]
    (weight_scale,), (feature_scale,) = weights.quantization.scale, features.quantization.scale
    (logit_scale,), (logit_zero,) = logits.quantization.scale, logits.quantization.zeroPoint
    (zero,) = features.quantization.zeroPoint
    assert bias.quantization.scale[0] == pytest.approx(feature_scale * weight_scale, rel=1e-6)
    assert weights.quantization.zeroPoint[0] == bias.quantization.zeroPoint[0] == 0
    matrix = model.buffers[weights.buffer].data.view(np.int8).reshape(weights.shape).astype(np.int64)
    offsets = model.buffers[bias.buffer].data.view(np.int32).astype(np.int64)
    assert np.abs(matrix).max() == 127

    interpreter = interpreter_module.Interpreter(
        model_content=case.model,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=interpreter_module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    for pixels in case.pixels:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels[None])
        interpreter.invoke()
        bottleneck = interpreter.get_tensor(int(connected.inputs[0]))[0].astype(np.int64)
        sums = (bottleneck - zero) @ matrix.T + offsets
        expected = np.rint(sums * (float(feature_scale) * float(weight_scale) / float(logit_scale))) + logit_zero
        found = interpreter.get_tensor(index["head/logits"])[0].astype(np.int64)
        assert np.abs(found - expected.clip(-128, 127)).max() <= 1
        probabilities = softmax((found - logit_zero) * float(logit_scale))
        given = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        assert given.dtype == np.uint8
        assert np.abs(given - (probabilities * 256).clip(0, 255)).max() <= 1


def codes(model: Any) -> list[tuple[str, int]]:
    names = {value: name for name, value in vars(schema().BuiltinOperator).items() if isinstance(value, int)}
    return [(names[code.builtinCode], code.version) for code in model.operatorCodes]


@pytest.mark.parametrize(
    ("precision", "added"),
    [
        ("float32", [("FULLY_CONNECTED", 1), ("SOFTMAX", 1)]),
        ("float16", [("DEQUANTIZE", 3), ("FULLY_CONNECTED", 1), ("SOFTMAX", 1)]),
        ("dynamic", [("FULLY_CONNECTED", 3), ("SOFTMAX", 1)]),
        ("int8", [("FULLY_CONNECTED", 4), ("SOFTMAX", 2), ("QUANTIZE", 1)]),
    ],
)
def test_operator_versions_are_the_oldest_that_do(
    cases: dict[Precision, Case], precision: Precision, added: list[tuple[str, int]]
) -> None:
    case = cases[precision]
    model, backbone = schema().ModelT.InitFromPackedBuf(case.model, 0), read_model(case.backbone)
    assert codes(model)[: len(codes(backbone))] == codes(backbone)
    count = len(backbone.subgraphs[0].operators)
    appended = model.subgraphs[0].operators[count:]
    assert [codes(model)[operator.opcodeIndex] for operator in appended] == added
    assert set(codes(model)) == set(codes(backbone)) | set(added)
    assert len(set(codes(model))) == len(codes(model))
    for code in model.operatorCodes:
        assert code.deprecatedBuiltinCode == min(code.builtinCode, 127)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_backbone_stays_as_it_is(cases: dict[Precision, Case], precision: Precision) -> None:
    case = cases[precision]
    model, backbone = schema().ModelT.InitFromPackedBuf(case.model, 0), read_model(case.backbone)
    searched = 0
    for before, after in zip(backbone.buffers, model.buffers, strict=False):
        assert (before.data is None) == (after.data is None)
        if before.data is not None:
            assert before.data.tobytes() == after.data.tobytes()
            if len(before.data) > 1000:
                assert before.data.tobytes() in case.model
                searched += 1
    assert searched > 30
    for before, after in zip(backbone.subgraphs[0].tensors, model.subgraphs[0].tensors, strict=False):
        assert (before.name, before.type, before.buffer) == (after.name, after.type, after.buffer)
        assert np.array_equal(before.shape, after.shape)
        if before.quantization is not None and before.quantization.scale is not None:
            assert np.array_equal(before.quantization.scale, after.quantization.scale)
    for before, after in zip(backbone.subgraphs[0].operators, model.subgraphs[0].operators, strict=False):
        assert before.opcodeIndex == after.opcodeIndex
        assert np.array_equal(before.inputs, after.inputs) and np.array_equal(before.outputs, after.outputs)


def test_signatures_lead_to_the_probabilities(cases: dict[Precision, Case], tmp_path: Path) -> None:
    case = cases["float32"]
    model = read_model(case.backbone)
    graph = model.subgraphs[0]
    signature = schema().SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs = [schema().TensorMapT()], [schema().TensorMapT()]
    signature.inputs[0].name, signature.inputs[0].tensorIndex = "photo", int(graph.inputs[0])
    signature.outputs[0].name, signature.outputs[0].tensorIndex = "bottleneck", int(graph.outputs[0])
    model.signatureDefs = [signature]
    path = tmp_path / "signed.tflite"
    path.write_bytes(write_model(model))
    content = append_head(path, case.head, "float32", case.bottlenecks).write()
    runner = interpreter_module.Interpreter(model_content=content).get_signature_runner("serving_default")
    found = runner(photo=case.pixels[0].astype(np.float32)[None])
    assert list(found) == ["probabilities"]
    assert np.allclose(found["probabilities"], outputs(case)[0], atol=1e-6)


def test_rounding_the_weights_does_not_shift_the_mean_logits(cases: dict[Precision, Case]) -> None:
    """int8: what the rounded weights add to the mean logit of the training photos is taken off the bias."""
    case = cases["int8"]
    model = schema().ModelT.InitFromPackedBuf(
        append_head(case.backbone, case.head, "int8", case.bottlenecks).write(), 0
    )
    named = {tensor.name.decode(): tensor for tensor in model.subgraphs[0].tensors}
    stored, offset = named["head/weights"], named["head/bias"]
    weights = model.buffers[stored.buffer].data.view(np.int8).reshape(stored.shape) * stored.quantization.scale[0]
    bias = model.buffers[offset.buffer].data.view(np.int32) * offset.quantization.scale[0]
    shift = (case.bottlenecks @ weights.T + bias - case.bottlenecks @ case.head.weights - case.head.bias).mean(axis=0)
    assert np.abs(shift).max() < 2 * offset.quantization.scale[0]
    uncorrected = (case.bottlenecks @ (weights.T - case.head.weights)).mean(axis=0)
    assert np.abs(uncorrected).max() > 10 * np.abs(shift).max()  # or there was nothing to correct


@pytest.mark.parametrize("classes", [2, 5, 100, 1000])
def test_clipping_the_logits_changes_no_probability_by_more_than_two_steps(classes: int) -> None:
    """Rounding aside: what the int8 range cuts off may not count. Also with many classes far below the best."""
    random = np.random.default_rng(classes)
    spread = random.normal(0, 4, (300, classes))
    cliff = np.full((50, classes), -40.0)
    cliff[np.arange(50), random.integers(0, classes, 50)] = random.uniform(0, 12, 50)
    for logits in (spread, cliff, np.concatenate([spread, cliff]), spread * 0.01):
        quantization = _logits_quantization(logits)
        assert -128 <= quantization.zero_point <= 127
        low = (-128 - quantization.zero_point) * quantization.scale
        high = (127 - quantization.zero_point) * quantization.scale
        assert high >= logits.max() - quantization.scale
        assert np.abs(softmax(logits.clip(low, high)) - softmax(logits)).max() <= 2 / 256
    assert _logits_quantization(cliff).scale < 40 / 255  # else nothing was cut off


@pytest.mark.parametrize("value", [0.0, 3.0, -3.0])
def test_logits_that_are_all_the_same(value: float) -> None:
    quantization = _logits_quantization(np.full((4, 3), value))
    assert quantization.scale > 0 and -128 <= quantization.zero_point <= 127
    integer = np.clip(round(value / quantization.scale) + quantization.zero_point, -128, 127)
    assert (integer - quantization.zero_point) * quantization.scale == pytest.approx(value, abs=quantization.scale)


def test_a_head_of_zeros_gives_every_class_the_same(cases: dict[Precision, Case]) -> None:
    for precision, case in cases.items():
        nothing = Head(np.zeros((1280, 4), np.float32), np.zeros(4, np.float32))
        network = Network(append_head(case.backbone, nothing, precision, case.bottlenecks).write())
        assert np.allclose(network(case.pixels[0]), 0.25)


# Refusals


def altered(case: Case, path: Path, **changes: Any) -> Path:
    model = read_model(case.backbone)
    for name, value in changes.items():
        setattr(model.subgraphs[0], name, value)
    path.write_bytes(write_model(model))
    return path


def refusal(backbone: Path, head: Head, precision: Precision, bottlenecks: npt.NDArray[np.float32]) -> str:
    with pytest.raises(EdgeretrainError) as caught:
        append_head(backbone, head, precision, bottlenecks)
    message = str(caught.value)
    assert message.startswith(f"{backbone}: ") and "\n" not in message
    return message


def test_a_backbone_with_two_outputs_or_two_inputs(cases: dict[Precision, Case], tmp_path: Path) -> None:
    case = cases["float32"]
    graph = read_model(case.backbone).subgraphs[0]
    two = altered(case, tmp_path / "two.tflite", outputs=np.array([graph.outputs[0], 5], np.int32))
    assert "this model has 1 and 2" in refusal(two, case.head, "float32", case.bottlenecks)
    more = altered(case, tmp_path / "more.tflite", inputs=np.array([graph.inputs[0], 5], np.int32))
    assert "this model has 2 and 1" in refusal(more, case.head, "float32", case.bottlenecks)


def test_a_bottleneck_of_another_length(cases: dict[Precision, Case]) -> None:
    for precision, case in cases.items():
        short = Head(case.head.weights[:1000], case.head.bias)
        kind = "int8" if precision == "int8" else "float32"
        message = refusal(case.backbone, short, precision, case.bottlenecks[:, :1000])
        assert f"its output is not {kind} [1, 1000]" in message


def test_a_backbone_of_another_precision(cases: dict[Precision, Case]) -> None:
    integer, real = cases["int8"], cases["float32"]
    assert "not float32 [1, 1280]" in refusal(integer.backbone, real.head, "float32", real.bottlenecks)
    assert "not int8 [1, 1280]" in refusal(real.backbone, integer.head, "int8", integer.bottlenecks)


def test_a_backbone_without_a_graph(cases: dict[Precision, Case], tmp_path: Path) -> None:
    model = read_model(cases["float32"].backbone)
    model.subgraphs = []
    path = tmp_path / "empty.tflite"
    path.write_bytes(write_model(model))
    case = cases["float32"]
    assert "damaged" in refusal(path, case.head, "float32", case.bottlenecks)


# The same bytes

APPEND = f"""
import hashlib, sys, numpy as np
from edgeretrain.backbone import find_backbone
from edgeretrain.head.softmax import Head
from edgeretrain.tflite.graft import append_head
random = np.random.default_rng(0)
head = Head(random.normal(0, 0.1, (1280, 7)).astype(np.float32), random.normal(0, 1, 7).astype(np.float32))
values = random.uniform(0, 6, (900, 1280)).astype(np.float32)
for precision in {list(PRECISIONS)}:
    model = append_head(find_backbone({PRESET!r}, precision).path, head, precision, values)
    print(hashlib.sha256(model.write()).hexdigest())
"""


def test_same_bytes_whatever_the_number_of_blas_threads() -> None:
    found = []
    for threads in ("1", "4"):
        environment = os.environ | dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), threads)
        done = subprocess.run(
            [sys.executable, "-c", APPEND], env=environment, capture_output=True, text=True, check=True
        )
        found.append(done.stdout.split())
    assert found[0] == found[1]
    assert len(set(found[0])) == 4


def test_same_bytes_twice(cases: dict[Precision, Case]) -> None:
    for precision, case in cases.items():
        made = {
            hashlib.sha256(append_head(case.backbone, case.head, precision, case.bottlenecks).write()).hexdigest()
            for _ in range(2)
        }
        assert len(made) == 1
