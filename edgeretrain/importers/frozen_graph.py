"""Frozen TensorFlow 1 graphs (`.pb`): the output of retrain.py, TensorFlow for Poets and slim's freeze_graph."""

from pathlib import Path
from typing import Any

from edgeretrain.backbone.source import BackboneSource, SourceCard, SourceOverrides, unknown_scale
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.fingerprint import sha256
from edgeretrain.files.foreign import HEAD_BYTES, foreign_file
from edgeretrain.importers.graph import CutGraph, cut_graph
from edgeretrain.tflite.quiet import quiet
from edgeretrain.tflite.tensorflow_types import GraphDef

# Other files that are sometimes named .pb, by their first bytes: (bytes, what it is, what to do).
_OTHERS = (
    (b"\x89HDF", "a Keras file (HDF5)", "Name it .h5"),
    (b"PK\x03\x04", "an archive, such as a .keras file", "Name it as what it is, or unpack it"),
    (b"\x1f\x8b", "compressed", "Unpack it first"),
    (b"version https://git-lfs", "a pointer of Git LFS", "Fetch the file itself with git lfs pull"),
    (b"node {", "a graph as text", "Write it as a binary .pb"),
    (b"node{", "a graph as text", "Write it as a binary .pb"),
)


def open_frozen_graph(path: Path, overrides: SourceOverrides) -> BackboneSource:
    """Open a frozen graph as the source of a backbone.

    Raises:
        EdgeretrainError: it is not a frozen graph, or damaged; see `cut_graph`; the range of its pixels is unknown.
    """
    cut = cut_graph(read_frozen_graph(path), overrides, what=path.name)
    pixels, by = pixels_of(cut, overrides, path.name)
    return BackboneSource(
        cut.network,
        cut.size,
        cut.scaling(pixels),
        cut.parameters,
        graph_card(cut, path, pixels),
        _notes(cut, pixels, by),
    )


def _notes(cut: CutGraph, pixels: Scaling, by: str) -> tuple[str, ...]:
    """What was read from the graph, in lines for the user."""
    others = [f"{other.tensor} ({other.length:,})" for other in cut.candidates if other.tensor != cut.layer]
    lines = [
        f"Input: {cut.input}, {cut.size} pixels, values {pixels} ({by}).",
        f"Bottleneck: {cut.layer}, {cut.length:,} values."
        + (f" --layer could also be {', '.join(others)}." if others else ""),
    ]
    if cut.fake_quantized:
        lines.append("Its fake quantization is left out: int8 is calibrated again, the other precisions do not round.")
    return tuple(lines)


def graph_card(cut: CutGraph, path: Path, pixels: Scaling) -> SourceCard:
    """What the card of a backbone says of the graph that it comes from."""
    origin = {
        "kind": "frozen graph",
        "file": path.name,
        "sha256": sha256(path),
        "input": cut.input,
        "scale": str(pixels),
        "layer": cut.layer,
    }
    return {"architecture": "frozen graph", "source": origin}


def pixels_of(cut: CutGraph, overrides: SourceOverrides, what: str) -> tuple[Scaling, str]:
    """The range of the pixels that the input of a graph expects, and how it is known.

    Raises:
        EdgeretrainError: neither the user nor the graph nor its names give it.
    """
    if overrides.scaling is not None:
        return overrides.scaling, "from --scale"
    if cut.pixels is not None:
        return cut.pixels, cut.pixels_by
    raise unknown_scale(what, f"input {cut.input}")


def read_frozen_graph(path: Path) -> GraphDef:
    """The `GraphDef` in a `.pb` file.

    Raises:
        EdgeretrainError: it cannot be read, is something else, or is cut off.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EdgeretrainError(f"{path}: cannot be read ({error.strerror}).") from None
    if not data:
        raise EdgeretrainError(f"{path}: is empty. Copy or make it again.")
    for start, what, advice in _OTHERS:
        if data.startswith(start):
            raise EdgeretrainError(f"{path}: is not a frozen graph but {what}. {advice}.")
    if (found := foreign_file(data[:HEAD_BYTES])) is not None:
        raise EdgeretrainError(f"{path}: is not a frozen graph but {found.what}. {found.advice}.")
    if data[4:8] == b"TFL3":
        raise EdgeretrainError(f"{path}: is not a frozen graph but a .tflite file. Name it .tflite.")
    return _parsed(data, path)


def _parsed(data: bytes, path: Path) -> GraphDef:
    with quiet():
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
        from tensorflow.core.framework import graph_pb2
        from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
        from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    def read(message: Any) -> Any:
        try:
            message.ParseFromString(data)
        except DecodeError:
            return None
        return message

    saved = read(SavedModel())
    if saved is not None and saved.saved_model_schema_version and saved.meta_graphs:
        raise EdgeretrainError(
            f"{path}: is the graph of a SavedModel without its variables. Give the folder that it lies in: "
            f"{path.parent}."
        )
    graph = read(graph_pb2.GraphDef())
    if graph is not None and graph.node and all(node.name and node.op for node in graph.node):
        return graph
    meta = read(MetaGraphDef())
    if meta is not None and meta.graph_def.node:
        raise EdgeretrainError(
            f"{path}: is the graph of a checkpoint (.meta) without its variables. Freeze it first, with "
            "TensorFlow's freeze_graph, or give the folder of a SavedModel."
        )
    raise EdgeretrainError(
        f"{path}: is not a frozen TensorFlow graph, or is cut off or damaged. Copy it again, or give the file that "
        "retrain.py wrote (output_graph.pb, retrained_graph.pb)."
    )
