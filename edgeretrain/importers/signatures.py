"""Read a SavedModel without running it: its graph, its signatures, and what TensorFlow Hub attached."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.tensorflow_types import GraphDef, MetaGraphDef

GRAPH = "saved_model.pb"
CALL = "__call__"
"""Stands for the module called as a function, where it has no signature for photos."""

# In this order. The first is TensorFlow Hub's name for features, the others are for what a module is mainly made for.
_PREFERRED = ("image_feature_vector", "serving_default", "default", CALL)


@dataclass(frozen=True)
class Signature:
    """A way to use a SavedModel that takes one photo.

    Attributes:
        name: as the SavedModel has it.
        photo: the tensor of the graph that takes the photo.
        batch: how many photos at a time; None: any number.
        side: of the photo, pixels; None: any, by the signature.
        outputs: name -> tensor of the graph, sorted by name.
    """

    name: str
    photo: str
    batch: int | None
    side: int | None
    outputs: Mapping[str, str]


def read_graph(folder: Path, what: str) -> MetaGraphDef:
    """The `MetaGraphDef` for inference in a SavedModel's folder: of the tag `serve`, or of a hub module, of no tag.

    Raises:
        EdgeretrainError: there is no SavedModel, it is damaged, or it has several graphs to choose from.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        data = (folder / GRAPH).read_bytes()
        saved = saved_model_pb2.SavedModel.FromString(data)
    except OSError as error:
        raise EdgeretrainError(f"{what}: {GRAPH} cannot be read ({error.strerror or error}).") from error
    except (DecodeError, RecursionError) as error:
        raise EdgeretrainError(
            f"{what}: its {GRAPH} is damaged or cut off. Copy, download or export it again."
        ) from error
    if not saved.meta_graphs:
        raise EdgeretrainError(f"{what}: its {GRAPH} is empty. Copy, download or export it again.")
    graphs = {tuple(sorted(meta.meta_info_def.tags)): meta for meta in saved.meta_graphs}
    for tags in ((), ("serve",)):
        if tags in graphs:
            return graphs[tags]
    serving = [meta for tags, meta in graphs.items() if "serve" in tags]
    candidates = serving or list(graphs.values())
    if len(candidates) == 1:
        return candidates[0]
    raise EdgeretrainError(
        f"{what}: has graphs for {'; '.join(', '.join(tags) for tags in graphs)}, but none for serving alone. Export "
        "it again for inference, with the tag serve."
    )


def is_tf2(graph: MetaGraphDef) -> bool:
    """Whether TensorFlow 2 wrote it: then it holds objects, otherwise a graph for a session."""
    return bool(graph.HasField("object_graph_def"))


def image_signatures(graph: MetaGraphDef) -> dict[str, Signature]:
    """The signatures that take one photo and nothing else, by name."""
    signatures = {}
    for name in sorted(graph.signature_def):
        definition = graph.signature_def[name]
        inputs = list(definition.inputs.values())
        if len(inputs) == 1 and _takes_photo(inputs[0]) and definition.outputs:
            outputs = {key: definition.outputs[key].name for key in sorted(definition.outputs)}
            shape = [dim.size for dim in inputs[0].tensor_shape.dim]
            signatures[name] = Signature(name, inputs[0].name, *batch_and_side(shape), outputs)
    return signatures


def choose_signature(
    signatures: Mapping[str, Signature], layer: str | None, what: str
) -> tuple[Signature, str | None, str | None]:
    """Which signature to take, which of its outputs, and where to cut.

    Args:
        signatures: the signatures that take a photo.
        layer: what the user says: a signature, `signature:output`, an output, or a tensor.

    Returns:
        The signature; the output if one is named; what else `layer` names: a tensor, or an output of the call.

    Raises:
        EdgeretrainError: there are several signatures, and none is preferred.
    """
    if layer is not None:
        name, _, output = layer.partition(":")
        if name in signatures and (not output or output in signatures[name].outputs):
            return signatures[name], output or None, None
        if name in signatures and not signatures[name].outputs:  # the call's are known when it is frozen
            return signatures[name], None, output
    for name in _PREFERRED:
        if name in signatures:
            signature = signatures[name]
            break
    else:
        if len(signatures) > 1:
            raise EdgeretrainError(
                f"{what}: has several signatures that take a photo: {', '.join(signatures)}. Choose one with "
                "--layer NAME, or --layer NAME:OUTPUT."
            )
        (signature,) = signatures.values()
    if layer in signature.outputs:
        return signature, layer, None
    return signature, None, layer


def choose_output(signature: Signature, what: str) -> str:
    """The output to take when none is named: the only one, or the one that TensorFlow Hub calls `default`.

    Raises:
        EdgeretrainError: there are several.
    """
    names = list(signature.outputs)
    if len(names) == 1 or "default" in names:
        return names[0] if len(names) == 1 else "default"
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    raise EdgeretrainError(
        f"{what}: the signature {signature.name} has several outputs: {shown}. Choose the one with the "
        "features with --layer OUTPUT."
    )


def takes_no_photo(graph: MetaGraphDef, what: str) -> EdgeretrainError:
    """Why a SavedModel without a signature for photos cannot be used."""
    names = [name for name in sorted(graph.signature_def) if not name.startswith("__saved_model")]
    takes = "; ".join(_inputs_text(name, graph.signature_def[name]) for name in names)
    has = f"Its signatures take {takes}" if takes else "It has no signature"
    return EdgeretrainError(
        f"{what}: takes no photo, a tensor [photos, size, size, 3] of numbers. {has}. Give the SavedModel of an image "
        "network, exported with a signature for decoded photos."
    )


def check_photo(signature: Signature, size: int | None, what: str) -> None:
    """Check that a signature takes one photo at a time, or any number, and of this size.

    Raises:
        EdgeretrainError: it does not.
    """
    if signature.batch not in (None, 1):
        raise EdgeretrainError(
            f"{what}: takes {signature.batch} photos at a time, but a backbone takes one. Export it again for any "
            "number of photos, or for one."
        )
    if size is not None and signature.side not in (None, size):
        raise EdgeretrainError(
            f"{what}: takes photos of {signature.side} x {signature.side} pixels only. Leave out --size."
        )


def check_named(
    layer: str, signatures: Mapping[str, Signature], chosen: Signature, graph_def: GraphDef, what: str
) -> None:
    """Check that what --layer names is a tensor, when it looks like the name of a signature or an output.

    Raises:
        EdgeretrainError: it is not one of the three; the message suggests similar names.
    """
    if any(node.name == layer.partition(":")[0] for node in graph_def.node):
        return
    both = (f"{signature.name}:{output}" for signature in signatures.values() for output in signature.outputs)
    names = [*signatures, *chosen.outputs, *both]
    if near := difflib.get_close_matches(layer, names, 3, 0.6):
        raise EdgeretrainError(
            f"{what}: has no signature, output or tensor {layer!r} (--layer). Did you mean {' or '.join(near)}?"
        )


def hub_size(graph: MetaGraphDef) -> int | None:
    """The side of the photos that a TF1 hub module was trained on, which it tells in an attached message.

    The message `image_module_info` is {1: {1: height, 2: width}} (tensorflow_hub/image_module_info.proto), wrapped as
    {1: key, 2: message} (tensorflow_hub/module_attachment.proto).
    """
    if "hub_module_attachments" not in graph.collection_def:
        return None
    for attached in graph.collection_def["hub_module_attachments"].bytes_list.value:
        fields = dict(_fields(attached))
        if fields.get(1) == b"image_module_info" and isinstance(message := fields.get(2), bytes):
            size = dict(_fields(message)).get(1)
            sides = dict(_fields(size)) if isinstance(size, bytes) else {}
            if isinstance(height := sides.get(1), int) and height == sides.get(2):
                return height
    return None


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol buffer message, numbers and bytes; stops at anything else."""
    position = 0

    def number() -> int:
        nonlocal position
        value = shift = 0
        while position < len(message):
            byte = message[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        return value

    while position < len(message):
        field, kind = divmod(number(), 8)
        if kind == 0:
            yield field, number()
        elif kind == 2:
            length = number()
            yield field, message[position : position + length]
            position += length
        else:
            return


def _takes_photo(info: Any) -> bool:
    from tensorflow.core.framework import types_pb2 as types

    shape = info.tensor_shape
    number = info.dtype in (types.DT_FLOAT, types.DT_UINT8)
    return number and (shape.unknown_rank or (len(shape.dim) == 4 and shape.dim[3].size in (3, -1)))


def batch_and_side(shape: Sequence[int | None]) -> tuple[int | None, int | None]:
    """How many photos a tensor of this shape takes, and how large; that they are square is looked at in the graph."""
    known = [length if length is not None and length > 0 else None for length in shape]
    return (known[0], known[1] or known[2]) if len(known) == 4 else (None, None)


def _inputs_text(name: str, definition: Any) -> str:
    from tensorflow.core.framework import types_pb2 as types

    inputs = []
    for key in sorted(definition.inputs):
        info = definition.inputs[key]
        dtype = types.DataType.Name(info.dtype).removeprefix("DT_").lower()
        dims = ["?" if dim.size < 0 else str(dim.size) for dim in info.tensor_shape.dim]
        inputs.append(f"{key}: {dtype} [{', '.join(dims)}]")
    return f"{', '.join(inputs) or 'nothing'} ({name})"
