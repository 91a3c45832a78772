"""SavedModels and TensorFlow Hub modules that the tests write: MobileNet V1 0.25/128 with its ImageNet weights."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgeretrain.backbone.source import BackboneSource, SourceOverrides
from edgeretrain.importers.saved_model import open_saved_model

Row = npt.NDArray[np.float32]

SIZE = 128
FEATURES, CLASSES = 256, 1000

# Strides of the 13 blocks (Howard et al., arXiv:1704.04861, table 1).
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)


def weights(name: str) -> str:
    """A file of the folder EDGERETRAIN_WEIGHTS."""
    folder = os.environ.get("EDGERETRAIN_WEIGHTS")
    if not folder or not (path := Path(folder) / name).is_file():
        pytest.skip(f"EDGERETRAIN_WEIGHTS names no folder that holds {name}")
    return str(path)


def mobilenet(*, top: bool) -> Any:
    """Keras' model: photos -1 to 1 -> 256 features, or with `top` 1000 class scores."""
    tf = pytest.importorskip("tensorflow")
    common = {"alpha": 0.25, "input_shape": (SIZE, SIZE, 3), "include_top": top}
    if top:
        return tf.keras.applications.MobileNet(weights=weights("mobilenet_2_5_128_tf.h5"), **common)
    return tf.keras.applications.MobileNet(weights=weights("mobilenet_2_5_128_tf_no_top.h5"), pooling="avg", **common)


def write_hub_module(folder: Path, model: Any, *, training: bool = False) -> Path:
    """A module of TensorFlow Hub's TF2 format: photos 0 to 1, called with `training`, no signature.

    Args:
        training: whether it can be called for training too.
    """
    tf = pytest.importorskip("tensorflow")
    base: Any = tf.Module

    class Module(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.trainable = [one.value for one in model.variables]  # not the model: saving it takes twice as long
            self.regularization_losses: list[Any] = []

        @tf.function  # type: ignore[untyped-decorator]
        def __call__(self, inputs: Any, training: bool = False) -> Any:
            return model(inputs * 2.0 - 1.0, training=training)

    module = Module()
    photos = tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32, name="inputs")
    for mode in (False, True) if training else (False,):
        module.__call__.get_concrete_function(photos, training=mode)
    tf.saved_model.save(module, str(folder))
    return folder


def write_session_module(folder: Path, model: Any, *, hub: bool) -> Path:
    """The same network as TensorFlow 1 wrote it: a graph for a session with slim's names, photos 0 to 1.

    Args:
        model: with its classifier.
        hub: as a TensorFlow Hub module, with no tag and its size in an attached message, the photos' shape unbound.
    """
    tf = pytest.importorskip("tensorflow")
    v1 = tf.compat.v1
    trained = {layer.name: layer.get_weights() for layer in model.layers}
    with tf.Graph().as_default(), v1.Session() as session:
        photos = v1.placeholder(tf.float32, (None, None, None, 3) if hub else (None, SIZE, SIZE, 3), name="images")
        values = photos * 2.0 - 1.0 if hub else photos
        assigned: list[Any] = []

        def variable(name: str, value: Any) -> Any:
            # Without an initializer random numbers, which a test that fine-tunes has made TensorFlow refuse.
            zeros = v1.zeros_initializer()
            made = v1.get_variable(name, value.shape, tf.float32, initializer=zeros, use_resource=not hub)
            assigned.append(made.assign(value))
            return made

        def normalized(name: str, values: Any, layer: str) -> Any:
            gamma, beta, mean, variance = (
                variable(f"{name}/BatchNorm/{part}", value)
                for part, value in zip(
                    ("gamma", "beta", "moving_mean", "moving_variance"),
                    trained[layer],
                    strict=True,
                )
            )
            normal, *_ = v1.nn.fused_batch_norm(values, gamma, beta, mean, variance, 1e-3, is_training=False)
            return tf.nn.relu6(normal)

        def filters(name: str, layer: str) -> Any:
            return variable(f"{name}/weights", trained[layer][0])

        with v1.variable_scope("MobilenetV1"):
            values = tf.nn.conv2d(values, filters("Conv2d_0", "conv1"), 2, "SAME")
            values = normalized("Conv2d_0", values, "conv1_bn")
            for number, stride in enumerate(_STRIDES, start=1):
                name = f"Conv2d_{number}_depthwise"
                depthwise = filters(name, f"conv_dw_{number}")
                values = tf.nn.depthwise_conv2d(values, depthwise, (1, stride, stride, 1), "SAME")
                values = normalized(name, values, f"conv_dw_{number}_bn")
                name = f"Conv2d_{number}_pointwise"
                values = tf.nn.conv2d(values, filters(name, f"conv_pw_{number}"), 1, "SAME")
                values = normalized(name, values, f"conv_pw_{number}_bn")
            pooled = tf.reduce_mean(values, (1, 2), keepdims=True)
            features = tf.squeeze(pooled, (1, 2), name="feature_vector")
            kernel, bias = trained["conv_preds"]
            scores = tf.nn.conv2d(pooled, variable("Logits/weights", kernel), 1, "SAME")
            logits = tf.squeeze(scores + variable("Logits/biases", bias), (1, 2), name="logits")
        session.run(assigned)

        def signature(outputs: dict[str, Any]) -> Any:
            return v1.saved_model.predict_signature_def({"images": photos}, outputs)

        signatures = {
            "default": signature({"default": features}),
            "image_feature_vector": signature({"default": features, "MobilenetV1/Conv2d_13": values}),
            "image_classification": signature({"default": logits}),
        }
        if hub:
            size = field(1, number_field(1, SIZE) + number_field(2, SIZE))
            v1.add_to_collection("hub_module_attachments", field(1, b"image_module_info") + field(2, size))
        else:
            signatures = {"serving_default": signature({"scores": tf.nn.softmax(logits)})}
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, [] if hub else ["serve"], signatures)
        builder.save()
    if hub:
        (folder / "tfhub_module.pb").write_bytes(number_field(1, 3))
    return folder


def field(number: int, content: bytes) -> bytes:
    """A field of a protocol buffer message that holds bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def number_field(number: int, value: int) -> bytes:
    """A field of a protocol buffer message that holds a number below 16,384."""
    return bytes([number << 3]) + (bytes([value]) if value < 128 else bytes([value & 0x7F | 0x80, value >> 7]))


def write_small(folder: Path, **named: Any) -> Path:
    """A network of one convolution, for what is refused or told: photos -> 8 features, whatever `named` says.

    Args:
        named: `shape` of the photos; `dtype` of them; `function`, what is done to the features; `signature`, its name.
    """
    tf = pytest.importorskip("tensorflow")
    shape, dtype = named.get("shape", (None, 32, 32, 3)), named.get("dtype", tf.float32)
    kernel = tf.Variable(np.random.default_rng(0).normal(0, 0.3, (3, 3, shape[3], 8)).astype(np.float32))

    base: Any = tf.Module

    class Small(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.kernel = kernel

    def run(photos: Any) -> Any:
        values = tf.cast(photos, tf.float32)
        features = tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(values, kernel, 2, "SAME")), (1, 2))
        return named.get("function", lambda one: {"features": one})(features)

    traced = tf.function(run).get_concrete_function(tf.TensorSpec(shape, dtype, name="photos"))
    tf.saved_model.save(Small(), str(folder), signatures={named.get("signature", "serving_default"): traced})
    return folder


def opened(path: Path, **overrides: Any) -> BackboneSource:
    """A SavedModel as a source, with what the user says of it."""
    return open_saved_model(path, SourceOverrides(**overrides))


def row(source: BackboneSource, value: float = 0.3) -> Row:
    """The bottleneck of a photo of one value."""
    result: Row = np.asarray(source.network(np.full((1, source.size, source.size, 3), value, np.float32)))[0]
    return result
