"""A backbone's variant: its bottleneck is the backbone's own and the averages of inner layers, and it ships as any."""

import hashlib
import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from importers.tflite_files import SmallFile

from edgeretrain.backbone import Backbone, find_backbone
from edgeretrain.backbone.artifact import read_backbone
from edgeretrain.backbone.multi_layer import Variant, inner_layers, make_variant
from edgeretrain.data.pixels import load_pixels
from edgeretrain.errors import EdgeretrainError
from edgeretrain.head.softmax import Head
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.tflite.classifier_file import write_classifier
from edgeretrain.tflite.flatbuffer import write_model
from edgeretrain.tflite.model import Model
from edgeretrain.tflite.runtime import Network, Runner
from edgeretrain.tflite.ungraft import HeadModel, cut_backbone

pytest.importorskip("ai_edge_litert")
PRESET = "mobilenet_v2_100_224"
CARD = {"preset": PRESET, "backbone": {}}


@pytest.fixture(scope="module")
def pixels(textures: Path) -> list[npt.NDArray[np.uint8]]:
    return [load_pixels(path, 224) for path in sorted(textures.rglob("*.*"))[::9]]


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory) -> dict[Precision, Variant]:
    folder = tmp_path_factory.mktemp("variants")
    return {precision: make_variant(find_backbone(PRESET, precision), folder) for precision in PRECISIONS}


def small(model: bytes, folder: Path, precision: Precision = "float32") -> Backbone:
    """A backbone file of the user's own."""
    path = folder / "own.tflite"
    path.write_bytes(model)
    return Backbone(path, "own", precision, 0, {})


# What is in the bottleneck


def test_the_layers_of_mobilenet_v2() -> None:
    layers = inner_layers(Model.read(find_backbone(PRESET, "float32").path))
    assert [layer.width for layer in layers] == [960, 960, 960, 576, 576, 576, 384, 384, 384, 384, 192]
    assert [layer.stage for layer in layers] == [0] * 4 + [1] * 7
    assert {layer.side for layer in layers if layer.stage == 0} == {(7, 7)}
    assert {layer.side for layer in layers if layer.stage == 1} == {(14, 14)}
    assert layers[0].name == "backbone/mobilenetv2_1.00_224_1/block_16_depthwise_BN_1/batchnorm/sub1"


@pytest.mark.parametrize("precision", PRECISIONS)
def test_averages_of_the_inner_tensors(
    variants: dict[Precision, Variant], pixels: list[npt.NDArray[np.uint8]], precision: Precision
) -> None:
    backbone, variant = find_backbone(PRESET, precision), variants[precision]
    layers = inner_layers(Model.read(backbone.path))
    # Without delegates: they keep inner tensors to themselves.
    inside = Runner(backbone.path, delegates=False, keep_tensors=True)
    outside = Runner(variant.backbone.path, delegates=False)
    by_number = {tensor.index: tensor for tensor in inside.tensors()}
    step = outside.outputs[0].quantization.scale
    for photo in pixels[:3]:
        given = photo[None].astype(inside.inputs[0].dtype)
        own, found = inside.run(given)[0], outside.run(given)[0]
        expected = [own, *(inside.real(by_number[layer.tensor])[0].mean(axis=(0, 1)) for layer in layers)]
        assert len(found) == variant.lengths[-1] == sum(map(len, expected))
        difference = np.abs(found - np.concatenate(expected))
        assert difference.max() <= (0.55 * step if precision == "int8" else 1e-4)
        assert np.ptp(found[variant.lengths[0] :]) > 1  # or zeros would do


@pytest.mark.parametrize("precision", PRECISIONS)
def test_it_begins_with_the_backbones_own_bottleneck(
    variants: dict[Precision, Variant], pixels: list[npt.NDArray[np.uint8]], precision: Precision
) -> None:
    variant = variants[precision]
    own, found = Network(find_backbone(PRESET, precision).path), Network(variant.backbone.path)
    assert variant.exact
    assert variant.lengths == (1280, 4736, 7616)
    for photo in pixels:
        assert np.array_equal(found(photo)[:1280], own(photo))


def test_fewer_stages_are_the_beginning_of_more(
    variants: dict[Precision, Variant], pixels: list[npt.NDArray[np.uint8]], tmp_path: Path
) -> None:
    for precision, variant in variants.items():
        fewer = make_variant(find_backbone(PRESET, precision), tmp_path, stages=1)
        assert fewer.lengths == variant.lengths[:2]
        fewer_network, network = Network(fewer.backbone.path), Network(variant.backbone.path)
        for photo in pixels[:3]:
            assert np.array_equal(fewer_network(photo), network(photo)[:4736])


# A backbone like any other


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_file_and_its_card(variants: dict[Precision, Variant], tmp_path: Path, precision: Precision) -> None:
    plain, variant = find_backbone(PRESET, precision), variants[precision].backbone
    assert read_backbone(variant.path).digest == hashlib.sha256(variant.path.read_bytes()).hexdigest() != plain.digest
    changed = {"sha256", "bytes", "inner_layers"}
    assert {key: value for key, value in variant.card.items() if key not in changed} == {
        key: value for key, value in plain.card.items() if key not in changed
    }
    assert len(variant.card["inner_layers"]) == 11
    assert make_variant(plain, tmp_path).backbone.path.read_bytes() == variant.path.read_bytes()
    assert variant.path.stat().st_size < 1.03 * plain.path.stat().st_size
    before, after = Runner(plain.path), Runner(variant.path)
    assert (after.inputs, len(after.outputs)) == (before.inputs, 1)
    assert after.outputs[0].dtype == before.outputs[0].dtype


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_seam_is_found_again(
    variants: dict[Precision, Variant], pixels: list[npt.NDArray[np.uint8]], tmp_path: Path, precision: Precision
) -> None:
    variant = variants[precision]
    network = Network(variant.backbone.path)
    bottlenecks = np.stack([network(photo) for photo in pixels])
    random = np.random.default_rng(0)
    head = Head(
        random.normal(0, 0.05, (variant.lengths[-1], 3)).astype(np.float32), random.normal(0, 1, 3).astype(np.float32)
    )
    model = tmp_path / "model.tflite"
    model.write_bytes(
        write_classifier(variant.backbone.path, head, precision, bottlenecks, labels=("a", "b", "c"), card=CARD)
    )
    cut = Network(cut_backbone(model))
    assert np.array_equal(np.stack([cut(photo) for photo in pixels]), bottlenecks)
    whole = Network(model)
    expected = np.stack([whole(photo) for photo in pixels])
    assert np.array_equal(HeadModel(model)(bottlenecks), expected)
    assert (expected.max(axis=1) > 0.34).all()
    again = tmp_path / "again.tflite"
    (tmp_path / "cut.tflite").write_bytes(cut_backbone(model))
    again.write_bytes(
        write_classifier(tmp_path / "cut.tflite", head, precision, bottlenecks, labels=("a", "b", "c"), card=CARD)
    )
    assert again.read_bytes() == model.read_bytes()


# Other networks


def convolutions(
    *sides: int, kind: str = "CONV_2D", pooled: bool = True, activation: str = "", vector: bool = True
) -> bytes:
    """A network of convolutions of 3, 4, 5 ... channels, each strided where the side halves, and an average."""
    file = SmallFile()
    random = np.random.default_rng(0)
    tensor = file.photo(1, sides[0], sides[0], 3)
    for number, (before, after) in enumerate(itertools.pairwise(sides)):
        inputs, outputs = 3 + number, 4 + number
        weights = file.constant(random.normal(0, 0.5, (outputs, 1, 1, inputs)).astype(np.float32))
        bias = file.constant(np.zeros(outputs, np.float32))
        stride = before // after
        tensor = file.operator(
            kind,
            [tensor, weights, bias],
            [file.tensor(1, after, after, outputs)],
            "Conv2DOptions",
            strideH=stride,
            strideW=stride,
        )
        if activation:
            tensor = file.operator(activation, [tensor], [file.tensor(1, after, after, outputs)])
    channels = 3 + len(sides) - 1
    if pooled:
        axes = file.constant(np.array([1, 2], np.int32))
        shape = (1, channels) if vector else (1, 1, 1, channels)
        tensor = file.operator("MEAN", [tensor, axes], [file.tensor(*shape)], "ReducerOptions", keepDims=not vector)
    file.graph.outputs = [tensor]
    return write_model(file.model)


@pytest.mark.parametrize("vector", [True, False])
def test_plain_convolutions(tmp_path: Path, vector: bool) -> None:
    variant = make_variant(small(convolutions(16, 8, 8, 4, 4, vector=vector), tmp_path), tmp_path / "made")
    # Maps: 4 and 5 channels of 8 x 8; 6 and 7 of 4 x 4, of which the last is the bottleneck already.
    assert variant.lengths == (7, 13, 22)
    assert variant.backbone.card.keys() == {"inner_layers"}
    photo = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    plain, found = Network(tmp_path / "own.tflite"), Network(variant.backbone.path)
    assert found.runner.outputs[0].shape == (1, 22)
    assert np.allclose(found(photo)[:7], plain(photo), rtol=1e-6)


def test_the_activation_behind_a_convolution_is_taken(tmp_path: Path) -> None:
    backbone = small(convolutions(16, 8, 4, 4, activation="RELU"), tmp_path)
    model = Model.read(backbone.path)
    kinds = {int(operator.outputs[0]): model.kind(operator) for operator in model.operators}
    layers = inner_layers(model)
    assert [layer.width for layer in layers] == [5, 4]
    assert {kinds[layer.tensor] for layer in layers} == {"RELU"}


def test_of_a_long_stage_some_layers_spread_over_it(tmp_path: Path) -> None:
    layers = inner_layers(Model.read(small(convolutions(16, *[8] * 30, 4), tmp_path).path))
    widths = [layer.width for layer in layers]
    assert len(widths) == 8
    assert (widths[0], widths[-1]) == (33, 4)
    assert set(np.diff(widths)) <= {-4, -5}


def test_nothing_to_take(tmp_path: Path) -> None:
    file = SmallFile()
    photo = file.photo(1, 4, 4, 3)
    shape = file.constant(np.array([1, 48], np.int32))
    flat = file.operator("RESHAPE", [photo, shape], [file.tensor(1, 48)])
    weights = file.constant(np.ones((6, 48), np.float32))
    dense = file.operator("FULLY_CONNECTED", [flat, weights, -1], [file.tensor(1, 6)], "FullyConnectedOptions")
    file.graph.outputs = [dense]
    backbone = small(write_model(file.model), tmp_path)
    with pytest.raises(EdgeretrainError, match=r"no inner layer.*Use --bottleneck features"):
        make_variant(backbone, tmp_path / "made")


def test_only_the_layer_of_the_bottleneck_itself(tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match="no inner layer"):
        make_variant(small(convolutions(16, 8), tmp_path), tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_layers_of_another_range_share_a_wider_scale(tmp_path: Path) -> None:
    """An int8 network whose inner map has negative numbers, which its bottleneck's range does not."""
    file = SmallFile()
    photo = file.photo(1, 8, 8, 3, dtype="INT8", quantized=(1 / 128, 0))
    random = np.random.default_rng(0)

    def convolution(tensor: int, inputs: int, outputs: int, side: int, quantized: tuple[float, int], act: int) -> int:
        weights = file.constant(
            random.integers(-127, 128, (outputs, 1, 1, inputs)).astype(np.int8), quantized=(0.01, 0)
        )
        bias = file.constant(np.zeros(outputs, np.int32), quantized=(0.01 / 128, 0))
        made = file.tensor(1, 8, 8, outputs, dtype="INT8", quantized=quantized)
        return file.operator(
            "CONV_2D",
            [tensor, weights, bias],
            [made],
            "Conv2DOptions",
            strideH=1,
            strideW=1,
            fusedActivationFunction=act,
        )

    inner = convolution(photo, 3, 4, 8, (0.02, 0), 0)
    last = convolution(inner, 4, 5, 8, (0.02, -128), 1)
    axes = file.constant(np.array([1, 2], np.int32))
    mean = file.operator(
        "MEAN", [last, axes], [file.tensor(1, 5, dtype="INT8", quantized=(0.01, -128))], "ReducerOptions"
    )
    for code in file.model.operatorCodes:
        code.version = 2 if code.builtinCode == file.model.operatorCodes[-1].builtinCode else 3
    file.graph.outputs = [mean]
    backbone = small(write_model(file.model), tmp_path, "int8")
    variant = make_variant(backbone, tmp_path / "made")
    assert not variant.exact
    inside = Runner(backbone.path, delegates=False, keep_tensors=True)
    found = Runner(variant.backbone.path)
    pixels = random.integers(-128, 128, (1, 8, 8, 3)).astype(np.int8)
    own, all_numbers = inside.run(pixels)[0], found.run(pixels)[0]
    average = inside.real({tensor.index: tensor for tensor in inside.tensors()}[inner])[0].mean(axis=(0, 1))
    step = found.outputs[0].quantization.scale
    assert average.min() < -step
    assert np.abs(all_numbers - np.concatenate([own, average])).max() <= 0.6 * step
