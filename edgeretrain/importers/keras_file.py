"""A Keras file, `.keras` or `.h5`, with a whole network -> a `BackboneSource`.

No code from the file runs: see `keras_config.py` for what is refused, on top of Keras' safe mode.
"""

import tempfile
import zipfile
from pathlib import Path

from edgeretrain.backbone.hdf5 import UNREADABLE, require_self_contained
from edgeretrain.backbone.source import BackboneSource, SourceCard, SourceOverrides, unknown_scale
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.describe import first_line
from edgeretrain.files.fingerprint import sha256
from edgeretrain.importers.graph import CutGraph, cut_graph
from edgeretrain.importers.keras_archive import copy_checked
from edgeretrain.importers.keras_config import Config, described_objects
from edgeretrain.importers.keras_graph import KerasGraph, find_layer, keras_graph, shape_text
from edgeretrain.importers.keras_networks import Known, known_network, own_scaling
from edgeretrain.tflite.quiet import quiet
from edgeretrain.tflite.tensorflow_types import KerasModel


def open_keras_file(path: Path, overrides: SourceOverrides) -> BackboneSource:
    """Open a Keras file with a whole network; Keras 2 and Keras 3 wrote it.

    Cut at the last global pooling, or at the input of its last dense layer; a feature map becomes its global average.

    Raises:
        EdgeretrainError: it is not such a file, holds only weights, or would run its own code; it does not take one
            RGB photo; its size, its scale or the cut is unknown; there is no such layer.
    """
    if overrides.input is not None:
        raise EdgeretrainError(f"{path}: --input is only for graphs; the input of a Keras file is known. Leave it out.")
    model = _load(path)
    size = _size(path, model, overrides.size)
    graph = _traced(path, model, size)
    cut, layer = _cut(path, graph, overrides.layer, size)
    known = known_network(call.name for call in graph.calls)
    pixels, origin = _pixels(path, cut, graph, known, overrides.scaling)
    average = f", the average of {cut.grid[0]} x {cut.grid[1]} positions" if cut.grid is not None else ""
    notes = (
        f"Keras file, {known.name if known else f'{model.name}: no network of Keras Applications'}.",
        f"Input: {size} pixels, values {pixels} ({origin}).",
        f"Bottleneck: {layer}, {cut.length:,} values{average}.",
    )
    card: SourceCard = {
        "architecture": known.architecture if known else str(model.name),
        "source": {
            "kind": "Keras file",
            "file": path.name,
            "sha256": sha256(path),
            "layer": layer,
            "scale": str(pixels),
        },
    }
    return BackboneSource(cut.network, size, cut.scaling(pixels), cut.parameters, card, notes)


def _cut(path: Path, graph: KerasGraph, layer: str | None, size: int) -> tuple[CutGraph, str]:
    """The network cut at the layer that the user names, or else at its last global pooling (those inside a block do
    not count), or at what its last dense layer takes, or at its output; and the name of that place.

    Raises:
        EdgeretrainError: there is no such place; see `cut_graph`.
    """
    what, output = str(path), graph.output
    if layer is not None:
        call = find_layer(graph, layer, what)
        named = SourceOverrides(layer=call.output)
        return cut_graph(graph.graph_def, named, what=what, input=graph.photo, side=size), call.path
    if output.output is None:
        raise _no_end(path, graph)
    cut = cut_graph(graph.graph_def, SourceOverrides(), what=what, input=graph.photo, output=output.output, side=size)
    if cut.pooling is not None:
        return cut if cut.pooling == cut.layer else cut.at(cut.pooling), graph.path_of(cut.pooling)
    if cut.classifier is not None:
        return cut, graph.path_of(cut.layer)
    if cut.dense_input is not None:
        return cut.at(cut.dense_input), graph.path_of(cut.dense_input)
    if not output.is_bottleneck:
        raise _no_end(path, graph)
    return cut, "its output"


def _no_end(path: Path, graph: KerasGraph) -> EdgeretrainError:
    ending = "has several outputs"
    if graph.output.output is not None:
        ending = f"ends in {shape_text(graph.output)}, without a global pooling or a dense layer before"
    return EdgeretrainError(f"{path}: {ending}. Give --layer NAME, the layer to cut it at, such as {graph.examples()}.")


def _load(path: Path) -> KerasModel:
    import tensorflow as tf

    with tempfile.TemporaryDirectory(prefix="edgeretrain-") as folder:
        copy, config = copy_checked(path, Path(folder))
        if copy.suffix == ".keras":
            _check_weights(path, copy)
        _check_classes(path, config)
        # Layer names must not depend on other models of this process: the same file gives the same bytes.
        tf.keras.backend.clear_session()
        try:
            with quiet():
                return tf.keras.models.load_model(copy, compile=False, safe_mode=True)
        except Exception as error:  # Keras' classes raise many types
            reason = first_line(error).replace(str(copy), copy.name)
            raise EdgeretrainError(
                f"{path}: Keras {tf.keras.__version__} cannot load it ({reason}). Save it again with this version of "
                "Keras, or save it as a SavedModel with the version that wrote it."
            ) from error


def _check_weights(path: Path, copy: Path) -> None:
    """Refuse weights that are not in the file itself.

    Raises:
        EdgeretrainError: there are some, or they are not in HDF5 format.
    """
    import h5py

    try:
        with zipfile.ZipFile(copy) as archive, archive.open("model.weights.h5") as member, h5py.File(member) as file:
            require_self_contained(path, file)
    except UNREADABLE as error:
        raise EdgeretrainError(
            f"{path}: its model.weights.h5 is damaged ({first_line(error)}). Save the network again, `model.save(...)`."
        ) from error


def _check_classes(path: Path, config: Config) -> None:
    """Refuse by name what Keras does not know.

    Raises:
        EdgeretrainError: there is such a class.
    """
    import tensorflow as tf

    rooms = ("layers", "models", "initializers", "regularizers", "constraints", "dtype_policies", "mixed_precision")
    for described in described_objects(config):
        name, module = described["class_name"], described.get("module") or ""
        if name == "function" or name.startswith("__") or name == "Functional" or ".ops" in module:
            continue
        if not any(hasattr(getattr(tf.keras, room, None), name) for room in rooms):
            raise EdgeretrainError(
                f"{path}: needs the class {name}, which Keras {tf.keras.__version__} does not have. It would be "
                "custom code, which edgeretrain does not run. Save the network as a SavedModel and give --from that "
                "folder."
            )


def _size(path: Path, model: KerasModel, given: int | None) -> int:
    """The side of the photo.

    Raises:
        EdgeretrainError: the network does not take one square RGB photo, or not of the given size.
    """
    shape = getattr(model, "input_shape", None)
    if not (isinstance(shape, tuple) and len(shape) == 4):
        raise EdgeretrainError(
            f"{path}: takes {_shapes(shape)} instead of one photo. Give a network with one image input."
        )
    height, width, channels = shape[1:]
    if channels not in (3, None):
        raise EdgeretrainError(
            f"{path}: takes {_shapes(shape)}, not RGB photos with the colours last. Give a network that takes "
            "[size, size, 3]."
        )
    if height != width:
        raise EdgeretrainError(f"{path}: takes photos of {height} x {width} pixels. Give a network for square photos.")
    if height is None and given is None:
        raise EdgeretrainError(
            f"{path}: takes photos of any size. Give --size, the side in pixels, such as --size 224."
        )
    if given is not None and height not in (None, given):
        raise EdgeretrainError(f"{path}: takes photos of {height} x {height} pixels only. Leave out --size.")
    return int(height or given or 0)


def _traced(path: Path, model: KerasModel, size: int) -> KerasGraph:
    try:
        with quiet():
            return keras_graph(model, size, str(path))
    except EdgeretrainError:
        raise
    except Exception as error:  # TensorFlow's kernels raise many types
        raise EdgeretrainError(
            f"{path}: cannot take photos of {size} x {size} pixels ({first_line(error)}). Give a larger --size, or the "
            "one it was trained at."
        ) from error


def _pixels(
    path: Path, cut: CutGraph, graph: KerasGraph, known: Known | None, given: Scaling | None
) -> tuple[Scaling, str]:
    """The range of the pixels that the network expects, and how it is known.

    Raises:
        EdgeretrainError: it is not known.
    """
    if given is not None:
        return given, "from --scale"
    try:
        own = own_scaling(cut, graph)
    except ValueError as error:
        raise unknown_scale(str(path), str(error)) from error
    if own is not None:
        return own, "it scales them itself"
    if known is None:
        raise unknown_scale(str(path))
    if known.scaling is None:
        raise EdgeretrainError(
            f"{path}: is a {known.name}, which expects BGR pixels with the mean subtracted. No --scale can express "
            "that. Put its preprocessing into the network, or give the --scale it was trained with, if it was another."
        )
    return known.scaling, f"as Keras' {known.name} was trained; --scale overrides it"


def _shapes(shape: object) -> str:
    if isinstance(shape, tuple) and not any(isinstance(part, tuple | list) for part in shape):
        return str(list(shape[1:]))
    return "several inputs" if shape is not None else "an input of unknown shape"
