"""Where a Keras network is cut: the layer whose output is the bottleneck."""

import difflib
from typing import Any

from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.keras_trace import Call, Graph

_POOLINGS = ("GlobalAveragePooling2D", "GlobalMaxPooling2D", "AveragePooling2D", "MaxPooling2D")
_WHOLE_PHOTO = "the output"


def find_cut(graph: Graph, file: str) -> int | None:
    """The number of the call whose output is the bottleneck; None: the output of the network itself.

    It is the last global pooling that everything passes (those inside a block do not count), or else what goes into
    the last dense layer, or the last 1 x 1 convolution of a single position.

    Raises:
        EdgeretrainError: there is no such place.
    """
    calls = graph.run.calls
    for number in reversed(range(len(calls))):
        call = calls[number]
        if call.kind in _POOLINGS and _pools_all(call) and graph.passes(call.output):
            return number
    for call in reversed(calls):
        if call.kind in ("Dense", "Conv2D") and _positions(call.input) == 1 and graph.passes(call.output):
            return _giving(calls, call.input, file)
    if _positions(graph.run.output):
        return None
    raise EdgeretrainError(
        f"{file}: ends in {_shape(graph.run.output)}, without a global pooling or a dense layer that everything "
        f"passes, so where to cut it is yours to say. Give --layer NAME, such as {_examples(calls)}."
    )


def named_cut(graph: Graph, layer: str, file: str) -> int:
    """The number of the call of the layer that the user names, by its name or by its path.

    Raises:
        EdgeretrainError: there is no such layer, or there are several; it gives neither a vector nor a feature map.
    """
    calls = graph.run.calls
    wanted = layer.strip().strip("/")
    found = [number for number, call in enumerate(calls) if call.path == wanted]
    found = found or [number for number, call in enumerate(calls) if call.name == wanted]
    paths = list(dict.fromkeys(calls[number].path for number in found))
    if len(paths) > 1:
        raise EdgeretrainError(f"{file}: has several layers {wanted}. Give --layer one of {', '.join(paths)}.")
    if not found:
        paths = [call.path for call in calls]
        names = {call.name: call.path for call in calls}
        near = difflib.get_close_matches(wanted, [*paths, *names], n=3, cutoff=0.5)
        nearest = ", ".join(dict.fromkeys(names.get(one, one) for one in near)) or _examples(calls)
        raise EdgeretrainError(f"{file}: has no layer {wanted}. Nearest: {nearest}. Give --layer one of its layers.")
    number = found[-1]
    if not _positions(calls[number].output):
        raise EdgeretrainError(
            f"{file}: the layer {wanted} gives {_shape(calls[number].output)}, neither a vector nor a feature map. "
            "Give --layer another one."
        )
    return number


def pooled(value: Any) -> Any:
    """A vector `[1,d]` as it is, a feature map `[1,h,w,d]` as its global average `[1,d]`."""
    import tensorflow as tf

    return value if len(value.shape) == 2 else tf.reduce_mean(value, axis=(1, 2))


def is_map(value: Any) -> bool:
    """Whether `pooled` has something to average."""
    return (_positions(value) or 0) > 1


def _positions(value: Any) -> int | None:
    """How many positions a vector or feature map has; None when it is neither."""
    if not hasattr(value, "shape") or len(value.shape) not in (2, 4):
        return None
    return 1 if len(value.shape) == 2 else int(value.shape[1]) * int(value.shape[2])


def _pools_all(call: Call) -> bool:
    return _positions(call.output) == 1 and call.input is not None and len(call.input.shape) == 4


def _giving(calls: list[Call], tensor: Any, file: str) -> int:
    """The call whose output a tensor is."""
    for number in reversed(range(len(calls))):
        if calls[number].output is tensor:
            return number
    raise EdgeretrainError(f"{file}: no layer gives what its classifier takes. Give --layer NAME: {_examples(calls)}.")


def _shape(value: Any) -> str:
    return str([*value.shape[1:]]) if hasattr(value, "shape") else "several outputs"


def _examples(calls: list[Call]) -> str:
    return ", ".join(dict.fromkeys(call.path for call in reversed(calls[-3:])))
