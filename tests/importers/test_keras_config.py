"""What a Keras configuration says, without TensorFlow."""

import copy
from typing import Any

import pytest

from edgeretrain.importers.keras_2 import as_keras_3
from edgeretrain.importers.keras_config import code_in


def layer(kind: str, config: Any = None, **named: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": kind.lower(), **(config or {})}, **named}


def network(*layers: dict[str, Any], **named: Any) -> dict[str, Any]:
    return layer("Sequential", {"layers": list(layers), **named})


@pytest.mark.parametrize(
    "one",
    [
        layer("Dense", {"activation": "relu", "kernel_initializer": layer("Zeros", module="keras.initializers")}),
        layer("Dense", module="keras.layers", registered_name=None),
        layer("Functional", module="keras.src.models.functional", registered_name="Functional"),
        layer("Functional", module="tf_keras.src.engine.functional", registered_name="Functional"),
        layer("Sequential", module="keras"),
        layer("Add", module="keras.src.ops.numpy"),
        {"class_name": "function", "config": "relu", "module": "builtins", "registered_name": "function"},
        {"class_name": "__keras_tensor__", "config": {"shape": [None, 8]}},
    ],
)
def test_plain_layers_pass(one: dict[str, Any]) -> None:
    assert code_in(network(one)) is None


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (layer("Lambda"), "holds a Python function, in a Lambda layer"),
        ({"class_name": "__lambda__", "config": {"code": "4wEA"}}, "holds a Python function"),
        (layer("TFSMLayer", {"filepath": "elsewhere"}, module="keras.layers"), "another SavedModel"),
        (layer("TorchModuleWrapper", module="keras.layers"), "pickled Python objects"),
        (layer("Popen", module="subprocess"), "needs the class Popen of the Python module subprocess"),
        (layer("get_file", module="keras.utils"), "needs the class get_file of the Python module keras.utils"),
        (layer("load_model", module="keras.models"), "needs the class load_model"),
        (layer("Dense", module="keras.layers.core.dense;os"), "not Keras' own"),
        (layer("Dense", module=["os"]), "not Keras' own"),
        (layer("Mine", module="mine", registered_name="mine>Mine"), "needs the class mine>Mine"),
        (layer("Dense", module="keras.layers", registered_name="Other"), "needs the class Other"),
        ({"class_name": "function", "config": "system", "module": "os"}, "needs the function system of os"),
        ({"class_name": ["os", "system"], "config": {}}, "names a class by list"),
        ({"class_name": "__typespec__", "module": "os", "config": {}}, "not Keras' own"),
    ],
)
def test_what_runs_code_is_told_at_any_depth(one: dict[str, Any], reason: str) -> None:
    for config in (one, network(one), network(network(layer("TimeDistributed", {"layer": one})))):
        assert reason in (code_in(config) or "nothing")
    assert reason in (code_in(layer("Dense", {"kernel_initializer": one})) or "nothing")


def test_what_keras_3_wrote_stays_as_it_is() -> None:
    config = network(
        layer("InputLayer", {"batch_shape": [None, 8, 8, 3]}, module="keras.layers"),
        layer("DepthwiseConv2D", {"depth_multiplier": 1}, module="keras.layers"),
        layer("BatchNormalization", {"axis": -1}, module="keras.layers"),
    )
    assert as_keras_3(copy.deepcopy(config)) == config


def test_layers_of_keras_2_lose_what_says_nothing() -> None:
    mended = as_keras_3(
        network(
            layer("DepthwiseConv2D", {"groups": 1, "batch_input_shape": [None, 8, 8, 3]}),
            layer("SeparableConv2D", {"groups": 1, "kernel_initializer": "x", "depthwise_initializer": "y"}),
            layer("Conv2D", {"groups": 2}),
            layer("DepthwiseConv2D", {"groups": 2}),
            layer("BatchNormalization", {"axis": [3]}, module="tf_keras.layers"),
            layer("Sequential", {"layers": []}, module="keras.engine.sequential"),
        )
    )
    first, depthwise, separable, grouped, odd, normal, inner = mended["config"]["layers"]
    assert (first["class_name"], first["config"]["batch_input_shape"]) == ("InputLayer", [None, 8, 8, 3])
    assert depthwise["config"] == {"name": "depthwiseconv2d"}
    assert separable["config"] == {"name": "separableconv2d"}
    assert grouped["config"]["groups"] == odd["config"]["groups"] == 2
    assert (normal["config"]["axis"], normal["module"]) == (3, "keras.layers")
    assert inner["module"] == "keras"


def arithmetic(function: str, other: Any) -> dict[str, Any]:
    named = {"name": "op", "inbound_nodes": [["photo", 0, 0, {"y": other, "name": None}]]}
    return as_keras_3(layer("TFOpLambda", {"name": "op", "function": function}, **named))


@pytest.mark.parametrize(
    ("function", "number", "scale", "offset"),
    [
        ("math.truediv", 127.5, 1 / 127.5, 0),
        ("math.multiply", 2, 2, 0),
        ("math.subtract", 1.0, 1, -1),
        ("__operators__.add", 3.0, 1, 3),
    ],
)
def test_arithmetic_with_a_number_is_a_rescaling(function: str, number: float, scale: float, offset: float) -> None:
    mended = arithmetic(function, number)
    assert mended["class_name"] == "Rescaling"
    assert mended["config"] == {"name": "op", "dtype": "float32", "scale": scale, "offset": offset}
    assert mended["inbound_nodes"] == [[["photo", 0, 0, {}]]]


@pytest.mark.parametrize(("function", "other"), [("math.truediv", 0), ("math.multiply", ["a", 0, 0]), ("io.read", 1.0)])
def test_other_operations_stay(function: str, other: Any) -> None:
    assert arithmetic(function, other)["class_name"] == "TFOpLambda"


def test_calls_of_nested_networks_and_slashes_in_names() -> None:
    layers = [
        {**layer("Functional", {"layers": []}), "name": "inner", "inbound_nodes": [[["photo", 0, 0, {}]]]},
        {**layer("Add", {"name": "a/b"}), "name": "a/b", "inbound_nodes": [[["inner", 1, 0, {}], ["inner", 2, 0, {}]]]},
    ]
    config = layer(
        "Functional", {"layers": layers, "input_layers": [["photo", 0, 0]], "output_layers": [["a/b", 0, 0]]}
    )
    mended = as_keras_3(config)["config"]
    assert mended["layers"][1]["inbound_nodes"] == [[["inner", 0, 0, {}], ["inner", 1, 0, {}]]]
    assert mended["layers"][1]["name"] == mended["layers"][1]["config"]["name"] == "a_b"
    assert (mended["input_layers"], mended["output_layers"]) == (["photo", 0, 0], ["a_b", 0, 0])
