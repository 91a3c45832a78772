"""Where the photo enters a .tflite file, its size and the scale of its pixels, read without TensorFlow."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeretrain.backbone.source import SourceOverrides
from edgeretrain.data.scaling import Scaling, parse_scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.tflite_cut import find_entry
from edgeretrain.tflite.graph import Graph
from edgeretrain.tflite.metadata import METADATA_NAME, build_metadata
from edgeretrain.tflite.model import Model
from importers.tflite_files import SmallFile

pytest.importorskip("ai_edge_litert")

SCALED = SourceOverrides(scaling=Scaling.between(-1, 1))
Written = Callable[..., Graph]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return lambda small, *outputs: Graph(small.write(tmp_path / "net.tflite", *outputs))


# Scale.


@pytest.mark.parametrize(
    ("dtype", "quantized", "scaling"),
    [
        ("UINT8", (1 / 128, 128), "-1..0.992188"),
        ("UINT8", (2 / 255, 127), "-1..1"),
        ("INT8", (2 / 255, -1), "-1..1"),
        ("INT8", (1 / 255, -128), "0..1"),
        ("UINT8", (1.0, 0), "0..255"),
        ("UINT8", (0.0186, 114), "-2.1204..2.6226"),
        ("UINT8", None, "0..255"),
    ],
)
def test_the_scale_of_a_quantized_input(
    written: Written, dtype: str, quantized: tuple[float, int] | None, scaling: str
) -> None:
    small = SmallFile()
    photo = small.photo(dtype=dtype, quantized=quantized)
    real = small.operator("DEQUANTIZE", [photo], [small.tensor(1, 8, 8, 3)], "DequantizeOptions")
    entry = find_entry(written(small, small.classifier(real)), SourceOverrides())
    expected = parse_scaling("-1..1" if quantized == (1 / 128, 128) else scaling)  # 1/128 is -1..1, rounded
    np.testing.assert_allclose(entry.scaling.factor, expected.factor, rtol=1e-5)
    np.testing.assert_allclose(entry.scaling.offset, expected.offset, atol=1e-5)
    assert entry.given == entry.scaling
    assert entry.tensor == real


@pytest.mark.parametrize(
    ("steps", "given", "scaling"),
    [
        ((("MUL", 1 / 127.5), ("SUB", 1.0)), "0..255", "-1..1"),
        ((("DIV", 127.5), ("ADD", -1.0)), "0..255", "-1..1"),
        ((("SUB", 127.5), ("DIV", 127.5)), "0..255", "-1..1"),
        ((("MUL", 1 / 255),), "0..255", "0..1"),
        ((("SUB", [123.68, 116.78, 103.94]),), "0..255", "123.68,116.78,103.94/1,1,1"),
        (
            (("MUL", 1 / 255), ("SUB", [0.485, 0.456, 0.406]), ("DIV", [0.229, 0.224, 0.225])),
            "0..255",
            "123.675,116.28,103.53/58.395,57.12,57.375",
        ),
        ((("MUL", 2.0), ("SUB", 1.0)), "0..1", "-1..1"),
        ((("SUB", 0.5),), "0..1", "-0.5..0.5"),
    ],
)
def test_what_the_first_operators_scale(
    written: Written, steps: tuple[tuple[str, float], ...], given: str, scaling: str
) -> None:
    small = SmallFile()
    x = small.photo()
    for kind, constant in steps:
        x = small.arithmetic(kind, x, constant)
    graph = written(small, small.classifier(x))
    entry = find_entry(graph, SourceOverrides())
    assert (str(entry.given), str(entry.scaling), entry.tensor) == (given, scaling, x)
    assert graph.operators[graph.needed(graph.outputs[0], [x])[0]].kind == "CONV_2D"


def test_the_users_scale_comes_before_what_the_first_operators_do(written: Written) -> None:
    small = SmallFile()
    x = small.arithmetic("SUB", small.arithmetic("MUL", small.photo(), 1 / 127.5), 1.0)
    entry = find_entry(written(small, small.classifier(x)), SourceOverrides(scaling=parse_scaling("0..510")))
    assert (str(entry.given), str(entry.scaling)) == ("0..510", "-1..3")


@pytest.mark.parametrize(
    "build",
    [
        lambda small, x: small.arithmetic("MUL", x, -1.0),  # not a scaling of pixels
        lambda small, x: small.arithmetic("SUB", x, 1.0, first=False),
        lambda small, x: small.arithmetic("DIV", x, 0.0),
        lambda small, x: small.arithmetic("MUL", x, np.full((8, 8, 3), 0.01)),  # one for each place
        lambda small, x: small.arithmetic("MUL", x, 100.0),
    ],
)
def test_first_operators_that_say_nothing_of_the_scale(
    written: Written, build: Callable[[SmallFile, int], int]
) -> None:
    small = SmallFile()
    graph = written(small, small.classifier(build(small, small.photo())))
    with pytest.raises(
        EdgeretrainError, match=r"net\.tflite: does not say which pixel values it expects.*--scale.*-1\.\.1"
    ):
        find_entry(graph, SourceOverrides())


def test_what_is_used_twice_is_part_of_the_network(written: Written) -> None:
    """The scaled photo stays the start where only it is used; arithmetic on a branch is no scaling."""
    small = SmallFile()
    x = small.arithmetic("MUL", small.photo(), 1 / 255)
    branch = small.arithmetic("SUB", x, 0.5)
    both = small.operator("ADD", [x, branch], [small.tensor(1, 8, 8, 3)], "AddOptions")
    entry = find_entry(written(small, small.classifier(both)), SourceOverrides())
    assert (entry.tensor, str(entry.scaling)) == (x, "0..1")


def test_the_scale_in_float16(written: Written) -> None:
    """Constants are unpacked first."""
    small = SmallFile()
    half = small.constant(np.float16(1 / 255))
    real = small.operator("DEQUANTIZE", [half], [small.tensor()], "DequantizeOptions")
    x = small.operator("MUL", [small.photo(), real], [small.tensor(1, 8, 8, 3)], "MulOptions")
    entry = find_entry(written(small, small.classifier(x)), SourceOverrides())
    assert entry.tensor == x
    np.testing.assert_allclose(entry.scaling.factor[0], 1 / 255, rtol=1e-3)


def test_the_range_of_a_float_file_that_computes_in_integers(written: Written) -> None:
    small = SmallFile()
    integers = small.tensor(1, 8, 8, 3, dtype="INT8", quantized=(1.9934 / 255, -1))
    small.operator("QUANTIZE", [small.photo()], [integers], "QuantizeOptions")
    real = small.operator("DEQUANTIZE", [integers], [small.tensor(1, 8, 8, 3)], "DequantizeOptions")
    entry = find_entry(written(small, small.classifier(real)), SourceOverrides())
    assert str(entry.scaling) == "-1..1"


def test_the_scale_in_the_metadata(written: Written) -> None:
    small = SmallFile()
    scores = small.classifier(small.photo())
    metadata = build_metadata("a", "b", float_input=True, licence="MIT", version="1")  # mean 0, std 1
    Model(small.model).set_metadata(METADATA_NAME, metadata)
    entry = find_entry(written(small, scores), SourceOverrides())
    assert str(entry.scaling) == "0..255"
    assert entry.notes == ("Input: t0, 8 pixels, values 0..255 (from its metadata).",)


@pytest.mark.parametrize(
    ("quantized", "scaling", "says"),
    [
        ((1.9922, 0), "0..255", "metadata"),  # calibrated on more than the pixels' range
        ((1.0, 0), "0..255", "metadata"),
        ((2 / 255, 127), "-1..1", "quantization"),  # 0..255 in the metadata cannot be
        ((100.0, 0), "0..25500", "quantization"),
    ],
)
def test_metadata_beside_a_quantized_input(
    written: Written, quantized: tuple[float, int], scaling: str, says: str
) -> None:
    small = SmallFile()
    photo = small.photo(dtype="UINT8", quantized=quantized)
    real = small.operator("DEQUANTIZE", [photo], [small.tensor(1, 8, 8, 3)], "DequantizeOptions")
    scores = small.classifier(real)
    metadata = build_metadata("a", "b", float_input=True, licence="MIT", version="1")
    Model(small.model).set_metadata(METADATA_NAME, metadata)
    entry = find_entry(written(small, scores), SourceOverrides())
    assert str(entry.scaling) == scaling
    assert says in entry.notes[0]


# Input and size.


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((1, 28, 28, 1), "FLOAT32", r"\(float32 \[1,28,28,1\]\) is greyscale"),
        ((1, 3, 224, 224), "FLOAT32", "has the colour channels first"),
        ((1, 16000), "FLOAT32", "is not an RGB photo"),
        ((1, 64, 64, 4), "FLOAT32", "is not an RGB photo"),
        ((), "FLOAT32", "is not an RGB photo"),
        ((1, 64, 64, 3), "INT32", "neither float32 nor uint8"),
        ((1, 64, 64, 3), "INT8", "neither float32 nor uint8"),  # not quantized: what would it mean?
        ((1, 64, 48, 3), "FLOAT32", "are 48 x 64 pixels, not square"),
        ((1, -1, -1, 3), "FLOAT32", "takes photos of any size. Give --size"),
        ((1, 70000, 70000, 3), "FLOAT32", "takes photos of 70000 x 70000 pixels; at most 2048"),
    ],
)
def test_inputs_that_are_no_photo(written: Written, shape: tuple[int, ...], dtype: str, message: str) -> None:
    small = SmallFile()
    photo = small.tensor(*shape, dtype=dtype)
    small.graph.inputs.append(photo)
    output = small.operator("RELU", [photo], [small.tensor(1, 4)])
    with pytest.raises(EdgeretrainError, match=message):
        find_entry(written(small, output), SCALED)


def test_two_inputs(written: Written) -> None:
    small = SmallFile()
    photo = small.photo(name="photo")
    small.photo(1, 3, name="place")
    with pytest.raises(EdgeretrainError, match=r"has 2 inputs \(photo \(.*; place \(.*\); a backbone has one"):
        find_entry(written(small, small.classifier(photo)), SCALED)


@pytest.mark.parametrize("batch", [1, -1, 8])
@pytest.mark.parametrize("size", [None, 8])
def test_size(written: Written, batch: int, size: int | None) -> None:
    small = SmallFile()
    graph = written(small, small.classifier(small.photo(batch, 8, 8, 3)))
    assert find_entry(graph, SourceOverrides(size=size, scaling=SCALED.scaling)).size == 8
    with pytest.raises(EdgeretrainError, match=r"made for photos of 8 x 8 pixels, and its shapes are fixed.*--size"):
        find_entry(graph, SourceOverrides(size=16, scaling=SCALED.scaling))


@pytest.mark.parametrize("shape", [(-1, -1, -1, 3), (1, 40, -1, 3)])
def test_an_open_size_is_the_users(written: Written, shape: tuple[int, ...]) -> None:
    small = SmallFile()
    graph = written(small, small.classifier(small.photo(*shape)))
    assert find_entry(graph, SourceOverrides(size=40, scaling=SCALED.scaling)).size == 40


def test_input_is_for_graphs(written: Written) -> None:
    small = SmallFile()
    graph = written(small, small.classifier(small.photo()))
    with pytest.raises(EdgeretrainError, match="--input is for graphs only"):
        find_entry(graph, SourceOverrides(input="t0", scaling=SCALED.scaling))
