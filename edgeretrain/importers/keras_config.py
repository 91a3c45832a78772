"""Check the configuration of a Keras file before anything of it is made. No TensorFlow.

Loading a network means making the classes that its configuration names. An untrusted file may name a class or a
function that runs code, so everything but plain layers is refused here, on top of Keras' safe mode: that one has had
holes (CVE-2024-3660, CVE-2025-1550, CVE-2025-8747, CVE-2025-9905), and edgeretrain runs with many versions of Keras.
"""

import re
from collections.abc import Iterator
from typing import Any

Config = dict[str, Any]

_MODULES = re.compile(
    r"(tf_)?keras\.(src\.)?(layers|models|engine|ops|initializers|regularizers|constraints|dtype_policies|mixed_precision)"
    r"(\.[a-z0-9_]+)*"
)
_OF_KERAS_ITSELF = {"Model", "Functional", "Sequential", "DTypePolicy", "FloatDTypePolicy", "QuantizedDTypePolicy"}
_VALUES = {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__tuple__"}

_REFUSED = {
    "__lambda__": "holds a Python function",
    "Lambda": "holds a Python function, in a Lambda layer",
    "TFSMLayer": "loads another SavedModel, in a TFSMLayer",
    "TorchModuleWrapper": "loads pickled Python objects, in a TorchModuleWrapper",
    "JaxLayer": "holds a Python function, in a JaxLayer",
    "FlaxLayer": "holds a Python function, in a FlaxLayer",
    "TextVectorization": "reads other files, in a TextVectorization layer",
    "StringLookup": "reads other files, in a StringLookup layer",
    "IntegerLookup": "reads other files, in an IntegerLookup layer",
}


def code_in(config: object) -> str | None:
    """What in a configuration would run code of the file's own, or None.

    Args:
        config: as `json.loads` gives it.
    """
    for described in described_objects(config):
        name, module, registered = described["class_name"], described.get("module"), described.get("registered_name")
        if not isinstance(name, str):
            return f"names a class by {type(name).__name__}"
        if name in _REFUSED:
            return _REFUSED[name]
        if name in _VALUES:
            continue
        if name == "function":
            function = described.get("config")
            if module not in (None, "builtins", "keras.activations") or registered not in (None, "function", function):
                return f"needs the function {function} of {module or registered}"
            continue
        if isinstance(registered, str) and registered.split(">")[-1] != name:
            return f"needs the class {registered}"
        if isinstance(registered, str) and ">" in registered and not registered.startswith("keras>"):
            return f"needs the class {registered}, which is not Keras' own"
        if module is not None and not _is_of_keras(module, name):
            return f"needs the class {name} of the Python module {module}, which is not Keras' own"
    return None


def described_objects(config: object) -> Iterator[Config]:
    """All objects that a configuration describes, at any depth: what has a `class_name`."""
    todo = [config]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            todo += reversed(value.values())
        elif isinstance(value, list):
            todo += reversed(value)


def _is_of_keras(module: object, name: str) -> bool:
    if not isinstance(module, str) or not re.fullmatch(r"[A-Z]\w*", name):
        return False
    if module in ("keras", "keras.models", "tf_keras", "tf_keras.models"):
        return name in _OF_KERAS_ITSELF
    return _MODULES.fullmatch(module) is not None
