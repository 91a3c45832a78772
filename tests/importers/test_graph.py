"""Graphs cut at their bottleneck, against TensorFlow running them whole."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from support.old_graphs import SIZE, graph_of, hub, inception_graph, photos, poets_graph, run, slim, slim_body, without

from edgeretrain.backbone.source import SourceOverrides
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError

pytestmark = pytest.mark.tensorflow
pytest.importorskip("tensorflow")

from edgeretrain.importers.graph import CutGraph, cut_graph  # noqa: E402

POOLED = "MobilenetV1/Logits/AvgPool_1a/AvgPool:0"
SCORES = "MobilenetV1/Predictions/Reshape:0"


def cut(graph_def: Any, overrides: SourceOverrides | None = None, **known: str) -> CutGraph:
    return cut_graph(graph_def, overrides or SourceOverrides(), what="old.pb", **known)


def bottlenecks(found: CutGraph, pixels: Scaling) -> np.ndarray:
    scaling = found.scaling(pixels)
    return np.concatenate([np.asarray(found.network(scaling(one[None]))) for one in photos(found.size)])


def refused(graph_def: Any, overrides: SourceOverrides | None = None, *, says: tuple[str, ...], **known: str) -> None:
    with pytest.raises(EdgeretrainError) as error:
        cut(graph_def, overrides, **known)
    for word in ("old.pb", *says):
        assert word in str(error.value), error.value
    assert "\n" not in str(error.value)


KNOWN: dict[str, tuple[Callable[[], Any], str, Scaling, str, int]] = {
    "slim": (partial(graph_of, slim), "input:0", Scaling.between(-1, 1), POOLED, 24),
    "poets": (poets_graph, "input:0", Scaling.between(-1, 1), POOLED, 24),
    "hub": (
        partial(graph_of, hub),
        "Placeholder:0",
        Scaling.between(0, 1),
        "module_apply_default/MobilenetV2/Logits/",
        24,
    ),
    "2015": (inception_graph, "ResizeBilinear:0", Scaling.between(0, 255), "pool_3:0", 40),
}


@pytest.mark.parametrize("kind", KNOWN)
def test_what_old_tools_left_is_found(kind: str) -> None:
    make, image, pixels, layer, length = KNOWN[kind]
    graph_def = make()
    found = cut(graph_def)
    assert (found.input, found.size, found.length) == (image, SIZE, length)
    assert found.layer.startswith(layer)
    assert found.pixels == pixels
    assert found.pixels_by
    expected = run(graph_def, image, found.layer, pixels(photos()))
    actual = bottlenecks(found, pixels)
    assert actual.shape == (3, length)
    assert expected.std() > 0.01
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("kind", ["poets", "hub", "2015"])
def test_the_head_gives_the_scores_of_the_whole_graph(kind: str) -> None:
    make, image, pixels, *_ = KNOWN[kind]
    graph_def = make()
    found = cut(graph_def)
    assert found.classifier is not None
    assert (found.classifier.function, found.classifier.output) == ("Softmax", "final_result:0")
    logits = bottlenecks(found, pixels) @ found.classifier.weights + found.classifier.bias
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = run(graph_def, image, "final_result:0", pixels(photos()))
    assert expected.shape == (3, 3)
    assert expected.std() > 0.01
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    np.testing.assert_allclose(found.run("final_result:0", pixels(photos())), expected, atol=1e-6)


def test_dense_layers_with_nothing_in_between_are_one() -> None:
    found = cut(poets_graph())
    assert found.classifier is not None
    assert found.classifier.layers == (
        "MobilenetV1/Logits/Conv2d_1c_1x1/convolution",
        "final_training_ops/Wx_plus_b/MatMul",
    )
    assert found.classifier.weights.shape == (24, 3)
    assert [(one.tensor, one.length) for one in found.candidates] == [
        (POOLED, 24),
        ("MobilenetV1/Logits/Conv2d_1c_1x1/BiasAdd:0", 1001),
    ]


def test_parameters_are_those_of_the_bottleneck() -> None:
    # Convolutions 3x3x3x8, 3x3x8, 3x3x8x24; four numbers of BatchNorm for each of 8 + 8 + 24 channels.
    assert cut(graph_of(slim)).parameters == 216 + 72 + 1728 + 4 * 40


def test_the_scores_can_be_the_bottleneck() -> None:
    graph_def = poets_graph()
    found = cut(graph_def, SourceOverrides(layer="MobilenetV1/Predictions/Reshape"))
    assert (found.layer, found.length, found.classifier) == (SCORES, 1001, None)
    pixels = Scaling.between(-1, 1)
    expected = run(graph_def, "input:0", SCORES, pixels(photos()))
    np.testing.assert_allclose(bottlenecks(found, pixels), expected, atol=1e-4)


def test_a_map_is_averaged() -> None:
    graph_def = graph_of(slim)
    layer = "MobilenetV1/MobilenetV1/Conv2d_1/Relu6:0"
    found = cut(graph_def, SourceOverrides(layer=layer))
    assert found.length == 8
    pixels = Scaling.between(-1, 1)
    maps = run(graph_def, "input:0", layer, pixels(photos())).reshape(3, 8, 8, 8)
    np.testing.assert_allclose(bottlenecks(found, pixels), maps.mean(axis=(1, 2)), atol=1e-5)


def test_another_size_is_taken_where_the_pooling_allows() -> None:
    found = cut(graph_of(slim), SourceOverrides(size=48, layer="MobilenetV1/MobilenetV1/Conv2d_2/Relu6"))
    assert (found.size, found.length) == (48, 24)
    refused(graph_of(slim), SourceOverrides(size=48, layer=SCORES), says=("48", "made for 32", "leave --size out"))


def test_the_user_names_the_input() -> None:
    graph_def = inception_graph()
    found = cut(graph_def, SourceOverrides(input="Mul", size=SIZE))
    assert (found.input, found.pixels) == ("Mul:0", Scaling.normalized((128.0,), (128.0,)))
    scaled = bottlenecks(found, Scaling.normalized((128.0,), (128.0,)))
    np.testing.assert_allclose(scaled, bottlenecks(cut(graph_def), Scaling.between(0, 255)), atol=1e-5)


def test_the_caller_knows_input_and_output() -> None:
    found = cut(poets_graph(), input="input:0", output=SCORES)
    assert found.classifier is not None
    assert (found.layer, found.classifier.function, len(found.classifier.bias)) == (POOLED, "", 1001)


def test_a_placeholder_of_bytes_takes_raw_pixels() -> None:
    def build(tf: Any) -> None:
        image = tf.placeholder(tf.uint8, (1, SIZE, SIZE, 3), name="image")
        mean, std = np.array([124, 116, 104], np.float32), np.array([58, 57, 56], np.float32)
        scaled = (tf.cast(image, tf.float32, name="Cast") - mean) / std
        tf.reduce_mean(slim_body(tf, scaled, "Net"), (1, 2), name="features")

    found = cut(graph_of(build))
    raw = Scaling.between(0, 255)
    assert (found.input, found.pixels) == ("Cast:0", raw)
    assert str(found.scaling(raw)) == "124,116,104/58,57,56"
    assert (found.layer, found.classifier) == ("features:0", None)
    np.testing.assert_allclose(bottlenecks(found, raw), found.run("features:0", raw(photos())), atol=1e-5)


def test_scaling_before_the_resize() -> None:
    """As slim's preprocessing: one photo of bytes, to 0..1, resized, to -1..1."""

    def build(tf: Any) -> None:
        image = tf.cast(tf.placeholder(tf.uint8, (None, None, 3), name="image"), tf.float32) * (1 / 255)
        image = tf.image.resize_bilinear(tf.expand_dims(image, 0), (SIZE, SIZE), name="resized")
        tf.reduce_mean(slim_body(tf, (image - 0.5) * 2.0, "Net"), (1, 2), name="features")

    found = cut(graph_of(build))
    assert (found.input, found.size) == ("resized:0", SIZE)
    assert found.pixels is not None
    assert str(found.pixels) == "0..1"
    assert str(found.scaling(found.pixels)) == "-1..1"
    direct = found.run("features:0", found.pixels(photos()))
    np.testing.assert_allclose(bottlenecks(found, found.pixels), direct, atol=1e-5)


def test_names_that_say_nothing_leave_the_scale_open() -> None:
    def build(tf: Any) -> None:
        tf.reduce_mean(slim_body(tf, tf.placeholder(tf.float32, (1, SIZE, SIZE, 3)), "Net"), (1, 2))

    assert cut(graph_of(build)).pixels is None


def test_squeeze_and_excite_is_no_classifier() -> None:
    def build(tf: Any) -> None:
        values = slim_body(tf, tf.placeholder(tf.float32, (1, SIZE, SIZE, 3)), "MobilenetV3")
        gate = tf.reduce_mean(values, (1, 2), keepdims=True)
        gate = tf.nn.conv2d(gate, np.full((1, 1, 24, 24), 0.1, np.float32), strides=1, padding="SAME")
        values = tf.reduce_mean(values * tf.sigmoid(gate), (1, 2), name="pooled")
        tf.nn.softmax(tf.matmul(values, np.ones((24, 5), np.float32)), name="scores")

    found = cut(graph_of(build))
    assert [one.tensor for one in found.candidates] == ["pooled:0"]
    assert found.layer == "pooled:0"


def test_a_graph_that_ends_in_the_best_class() -> None:
    def build(tf: Any) -> None:
        slim(tf)
        tf.argmax(tf.get_default_graph().get_tensor_by_name("MobilenetV1/Predictions/Softmax:0"), 1, name="class")

    found = cut(graph_of(build))
    assert found.classifier is not None
    assert (found.layer, found.classifier.function, found.output) == (POOLED, "ArgMax", "class:0")


def image_in(tf: Any, *, size: int | None = SIZE, name: str = "image") -> Any:
    return tf.placeholder(tf.float32, (1, size, size, 3), name=name)


def pooled(tf: Any, values: Any) -> Any:
    return tf.reduce_mean(values, (1, 2), name="pooled")


def two_outputs(tf: Any) -> None:
    image = image_in(tf)
    pooled(tf, image)
    tf.nn.relu(image, name="other")


def file_read(tf: Any) -> None:
    pooled(tf, image_in(tf) + tf.strings.to_number(tf.io.read_file("secret", name="read"), name="number"))


def python_run(tf: Any) -> None:
    pooled(tf, tf.reshape(tf.py_func(abs, [image_in(tf)], tf.float32), (1, SIZE, SIZE, 3)))


def training(tf: Any) -> None:
    pooled(tf, tf.nn.fused_batch_norm(image_in(tf), np.ones(3, np.float32), np.zeros(3, np.float32))[0])


def branches(tf: Any) -> None:
    image = image_in(tf)
    pooled(tf, tf.cond(tf.reduce_max(image) > 0, lambda: image * 2, lambda: image))


BAD: dict[str, tuple[Any, tuple[str, ...]]] = {
    "no input": (lambda tf: tf.nn.relu(tf.constant([1.0, 2.0])), ("no image input", "no input at all", "--input")),
    "no image": (
        lambda tf: tf.nn.relu(tf.placeholder(tf.float32, (None, 10), name="row")),
        ("no image input", "row:0 [?, 10]"),
    ),
    "two images": (
        lambda tf: tf.add(image_in(tf, name="left"), image_in(tf, name="right")),
        ("several image inputs: left:0, right:0", "--input"),
    ),
    "not square": (
        lambda tf: tf.nn.relu(tf.placeholder(tf.float32, (1, 20, 30, 3), name="wide")),
        ("wide:0", "30 x 20", "square"),
    ),
    "no size": (lambda tf: pooled(tf, image_in(tf, size=None)), ("image:0", "--size 224")),
    "two outputs": (two_outputs, ("several outputs: pooled:0, other:0", "--layer")),
    "a variable": (
        lambda tf: pooled(tf, image_in(tf) * tf.Variable(1.0, use_resource=False, name="weight")),
        ("not frozen", "weight (VariableV2)", "SavedModel"),
    ),
    "a resource variable": (
        lambda tf: pooled(tf, image_in(tf) * tf.Variable(1.0, use_resource=True, name="weight")),
        ("not frozen", "weight (VarHandleOp)"),
    ),
    "random": (
        lambda tf: pooled(tf, image_in(tf) * tf.random_uniform((), seed=1, name="dropout")),
        ("random numbers", "dropout/RandomUniform", "inference"),
    ),
    "another input": (
        lambda tf: pooled(tf, image_in(tf) * tf.placeholder(tf.float32, (), name="keep")),
        ("another input", "keep:0"),
    ),
    "reads a file": (file_read, ("read (ReadFile)", "only arithmetic", "touch files")),
    "runs Python": (python_run, ("PyFunc", "only arithmetic", "run code")),
    "training": (training, ("training mode", "is_training=False")),
    "branches": (branches, ("branches or loops", "cond")),
}


@pytest.mark.parametrize("what", BAD)
def test_refused(what: str) -> None:
    build, words = BAD[what]
    refused(graph_of(build), says=words)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ("QuantizedConv2D", ("rewritten to 8 bits", "quantize_graph.py", "--precision int8")),
        ("FancyLayer", ("custom operation", "FancyLayer", "run custom code")),
        ("WriteFile", ("WriteFile", "only arithmetic")),
    ],
)
def test_an_operation_that_is_refused(operation: str, words: tuple[str, ...]) -> None:
    graph_def = graph_of(slim)
    (node,) = (one for one in graph_def.node if one.name == "MobilenetV1/MobilenetV1/Conv2d_0/convolution")
    node.op = operation
    refused(graph_def, says=("MobilenetV1/MobilenetV1/Conv2d_0/convolution", *words))


def test_what_lies_beside_the_way_does_not_matter() -> None:
    def build(tf: Any) -> None:
        slim(tf)
        image = tf.get_default_graph().get_tensor_by_name("input:0")
        tf.io.write_file("somewhere", tf.strings.as_string(tf.reduce_max(image)))

    graph_def = graph_of(build)
    assert cut(graph_def).layer == POOLED


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("AvgPool", ("no tensor 'AvgPool'", "Did you mean MobilenetV1/Logits/AvgPool_1a/AvgPool")),
        ("MobilenetV1/Predictions/Reshap", ("MobilenetV1/Predictions/Reshape",)),
        ("zzz", ("The last tensors are", "MobilenetV1/Predictions/Softmax")),
        ("MobilenetV1/Logits/Conv2d_1c_1x1/biases", ("not computed from the photo", "input:0")),
        ("MobilenetV1/Predictions/Reshape:7", ("MobilenetV1/Predictions/Reshape:7",)),
    ],
)
def test_a_layer_that_cannot_be(layer: str, words: tuple[str, ...]) -> None:
    refused(graph_of(slim), SourceOverrides(layer=layer), says=words)


def test_an_input_that_is_not_there() -> None:
    refused(graph_of(slim), SourceOverrides(input="imput"), says=("'imput' (--input)", "Did you mean input?"))


def test_a_size_that_the_pooling_cannot_take() -> None:
    refused(graph_of(slim), SourceOverrides(size=16), says=("16", "made for 32"))


def test_damage() -> None:
    import tensorflow as tf

    refused(tf.compat.v1.GraphDef(), says=("is empty",))
    refused(without(graph_of(slim), "MobilenetV1/Logits/Conv2d_1c_1x1/biases"), says=("cut off or damaged", "biases"))
    circle = graph_of(slim)
    (first,) = (one for one in circle.node if one.name == "MobilenetV1/MobilenetV1/Conv2d_0/convolution")
    first.input[1] = "MobilenetV1/MobilenetV1/Conv2d_0/Relu6"
    refused(circle, says=("has a loop at",))


def spoilt(graph_def: Any, rng: np.random.Generator) -> Any:
    """The graph with one to three nodes changed: operation, inputs, name, attributes or the shape of a constant."""

    def one_of(some: Any) -> Any:
        return some[int(rng.integers(len(some)))]

    for _ in range(int(rng.integers(1, 4))):
        node, kind = one_of(graph_def.node), int(rng.integers(6))
        if kind == 0:
            node.op = one_of(graph_def.node).op
        elif kind == 1 and node.input:
            node.input[int(rng.integers(len(node.input)))] = one_of(graph_def.node).name
        elif kind == 2 and node.input:
            del node.input[int(rng.integers(len(node.input)))]
        elif kind == 3 and node.attr:
            node.attr.pop(one_of(sorted(node.attr)))
        elif kind == 4 and node.op == "Const" and node.attr["value"].tensor.tensor_shape.dim:
            one_of(node.attr["value"].tensor.tensor_shape.dim).size = one_of([-1, 0, 1, 7, 1 << 20, 1 << 40])
        elif kind == 5:
            node.name = one_of(graph_def.node).name
    return graph_def


def test_a_spoilt_graph_is_taken_or_refused_in_one_line() -> None:
    rng = np.random.default_rng(0)
    makers: list[Callable[[], Any]] = [partial(graph_of, slim), poets_graph, inception_graph, partial(graph_of, hub)]
    outcomes = set()
    for number in range(40):
        try:
            cut(spoilt(makers[number % 4](), rng))
            outcomes.add("taken")
        except EdgeretrainError as error:
            assert str(error).startswith("old.pb: ")
            assert "\n" not in str(error)
            outcomes.add("refused")
    assert outcomes == {"taken", "refused"}
