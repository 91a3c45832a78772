"""Convert the configuration of a Keras 2 network to Keras 3, which refuses some of Keras 2's."""

import re
from collections.abc import Callable
from typing import Any

from edgeretrain.importers.keras_config import Config, described_objects

_NETWORKS = ("Functional", "Model", "Sequential")


def as_keras_3(config: Config) -> Config:
    """The configuration as Keras 3 takes it; it means the same in inference. In place."""
    for described in described_objects(config):
        layer, module = described.get("config"), described.get("module")
        if isinstance(module, str) and re.match(r"(tf_)?keras\.(src\.)?engine\.", module):
            described["module"] = "keras.src.models.functional" if described["class_name"] == "Functional" else "keras"
        elif isinstance(module, str) and module.startswith("tf_keras"):
            described["module"] = module.removeprefix("tf_")
        if isinstance(layer, dict):
            _mend_layer(described, layer)
            if described["class_name"] in _NETWORKS and isinstance(layer.get("layers"), list):
                _mend_network(layer)
    names = {name for described in described_objects(config) if "/" in (name := str(described.get("name", "")))}
    renamed: Config = _mapped(config, lambda text: text.replace("/", "_") if text in names else text)
    return renamed


def _mend_layer(described: Config, layer: Config) -> None:
    kind = described["class_name"]
    # Every convolution had a number of groups.
    if kind in ("DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose") and layer.get("groups") == 1:
        del layer["groups"]
    # What only training needs was said in words that have changed, and of some layers that have no such thing.
    for key in [key for key in layer if key.endswith(("_initializer", "_regularizer", "_constraint"))]:
        del layer[key]
    axis = layer.get("axis")
    if kind.startswith("BatchNormalization") and isinstance(axis, list) and len(axis) == 1:
        layer["axis"] = axis[0]
    if kind == "TFOpLambda":
        _mend_arithmetic(described, layer)


def _mend_arithmetic(described: Config, layer: Config) -> None:
    """Arithmetic such as `x / 127.5 - 1` became layers of a class TFOpLambda; with a number it is a Rescaling.

    Such a layer looks like this, `y` being the number: `{"class_name": "TFOpLambda", "config": {"name": ...,
    "function": "math.truediv"}, "inbound_nodes": [["input_1", 0, 0, {"y": 127.5, "name": null}]]}`.
    """
    match described.get("inbound_nodes"):
        case [[str() as before, int() as node, int() as tensor, {"y": int() | float() as number}]]:
            pass
        case _:
            return
    match layer.get("function"):
        case "math.truediv" if number:
            scale, offset = 1 / number, 0.0
        case "math.multiply":
            scale, offset = number, 0.0
        case "math.subtract":
            scale, offset = 1.0, -number
        case "math.add" | "__operators__.add":
            scale, offset = 1.0, number
        case _:
            return
    described["class_name"] = "Rescaling"
    described["config"] = {"name": layer.get("name"), "dtype": "float32", "scale": scale, "offset": offset}
    described["inbound_nodes"] = [[[before, node, tensor, {}]]]


def _mend_network(network: Config) -> None:
    layers = [layer for layer in network["layers"] if isinstance(layer, dict)]
    # The shape of the photo stood at the first layer of a Sequential; now an InputLayer says it.
    for layer in layers:
        inner = layer.get("config")
        if layer.get("class_name") == "InputLayer" or not isinstance(inner, dict):
            continue
        shape = inner.pop("batch_input_shape", None)
        if shape is not None and layer is layers[0] and "input_layers" not in network:
            named = {"batch_input_shape": shape, "dtype": "float32", "name": f"{inner.get('name')}_input"}
            network["layers"].insert(0, {"class_name": "InputLayer", "config": named})
    # One input or output was written as a list of one; now that would be a list of tensors.
    for key in ("input_layers", "output_layers"):
        match network.get(key):
            case [[str(), int(), int()] as only]:
                network[key] = only
    # The first call of a nested network was number 1; now it is number 0.
    for name in [layer.get("name") for layer in layers if layer.get("class_name") in _NETWORKS]:
        calls = [call for layer in layers for call in _calls_of(layer.get("inbound_nodes"), name)]
        first = min((call[1] for call in calls), default=0)
        for call in calls:
            call[1] -= first


def _calls_of(nodes: Any, name: Any) -> list[list[Any]]:
    """All references to the outputs of the layer `name` among inbound nodes, such as `["name", 1, 0, {}]`."""
    match nodes:
        case [str() as to, int(), int(), *_]:
            return [nodes] if to == name else []
        case list():
            return [call for node in nodes for call in _calls_of(node, name)]
        case _:
            return []


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The same structure with every string changed."""
    if isinstance(value, dict):
        return {key: _mapped(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mapped(inner, change) for inner in value]
    return change(value) if isinstance(value, str) else value
