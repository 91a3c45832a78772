"""The folder of a SavedModel or of a TensorFlow Hub module -> a `BackboneSource`."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

from edgeretrain.backbone.source import BackboneSource, SourceCard, SourceOverrides, unknown_scale
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.freezing import Objects, freeze_session_graph
from edgeretrain.importers.graph import CutGraph, cut_graph
from edgeretrain.importers.keras_networks import known_network
from edgeretrain.importers.signatures import (
    CALL,
    GRAPH,
    check_named,
    check_photo,
    choose_output,
    choose_signature,
    hub_size,
    image_signatures,
    is_tf2,
    read_graph,
    takes_no_photo,
)
from edgeretrain.tflite.tensorflow_types import GraphDef

_RAW = Scaling.between(0, 255)
_HUB_PIXELS = Scaling.between(0, 1)
_HUB_MODULE = "TensorFlow Hub module"


def open_saved_model(
    path: Path, overrides: SourceOverrides, *, address: str | None = None, hub: bool = False
) -> BackboneSource:
    """Open a SavedModel: of TensorFlow 2, of Keras, of Teachable Machine, of TensorFlow 1, or a TensorFlow Hub module.

    A module that gives features is used as it is; one that gives class scores is cut before its last dense layer, or
    at the pooling before the dense layers of a network of Keras.

    Args:
        overrides: what the user says of it. `layer` is a signature, `signature:output`, an output, or a tensor.
        address: where it was downloaded from.
        hub: whether that is a TensorFlow Hub handle, so that TensorFlow Hub's conventions hold.

    Raises:
        EdgeretrainError: it is not a SavedModel, or damaged; it takes no photo, or several at a time; the signature,
            the output, the photo's size or scale is unknown; it runs its own code, or accesses files or other machines.
    """
    folder = _saved_model_folder(path)
    what = address or str(path)
    graph = read_graph(folder, what)
    objects = Objects(folder, graph, what) if is_tf2(graph) else None
    signatures = image_signatures(graph)
    if objects is not None and (call := objects.call()) is not None:
        signatures[CALL] = call
    if not signatures:
        raise takes_no_photo(graph, what)
    signature, output, layer = choose_signature(signatures, overrides.layer, what)
    if objects is not None:
        graph_def, signature = objects.frozen(signature.name)
        if layer in signature.outputs:
            output, layer = layer, None
    else:
        tensors = [*signature.outputs.values(), *([layer] if layer is not None else [])]
        graph_def = freeze_session_graph(folder, graph, tensors, what)
    check_photo(signature, overrides.size, what)
    end = None
    if layer is not None:
        check_named(layer, signatures, signature, graph_def, what)
    else:
        as_it_is = output is not None or signature.name == "image_feature_vector"
        output = output or choose_output(signature, what)
        end = signature.outputs[output]
        layer = end if as_it_is else None
    size = overrides.size or (hub_size(graph) if signature.side is None else None)
    whole = cut_graph(
        graph_def,
        replace(overrides, size=size, layer=layer),
        what=what,
        input=signature.photo,
        output=end,
        side=signature.side,
    )
    kind, cut = _HUB_MODULE if hub or _is_hub_module(folder, objects) else "SavedModel", whole
    if objects is not None and kind != _HUB_MODULE and whole.classifier is not None and whole.pooling is not None:
        # Dense layers of Keras in front of the classifier were trained with it, often on few photos, as Teachable
        # Machine's are.
        cut = whole if whole.pooling == whole.layer else whole.at(whole.pooling)
    pixels, by = _pixels(cut, graph_def, overrides.scaling, kind, what)
    origin = {
        "kind": kind,
        **({"handle": address} if address is not None else {"file": path.name}),
        "sha256": _digest(folder),
        "signature": signature.name,
        "layer": cut.layer,
        "scale": str(pixels),
    }
    others = _others(whole, cut.layer, [name for name in signature.outputs if name != output])
    notes = (
        f"{kind}, signature {signature.name}.",
        f"Input: {cut.input}, {cut.size} pixels, values {pixels} ({by}).",
        f"Bottleneck: {cut.layer}, {cut.length:,} values{_cut_off(whole, output)}.{others}",
    )
    card: SourceCard = {"architecture": kind, "source": origin}
    return BackboneSource(cut.network, cut.size, cut.scaling(pixels), cut.parameters, card, notes)


def _is_hub_module(folder: Path, objects: Objects | None) -> bool:
    """Whether a folder is a TensorFlow Hub module, known by its mark, or by having what TensorFlow Hub asks of one."""
    if (folder / "tfhub_module.pb").is_file():
        return True
    return objects is not None and objects.reusable and not (folder / "keras_metadata.pb").is_file()


def _saved_model_folder(path: Path) -> Path:
    """The folder with the graph: the given one, or the only one right in it, as in Teachable Machine's export.

    Raises:
        EdgeretrainError: there is no such folder; the message says what it holds instead.
    """
    if (path / GRAPH).is_file():
        return path
    inside = sorted(graph.parent for graph in path.glob(f"*/{GRAPH}"))
    if len(inside) == 1:
        return inside[0]
    if inside:
        names = ", ".join(folder.name for folder in inside[:5])
        raise EdgeretrainError(f"{path}: holds several SavedModels: {names}. Give the folder of one of them.")
    raise EdgeretrainError(f"{path}: is not a SavedModel: it has no {GRAPH}. {_what_else(path)}")


def _what_else(path: Path) -> str:
    names = sorted(entry.name for entry in path.iterdir())
    for ending in (".keras", ".h5", ".hdf5", ".pb", ".tflite"):
        if networks := [name for name in names if name.lower().endswith(ending)]:
            return f"It holds {networks[0]}: give that file, --from {path / networks[0]}."
    if any(name == "checkpoint" or name.endswith((".index", ".ckpt")) for name in names):
        return "It is a checkpoint: weights without a network. Give a SavedModel, or freeze the graph with it."
    if "saved_model.pbtxt" in names:
        return "It holds saved_model.pbtxt, a SavedModel in text form. Export it in binary form."
    if "model.json" in names:
        return "It is a TensorFlow.js model. Convert it with tensorflowjs_converter, or give what it was made from."
    return "Give the folder that export wrote, with saved_model.pb and variables in it."


def _pixels(cut: CutGraph, graph_def: GraphDef, given: Scaling | None, kind: str, what: str) -> tuple[Scaling, str]:
    """The range of the pixels that the network expects, and how it is known.

    Raises:
        EdgeretrainError: it is not known.
    """
    if given is not None:
        return given, "from --scale"
    scales_itself = cut.pixels is not None and (cut.pixels == _RAW or cut.scaling(_RAW) != _RAW)
    if cut.pixels is not None and (scales_itself or kind != _HUB_MODULE):
        return cut.pixels, cut.pixels_by
    if kind == _HUB_MODULE:
        return _HUB_PIXELS, "TensorFlow Hub's convention; --scale overrides it"
    # Keras 3 numbers the layers of a network that is used twice: conv_pw_13_1.
    parts = {part for node in graph_def.node for part in node.name.split("/")}
    known = known_network(parts | {re.sub(r"_\d+$", "", part) for part in parts})
    if known is not None and known.scaling is not None:
        return known.scaling, f"as Keras' {known.name} was trained; --scale overrides it"
    raise unknown_scale(what)


def _cut_off(whole: CutGraph, output: str | None) -> str:
    if whole.classifier is not None:
        return f"; the {whole.classifier.weights.shape[1]:,} class scores of {output} are cut off"
    return f": {output}, as it is" if output is not None else ""


def _others(whole: CutGraph, layer: str, outputs: list[str]) -> str:
    """What else could be the bottleneck."""
    names = [*outputs, *(f"{other.tensor} ({other.length:,})" for other in whole.candidates if other.tensor != layer)]
    more = ", ..." if len(names) > 8 else ""
    return f" --layer could also be {', '.join(names[:8])}{more}." if names else ""


def _digest(folder: Path) -> str:
    """SHA-256 of the graph and the variables, each file with its name before it."""
    digest = hashlib.sha256()
    for path in (folder / GRAPH, *sorted((folder / "variables").glob("variables.*"))):
        digest.update(f"{path.name}\n{path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
