"""Keras files that the tests write: as Keras 3 does, and as Keras 2 did."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from importers.modules import weights

TOP = "mobilenet_2_5_128_tf.h5"
V2 = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_128_no_top.h5"


def keras() -> Any:
    """Keras, of an installed TensorFlow."""
    return pytest.importorskip("tensorflow").keras


def with_top() -> Any:
    """MobileNet V1 0.25/128 with its 1000 ImageNet classes."""
    keras().backend.clear_session()  # names its layers as in a new process
    return keras().applications.MobileNet(alpha=0.25, input_shape=(128, 128, 3), weights=weights(TOP))


def v2(size: int = 128) -> Any:
    """MobileNet V2 0.35 without classifier and pooling."""
    return keras().applications.MobileNetV2(
        alpha=0.35, input_shape=(size, size, 3), include_top=False, weights=weights(V2)
    )


def teachable(size: int = 128) -> Any:
    """Teachable Machine's keras_model: a Sequential of two Sequentials, MobileNet V2 and the new layers."""
    k = keras()
    k.backend.clear_session()  # names its layers as in a new process
    features = k.Sequential([k.Input((size, size, 3)), v2(size), k.layers.GlobalAveragePooling2D()], name="features")
    new = k.Sequential(
        [k.Input((1280,)), k.layers.Dense(100, activation="relu"), k.layers.Dense(3, activation="softmax")], name="new"
    )
    return k.Sequential([k.Input((size, size, 3)), features, new], name="teachable")


def small(*layers: Any, size: int | None = 32, channels: int = 3) -> Any:
    """A network of a few layers; without any: a convolution, a global pooling and a dense layer."""
    k = keras()
    layers = layers or (k.layers.Conv2D(8, 3), k.layers.GlobalAveragePooling2D(), k.layers.Dense(2))
    return k.Sequential([k.Input((size, size, channels)), *layers])


def written(model: Any, path: Path) -> Path:
    """The file that `model.save` writes."""
    model.save(path)
    return path


def rewrite_config(path: Path, change: Any) -> Path:
    """Give an .h5 file another configuration: what `change` makes of its own."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "r+") as file:
        text = file.attrs["model_config"]
        file.attrs["model_config"] = json.dumps(change(json.loads(text)))
        del file.attrs["keras_version"]
    return path


def as_keras_2(config: Any) -> Any:
    """A configuration of Keras 3's as Keras 2.4 wrote it: no modules, groups everywhere, calls counted from 1."""
    if isinstance(config, list):
        return [as_keras_2(one) for one in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy":
        return config["config"]["name"]
    nested: set[str] = set()
    if "layers" in config:
        nested = {one["config"]["name"] for one in config["layers"] if "layers" in one["config"]}
    left_out = ("module", "registered_name", "build_config", "quantization_config", "axes", "optional")
    old = {key: as_keras_2(value) for key, value in config.items() if key not in left_out}
    if old.get("class_name") == "DepthwiseConv2D":
        old["config"]["groups"] = 1
    if old.get("class_name") == "BatchNormalization":
        old["config"]["axis"] = [3]
        for key in [key for key in old["config"] if key.startswith("renorm") or key == "synchronized"]:
            del old["config"][key]
    if "batch_shape" in old:
        old["batch_input_shape"] = old.pop("batch_shape")
    if old.get("inbound_nodes"):
        old["inbound_nodes"] = [_as_call(node) for node in old["inbound_nodes"]]
    for layer in old.get("layers", []):
        for call in layer.get("inbound_nodes", []):
            for reference in call:
                reference[1] += reference[0] in nested
    for key in ("input_layers", "output_layers"):
        if key in old:
            old[key] = [old[key]] if isinstance(old[key][0], str) else old[key]
    return old


def _as_call(node: Any) -> list[list[Any]]:
    """`{"args": [tensor or tensors], "kwargs": {...}}` -> `[["layer", 0, 0, {...}], ...]`."""
    (tensors,) = node["args"]
    several = tensors if isinstance(tensors, list) else [tensors]
    kwargs = {key: value for key, value in node["kwargs"].items() if key != "mask"}
    return [[*tensor["config"]["keras_history"], kwargs] for tensor in several]


def replace_weights(path: Path, content: bytes) -> None:
    """Give a .keras file another model.weights.h5."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, old in members.items():
            archive.writestr(name, content if name == "model.weights.h5" else old)
