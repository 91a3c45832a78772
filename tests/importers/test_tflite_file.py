"""Backbones from .tflite files: what is made of whole networks, beside what TensorFlow's own interpreter gives."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.plain import retrain

from edgeretrain.backbone import find_backbone
from edgeretrain.backbone.build import run_source
from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.backbone.source import BackboneSource, SourceOverrides
from edgeretrain.data.photos import find_photos
from edgeretrain.data.pixels import load_pixels
from edgeretrain.data.scaling import Scaling, parse_scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.head.logistic import fit_logistic
from edgeretrain.importers.build import build_from_source
from edgeretrain.importers.sources import open_source
from edgeretrain.importers.tflite_file import open_tflite_file
from edgeretrain.precision import Precision
from edgeretrain.tflite import to_tensorflow as tflite_operators
from edgeretrain.tflite.classifier_file import write_classifier
from edgeretrain.tflite.flatbuffer import read_model, schema, write_model
from edgeretrain.tflite.inspect import inspect_model
from importers.tflite_files import Interpreted, Pixels, SmallFile, alike, furthest, noise

SCALING = Scaling.between(-1, 1)
MINUS_ONE_TO_ONE = SourceOverrides(scaling=SCALING)

QUICK, SLOW = pytest.mark.tensorflow, pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def tensorflow() -> Any:
    return pytest.importorskip("tensorflow")


def photos(size: int, count: int) -> Pixels:
    """Real photos of trashnet, of all classes."""
    if "EDGERETRAIN_PHOTOS" not in os.environ:
        pytest.skip("EDGERETRAIN_PHOTOS is not set")
    found = find_photos(Path(os.environ["EDGERETRAIN_PHOTOS"], "trashnet")).photos
    return np.stack([load_pixels(one.path, size) for one in found[:: len(found) // count][:count]])


# Our own files.


@pytest.mark.parametrize(
    ("preset", "precision"),
    [
        pytest.param("mobilenet_v2_100_224", "float32", marks=QUICK),
        pytest.param("mobilenet_v2_100_224", "float16", marks=SLOW),
        pytest.param("mobilenet_v2_100_224", "dynamic", marks=SLOW),
        pytest.param("mobilenet_v2_100_224", "int8", marks=SLOW),
        pytest.param("mobilenet_v1_100_224", "float32", marks=SLOW),
        pytest.param("mobilenet_v1_100_224", "int8", marks=QUICK),
    ],
)
def test_a_feature_extractor(preset: str, precision: Precision) -> None:
    path = find_backbone(preset, precision, build=False).path
    source = open_source(str(path), SourceOverrides())
    pixels = noise(224)
    actual, expected = run_source(source, pixels), Interpreted(path)(pixels, Scaling.between(0, 255))
    if precision in ("float32", "float16"):
        assert furthest(actual, expected) < 1e-4
        assert not any("integers" in line or "int8" in line for line in source.notes)
    else:
        assert alike(actual, expected) > 0.98
        assert "rounding" in source.notes[-1]
    assert source.card["source"]["kind"] == "TFLite file"
    assert source.card["source"]["scale"] == ("-1..1" if precision == "int8" else "0..255")
    assert (source.size, source.scaling.uniform) == (224, True)
    np.testing.assert_allclose(source.scaling(np.array([0, 255], np.uint8)), [-1, 1], atol=1e-4)


@QUICK
def test_a_finished_model_gives_the_backbone_that_it_was_made_from(tmp_path: Path) -> None:
    backbone = find_backbone("mobilenet_v1_100_224", "float32", build=False).path
    pixels = noise(224)
    bottlenecks = bottlenecks_of(backbone.read_bytes(), pixels)
    head = fit_logistic(bottlenecks, np.arange(2), np.arange(2), 2, l2=1.0)
    card = {"preset": "x", "backbone": {}}
    model = tmp_path / "model.tflite"
    model.write_bytes(write_classifier(backbone, head, "float32", bottlenecks, labels=["a", "b"], card=card))
    source = open_tflite_file(model, SourceOverrides())
    assert furthest(run_source(source, pixels), bottlenecks) < 1e-4
    assert source.card["source"]["layer"] == "bottleneck"


# A classifier of others: MobileNet V1 0.25 128 with its ImageNet classifier, as the converter writes it.


@pytest.fixture(scope="module")
def keras_classifier() -> Any:
    import tensorflow as tf

    if "EDGERETRAIN_WEIGHTS" not in os.environ:
        pytest.skip("EDGERETRAIN_WEIGHTS is not set")
    weights = Path(os.environ["EDGERETRAIN_WEIGHTS"], "mobilenet_2_5_128_tf.h5")
    return tf.keras.applications.MobileNet(alpha=0.25, input_shape=(128, 128, 3), weights=str(weights))


@pytest.fixture(scope="module")
def classifier(keras_classifier: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The classifier's file in a precision; int8 takes and gives uint8, as Coral's and Teachable Machine's do."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("classifier")

    def write(precision: str) -> Path:
        path = folder / f"v1_classifier_{precision}.tflite"
        if not path.exists():
            signature = [tf.TensorSpec((1, 128, 128, 3), tf.float32)]
            function = tf.function(lambda photo: keras_classifier(photo, training=False), signature)
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
            converter.optimizations = [] if precision == "float32" else [tf.lite.Optimize.DEFAULT]
            if precision == "float16":
                converter.target_spec.supported_types = [tf.float16]
            if precision == "int8":
                seen = [[SCALING(one[None])] for one in photos(128, 30)]
                converter.representative_dataset = lambda: seen
                converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
                converter.inference_input_type = converter.inference_output_type = tf.uint8
            path.write_bytes(converter.convert())
        return path

    return write


@pytest.mark.parametrize(
    "precision",
    [
        pytest.param("float32", marks=QUICK),
        pytest.param("float16", marks=SLOW),
        pytest.param("dynamic", marks=QUICK),
        pytest.param("int8", marks=QUICK),
    ],
)
def test_a_classifier(classifier: Callable[[str], Path], keras_classifier: Any, precision: Precision) -> None:
    path, pixels = classifier(precision), photos(128, 24)
    if precision == "int8":
        source = open_tflite_file(path, SourceOverrides())  # its quantization says it
    else:
        with pytest.raises(EdgeretrainError, match=r"does not say which pixel values it expects\. Give --scale: -1"):
            open_tflite_file(path, SourceOverrides())
        source = open_tflite_file(path, MINUS_ONE_TO_ONE)
    assert str(source.scaling) == "-1..1"
    assert (source.size, source.parameters) == (128, 210_336)  # without the classifier's 257,000
    interpreted, layer = Interpreted(path), source.card["source"]["layer"]
    actual, expected = run_source(source, pixels), interpreted(pixels, source.scaling, layer)
    assert actual.shape == (24, 256)
    if precision in ("float32", "float16"):
        assert furthest(actual, expected) < 1e-4
    else:
        assert alike(actual, expected) > 0.98
    # The classifier's own last layer on these bottlenecks says what the file says.
    kernel, bias = keras_classifier.get_layer("conv_preds").get_weights()
    answers = (actual @ kernel[0, 0] + bias).argmax(axis=1)
    own = interpreted(pixels, source.scaling).argmax(axis=1)
    assert len(np.unique(own)) > 5
    assert (answers == own).sum() >= {"float32": 24, "float16": 24, "dynamic": 22, "int8": 18}[precision]


@QUICK
def test_int8_weights_without_the_rounding_of_activations(classifier: Callable[[str], Path], tmp_path: Path) -> None:
    """The same weights, unpacked to float32 in the file, give to 1e-4 what the backbone is made of."""
    path, pixels = classifier("dynamic"), photos(128, 4)
    model, types = read_model(path), schema().TensorType
    unpacked = 0
    for tensor in model.subgraphs[0].tensors:
        if tensor.type == types.INT8:
            stored = np.asarray(model.buffers[tensor.buffer].data, np.uint8).view(np.int8).reshape(tensor.shape)
            sides = [1] * len(tensor.shape)
            sides[tensor.quantization.quantizedDimension] = -1
            real = stored * np.asarray(tensor.quantization.scale, np.float32).reshape(sides)
            model.buffers[tensor.buffer].data = np.frombuffer(real.astype(np.float32).tobytes(), np.uint8)
            tensor.type, tensor.quantization = types.FLOAT32, None
            unpacked += 1
    assert unpacked > 10
    real_file = tmp_path / "real.tflite"
    real_file.write_bytes(write_model(model))
    source = open_tflite_file(path, MINUS_ONE_TO_ONE)
    expected = Interpreted(real_file)(pixels, source.scaling, source.card["source"]["layer"])
    assert furthest(run_source(source, pixels), expected) < 1e-4


@QUICK
def test_from_a_classifier_to_a_retrain(classifier: Callable[[str], Path], tmp_path: Path, cache: Path) -> None:
    path, out = classifier("float32"), cache / "backbones"
    built, found = build_from_source(
        "from_tflite", str(path), ["float32", "int8"], overrides=MINUS_ONE_TO_ONE, calibration=None, out=out
    )
    pixels = photos(128, 6)
    layer = built[0].card["source"]["layer"]
    expected = Interpreted(path)(pixels, SCALING, layer)
    assert furthest(bottlenecks_of(built[0].path.read_bytes(), pixels), expected) < 1e-4
    assert built[1].card["calibration"]["steps"] == ["depthwise rounding", "bias correction"]
    assert str(path.parent) not in str(built[0].card)
    assert layer in found[1]
    report = retrain(Path(os.environ["EDGERETRAIN_PHOTOS"], "trashnet"), tmp_path / "run", preset="from_tflite")
    for model in report["models"]:
        assert model["evaluation"]["top1"] > 0.55  # six classes


# Others.


@SLOW
def test_mobilenet_v3(tmp_path: Path) -> None:
    """Squeeze and excite, hard-swish, the scaling inside, a 1 x 1 convolution as classifier. Random weights."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)
    model = tf.keras.applications.MobileNetV3Small(input_shape=(64, 64, 3), alpha=0.75, weights=None, classes=10)
    rng = np.random.default_rng(0)
    for layer in model.layers:  # statistics that let the values through
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            count = layer.gamma.shape[0]
            layer.set_weights([rng.uniform(1, 2, count), rng.normal(size=count), np.zeros(count), np.full(count, 0.1)])
    function = tf.function(lambda photo: model(photo, training=False), [tf.TensorSpec((1, 64, 64, 3), tf.float32)])
    path = tmp_path / "v3.tflite"
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    path.write_bytes(converter.convert())
    source = open_tflite_file(path, SourceOverrides())
    kinds = {one["name"] for one in inspect_model(path)["operators"]}
    assert {"HARD_SWISH", "MEAN", "MUL", "DEPTHWISE_CONV_2D"} <= kinds
    assert (str(source.scaling), source.size) == ("-1..1", 64)
    pixels = noise(64)
    expected = Interpreted(path)(pixels, Scaling.between(0, 255), source.card["source"]["layer"])
    assert expected.shape == (2, 1024)
    assert furthest(run_source(source, pixels), expected) < 1e-4


def small_extractor(path: Path, *shape: int) -> Path:
    small = SmallFile()
    mapped = small.convolution(small.photo(*(shape or (1, 16, 16, 3))), name="map")
    return small.write(path, small.averaged(mapped, name="averaged"))


@QUICK
def test_a_feature_map_is_averaged(tmp_path: Path) -> None:
    path = small_extractor(tmp_path / "a.tflite")
    whole = open_tflite_file(path, MINUS_ONE_TO_ONE)
    mapped = open_tflite_file(path, SourceOverrides(layer="map", scaling=SCALING))
    pixels = noise(16)
    np.testing.assert_allclose(run_source(mapped, pixels), run_source(whole, pixels), rtol=1e-5, atol=1e-6)
    assert "That is a feature map: its average over 16 x 16 positions is taken." in mapped.notes


@QUICK
@pytest.mark.parametrize("shape", [(-1, -1, -1, 3), (4, 16, 16, 3)])
def test_an_open_size_and_a_batch_of_more(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = small_extractor(tmp_path / "a.tflite", *shape)
    source = open_tflite_file(path, SourceOverrides(size=16, scaling=SCALING))
    fixed = open_tflite_file(small_extractor(tmp_path / "b.tflite"), MINUS_ONE_TO_ONE)
    assert source.size == 16
    np.testing.assert_array_equal(run_source(source, noise(16)), run_source(fixed, noise(16)))


@QUICK
def test_what_is_neither_a_vector_nor_a_feature_map(tmp_path: Path) -> None:
    small = SmallFile()
    tokens = small.tensor(1, 64, 5, name="tokens")
    shape = small.constant([1, 64, 5])
    small.operator("RESHAPE", [small.convolution(small.photo()), shape], [tokens], "ReshapeOptions")
    path = small.write(tmp_path / "tokens.tflite", tokens)
    with pytest.raises(EdgeretrainError, match=r"tokens is \[1, 64, 5\], neither a vector.*--layer"):
        open_tflite_file(path, MINUS_ONE_TO_ONE)


@QUICK
def test_a_long_bottleneck_is_told(tmp_path: Path) -> None:
    small = SmallFile()
    mapped = small.convolution(small.photo(), channels=80)
    flat = small.operator("RESHAPE", [mapped, small.constant([1, -1])], [small.tensor(1, 5120)], "ReshapeOptions")
    path = small.write(tmp_path / "long.tflite", flat)
    assert "5,120 numbers" in open_tflite_file(path, MINUS_ONE_TO_ONE).notes[-1]


@QUICK
def test_a_translation_that_is_wrong_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = tflite_operators.OPERATORS["CONV_2D"]
    monkeypatch.setitem(tflite_operators.OPERATORS, "CONV_2D", lambda *how: rule(*how) * 1.001)
    with pytest.raises(EdgeretrainError, match=r"a\.tflite: TensorFlow computes its operators .* away from what"):
        open_tflite_file(small_extractor(tmp_path / "a.tflite"), MINUS_ONE_TO_ONE)


@QUICK
def test_a_wrong_translation_of_integers_is_found(
    classifier: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = classifier("int8")
    rule = tflite_operators.OPERATORS["CONV_2D"]
    monkeypatch.setitem(tflite_operators.OPERATORS, "CONV_2D", lambda *how: rule(*how)[..., ::-1])
    with pytest.raises(EdgeretrainError, match=r"int8\.tflite: .* make another bottleneck than the file \(corr"):
        open_tflite_file(path, SourceOverrides())


@QUICK
def test_damaged_files(tmp_path: Path) -> None:
    """Weights cut short, shapes that lie, bytes changed: one line, or a source that still agrees with the file."""
    whole = small_extractor(tmp_path / "a.tflite").read_bytes()
    random, path = np.random.default_rng(3), tmp_path / "damaged.tflite"
    refused = 0
    for _ in range(40):
        damaged = bytearray(whole)
        for place in random.integers(8, len(damaged) // 2, 3):
            damaged[place] = random.integers(256)
        path.write_bytes(damaged)
        try:
            assert isinstance(open_tflite_file(path, MINUS_ONE_TO_ONE), BackboneSource)
        except EdgeretrainError as error:
            refused += 1
            assert str(path) in str(error) and "\n" not in str(error)
    assert refused > 5


@QUICK
def test_scaling_by_channel(tmp_path: Path) -> None:
    """ImageNet's mean and std: no quantization of a tensor, so it stays in the graph."""
    text = "123.675,116.28,103.53/58.395,57.12,57.375"
    path = small_extractor(tmp_path / "a.tflite")
    built, found = build_from_source(
        "by_channel",
        str(path),
        ["float32", "int8"],
        overrides=SourceOverrides(scaling=parse_scaling(text)),
        calibration=None,
        out=tmp_path,
    )
    pixels = noise(16)
    expected = Interpreted(path)(pixels, parse_scaling(text))
    assert furthest(bottlenecks_of(built[0].path.read_bytes(), pixels), expected) < 1e-4
    assert alike(bottlenecks_of(built[1].path.read_bytes(), pixels), expected) > 0.99
    assert found[0] == f"Input: t0, 16 pixels, values {text} (as --scale says)."
