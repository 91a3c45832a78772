"""Where a .tflite file is cut, and which files are refused, without TensorFlow."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.garden import Run

from edgeretrain.backbone import find_backbone
from edgeretrain.backbone.source import SourceOverrides
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.tflite_cut import find_cut, find_entry
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.tflite.graph import Graph
from edgeretrain.tflite.inspect import inspect_model
from importers.tflite_files import SmallFile, litert

pytest.importorskip("ai_edge_litert")

SCALED = SourceOverrides(scaling=Scaling.between(-1, 1))


Written = Callable[..., Graph]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return lambda small, *outputs: Graph(small.write(tmp_path / "net.tflite", *outputs))


def cut_name(graph: Graph, layer: str | None = None, overrides: SourceOverrides = SCALED) -> str:
    return graph.tensors[find_cut(graph, find_entry(graph, overrides), layer).tensor].name


# Where to cut.


def test_a_classifier_is_cut_before_its_last_dense_layer(written: Written) -> None:
    small = SmallFile()
    graph = written(small, small.classifier(small.photo()))
    cut = find_cut(graph, find_entry(graph, SCALED), None)
    assert graph.tensors[cut.tensor].name == "averaged"
    assert cut.notes == ("Bottleneck: averaged (float32 [1,5]), the input of its last dense layer.",)


def test_scores_without_a_softmax(written: Written) -> None:
    small = SmallFile()
    graph = written(small, small.dense(small.averaged(small.convolution(small.photo()), name="averaged")))
    assert cut_name(graph) == "averaged"


def test_a_1_x_1_convolution_is_a_dense_layer_as_in_mobilenet_v1(written: Written) -> None:
    small = SmallFile()
    averaged = small.averaged(small.convolution(small.photo()), keep=True, name="averaged")
    inputs = [averaged, small.constant(np.ones((4, 1, 1, 5))), small.constant(np.zeros(4))]
    scores = small.operator("CONV_2D", inputs, [small.tensor(1, 1, 1, 4)], "Conv2DOptions", strideH=1, strideW=1)
    flat = small.operator("RESHAPE", [scores, small.constant([1, 4])], [small.tensor(1, 4)], "ReshapeOptions")
    assert cut_name(written(small, small.softmax(flat))) == "averaged"


def test_a_1_x_1_convolution_with_an_activation_is_a_feature_layer(written: Written) -> None:
    """MobileNet V3's feature extractors end so."""
    small = SmallFile()
    averaged = small.averaged(small.convolution(small.photo()), keep=True)
    inputs = [averaged, small.constant(np.ones((4, 1, 1, 5))), small.constant(np.zeros(4))]
    mapped = small.operator("CONV_2D", inputs, [small.tensor(1, 1, 1, 4)], "Conv2DOptions", strideH=1, strideW=1)
    features = small.operator("HARD_SWISH", [mapped], [small.tensor(1, 1, 1, 4, name="features")])
    assert cut_name(written(small, features)) == "features"


@pytest.mark.parametrize("kind", ["ADD", "MUL", "DIV"])
def test_arithmetic_and_quantization_behind_the_dense_layer(written: Written, kind: str) -> None:
    small = SmallFile()
    scores = small.dense(small.averaged(small.convolution(small.photo()), name="averaged"))
    scores = small.softmax(small.arithmetic(kind, scores, [1, 2, 3, 4], 1, 4))
    bytes_ = small.tensor(1, 4, dtype="UINT8", quantized=(1 / 256, 0))
    small.operator("QUANTIZE", [scores], [bytes_], "QuantizeOptions")
    assert cut_name(written(small, bytes_)) == "averaged"


@pytest.mark.parametrize("relu", [False, True])
def test_what_ends_in_no_dense_layer_is_a_feature_extractor(written: Written, relu: bool) -> None:
    small = SmallFile()
    features = small.averaged(small.convolution(small.photo()), name="averaged")
    graph = written(small, small.dense(features, relu=True, name="embedding") if relu else features)
    cut = find_cut(graph, find_entry(graph, SCALED), None)
    assert graph.tensors[cut.tensor].name == ("embedding" if relu else "averaged")
    assert "no dense layer at its end" in cut.notes[0]


def test_a_dense_layer_before_the_last_one_is_told(written: Written) -> None:
    """As in Teachable Machine's networks: the bottleneck was trained for the classes."""
    small = SmallFile()
    hidden = small.dense(small.averaged(small.convolution(small.photo()), name="averaged"), relu=True, name="hidden")
    graph = written(small, small.softmax(small.dense(hidden, inputs=4)))
    cut = find_cut(graph, find_entry(graph, SCALED), None)
    assert graph.tensors[cut.tensor].name == "hidden"
    assert cut.notes[1].endswith("--layer=averaged")
    assert cut_name(graph, "averaged") == "averaged"


def test_dense_layers_that_nothing_separates_are_one(written: Written) -> None:
    """As TensorFlow for Poets left them: its own layer on ImageNet's scores, without their softmax."""
    small = SmallFile()
    scores = small.dense(small.averaged(small.convolution(small.photo()), name="averaged"))
    graph = written(small, small.softmax(small.dense(scores, inputs=4)))
    cut = find_cut(graph, find_entry(graph, SCALED), None)
    assert graph.tensors[cut.tensor].name == "averaged"
    assert "its last 2 dense layers" in cut.notes[0]


def test_class_scores_as_features_stay_when_a_softmax_made_them(written: Written) -> None:
    small = SmallFile()
    scores = small.dense(small.averaged(small.convolution(small.photo())))
    probabilities = small.softmax(scores)
    graph = written(small, small.softmax(small.dense(probabilities, inputs=4)))
    assert cut_name(graph) == graph.tensors[probabilities].name


def test_scores_that_no_dense_layer_makes_are_no_bottleneck(written: Written) -> None:
    small = SmallFile()
    graph = written(small, small.softmax(small.averaged(small.convolution(small.photo())), outputs=5))
    with pytest.raises(
        EdgeretrainError, match=r"net\.tflite: ends in SOFTMAX, but not after a dense layer \(but after ME"
    ):
        cut_name(graph)
    assert cut_name(graph, "t4") == "t4"


def test_several_outputs_are_listed(written: Written) -> None:
    small = SmallFile()
    mapped = small.convolution(small.photo(), name="boxes")
    graph = written(small, mapped, small.averaged(mapped, name="averaged"))
    message = r"has 2 outputs.*\(boxes \(float32 \[1,8,8,5\]\); averaged \(float32 \[1,5\]\)\).*detector.*--layer"
    with pytest.raises(EdgeretrainError, match=message):
        cut_name(graph)
    assert cut_name(graph, "boxes") == "boxes"


def test_an_output_that_is_no_matter_of_the_photo(written: Written) -> None:
    small = SmallFile()
    small.classifier(small.photo())
    graph = written(small, small.constant([[1.0, 2.0]], name="fixed"))
    with pytest.raises(EdgeretrainError, match=r"its output fixed \(.*\) does not depend on the photo"):
        cut_name(graph)


def test_a_layer_by_one_of_its_joined_names(written: Written) -> None:
    small = SmallFile()
    photo = small.photo()
    first = small.convolution(photo, name="block/relu;block/bn;block/conv")
    graph = written(small, small.averaged(first, name="top;block/bn2"))
    assert cut_name(graph, "block/bn") == "block/relu;block/bn;block/conv"
    assert cut_name(graph, "top;block/bn2") == "top;block/bn2"


def test_a_joined_name_of_two_layers(written: Written) -> None:
    small = SmallFile()
    graph = written(small, small.averaged(small.convolution(small.photo(), name="a;both"), name="b;both"))
    with pytest.raises(EdgeretrainError, match=r"--layer both may be any of a;both \(.*; b;both \("):
        cut_name(graph, "both")


@pytest.mark.parametrize(
    ("layer", "hint"),
    [
        ("averagd", "The nearest are averaged"),
        ("xyz", "edgeretrain inspect"),
        ("t0", "computes no tensor"),  # the photo itself
        ("t1", "computes no tensor"),  # weights
        ("", "computes no tensor"),
    ],
)
def test_a_layer_that_is_not_there(written: Written, layer: str, hint: str) -> None:
    small = SmallFile()
    graph = written(small, small.classifier(small.photo()))
    with pytest.raises(EdgeretrainError, match=f"computes no tensor called '{layer}'.*") as raised:
        cut_name(graph, layer)
    assert hint in str(raised.value)


def test_what_the_cut_needs(written: Written) -> None:
    """The operators of a cut network give, run alone, what they give in the whole one."""
    small = SmallFile()
    photo = small.photo()
    averaged = small.averaged(small.convolution(photo), name="averaged")
    graph = written(small, small.softmax(small.dense(averaged)), averaged)
    operators = graph.needed(averaged, [photo])
    assert [graph.operators[number].kind for number in operators] == ["CONV_2D", "MEAN"]
    assert graph.parameters(operators) == 5 * 3 * 3 * 3 + 5
    alone = graph.path.with_name("alone.tflite")
    alone.write_bytes(graph.cut(operators, averaged))
    pixels = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)
    (cut,) = litert(alone, pixels)
    assert np.array_equal(cut, litert(graph.path, pixels)[1])
    assert np.ptp(cut) > 0.1


# Files.


@pytest.mark.parametrize("precision", PRECISIONS)
def test_our_own_models_are_cut_where_their_head_begins(run: Run, precision: Precision) -> None:
    graph = Graph(run.model(precision))
    entry = find_entry(graph, SourceOverrides())
    cut = find_cut(graph, entry, None)
    assert entry.size == 224
    expected = "-1..0.999969" if precision == "float16" else "-1..1"
    assert str(entry.scaling) == expected
    own = inspect_model(find_backbone("mobilenet_v2_100_224", precision).path)
    assert graph.tensors[cut.tensor].name == own["outputs"][0]["name"]
    assert graph.parameters(graph.needed(cut.tensor, graph.inputs)) == own["parameters"]


def test_a_bundle(tmp_path: Path) -> None:
    path = tmp_path / "bundle.tflite"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("detector.tflite", b"TFL3")
    with pytest.raises(EdgeretrainError, match=r"bundle\.tflite: is a zip archive.*unzip bundle\.tflite"):
        Graph(path)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x1c\0\0\0TFL3"])
def test_no_tflite_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(content)
    with pytest.raises(EdgeretrainError, match=re.escape(str(path))):
        Graph(path)


def test_sparse_and_packed_weights_are_named(tmp_path: Path) -> None:
    small = SmallFile()
    weights = small.constant(np.zeros(4, np.int8), name="weights")
    small.graph.tensors[weights].type = 17  # INT4
    path = small.write(tmp_path / "int4.tflite", small.photo())
    with pytest.raises(EdgeretrainError, match=r"int4\.tflite: its constant weights is INT4"):
        Graph(path)


def test_damage_is_told(tmp_path: Path) -> None:
    """Bytes changed at random, and files cut off: read, or refused in one line."""
    small = SmallFile()
    whole = small.write(tmp_path / "whole.tflite", small.classifier(small.photo())).read_bytes()
    random = np.random.default_rng(0)
    path = tmp_path / "damaged.tflite"
    refused = 0
    for number in range(150):
        damaged = bytearray(whole[: random.integers(8, len(whole))] if number % 3 == 0 else whole)
        for place in random.integers(8, len(damaged), 4):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            graph = Graph(path)
            cut = find_cut(graph, find_entry(graph, SCALED), None)
            graph.needed(cut.tensor, graph.inputs)
        except EdgeretrainError as error:
            refused += str(path) in str(error)
            assert "\n" not in str(error)
    assert refused > 50
