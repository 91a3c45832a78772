"""A Keras file, `.keras` or `.h5`, with a whole network -> a `Source`.

No code of the file's runs: see `keras_config.py` for what is refused, on top of Keras' safe mode.
"""

import tempfile
import zipfile
from pathlib import Path
from typing import Any

from edgeretrain.backbone.hdf5 import UNREADABLE, require_self_contained
from edgeretrain.backbone.keras_model import first_line
from edgeretrain.backbone.source import Source, Wishes
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.fingerprint import sha256
from edgeretrain.importers.keras_archive import copy_checked
from edgeretrain.importers.keras_config import described_objects
from edgeretrain.importers.keras_cut import find_cut, is_map, named_cut, pooled
from edgeretrain.importers.keras_networks import Known, known_network, own_scaling
from edgeretrain.importers.keras_trace import Graph, run, trace
from edgeretrain.tflite.quiet import quiet


def open_keras_file(path: Path, wishes: Wishes) -> Source:
    """Open a Keras file with a whole network; Keras 2 and Keras 3 wrote it.

    Cut at the last global pooling, or at the input of its last dense layer; a feature map becomes its global average.

    Raises:
        EdgeretrainError: it is no such file, holds weights only, or would run code of its own; it does not take one
            RGB photo; its size, its scale or where to cut it cannot be told; there is no such layer.
    """
    if wishes.input is not None:
        raise EdgeretrainError(f"{path}: --input is for graphs; a Keras file says its input itself. Leave it out.")
    model = _load(path)
    size = _size(path, model, wishes.size)
    with quiet():
        graph = _trace(path, model, size)
    calls = graph.run.calls
    number = find_cut(graph, str(path)) if wishes.layer is None else named_cut(graph, wishes.layer, str(path))
    value = graph.run.output if number is None else calls[number].output
    layer = "its output" if number is None else calls[number].path
    known = known_network(call.name for call in calls)
    scaling, whence = _scaling(path, model, size, known, wishes.scaling)

    def network(scaled: Any) -> Any:
        again = run(model, scaled)
        return pooled(again.output if number is None else again.calls[number].output)

    average = f", the average of {value.shape[1]} x {value.shape[2]} positions" if is_map(value) else ""
    found = (
        f"Keras file, {known.name if known else f'{model.name}: no network of Keras Applications'}.",
        f"Input: {size} pixels, values {scaling} ({whence}).",
        f"Bottleneck: {layer}, {int(value.shape[-1]):,} values{average}.",
    )
    card = {
        "architecture": known.architecture if known else str(model.name),
        "source": {
            "kind": "Keras file",
            "file": path.name,
            "sha256": sha256(path),
            "layer": layer,
            "scale": str(scaling),
        },
    }
    return Source(network, size, scaling, graph.parameters(value), card, found)


def _load(path: Path) -> Any:
    import tensorflow as tf

    with tempfile.TemporaryDirectory(prefix="edgeretrain-") as folder:
        copy, config = copy_checked(path, Path(folder))
        if copy.suffix == ".keras":
            _check_weights(path, copy)
        _check_classes(path, config)
        # Layer names must not depend on what else this process has built: the same file twice, the same bytes.
        tf.keras.backend.clear_session()
        try:
            with quiet():
                return tf.keras.models.load_model(copy, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises whatever its classes raise
            raise EdgeretrainError(
                f"{path}: Keras {tf.keras.__version__} cannot load it ({_told(error, copy)}). Save it again with this "
                "version of Keras, or save it as a SavedModel with the version that wrote it."
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


def _check_classes(path: Path, config: dict[str, Any]) -> None:
    """Refuse by name what Keras does not know.

    Raises:
        EdgeretrainError: there is such a class.
    """
    import tensorflow as tf

    rooms = ("layers", "models", "initializers", "regularizers", "constraints", "dtype_policies", "mixed_precision")
    for one in described_objects(config):
        name, module = one["class_name"], one.get("module") or ""
        if name == "function" or name.startswith("__") or name == "Functional" or ".ops" in module:
            continue
        if not any(hasattr(getattr(tf.keras, room, None), name) for room in rooms):
            raise EdgeretrainError(
                f"{path}: needs the class {name}, which Keras {tf.keras.__version__} does not have and a file cannot "
                "bring: it would be code of its own. Save the network as a SavedModel and give --from that folder."
            )


def _size(path: Path, model: Any, wish: int | None) -> int:
    """The side of the photo.

    Raises:
        EdgeretrainError: the network does not take one square RGB photo, or not of the size that is wished.
    """
    shape = getattr(model, "input_shape", None)
    if not (isinstance(shape, tuple) and len(shape) == 4):
        raise EdgeretrainError(
            f"{path}: takes not one photo but {_shapes(shape)}. Give a network with one image input."
        )
    height, width, channels = shape[1:]
    if channels not in (3, None):
        raise EdgeretrainError(
            f"{path}: takes {_shapes(shape)}, not RGB photos with three colours last. Give a network that does."
        )
    if height != width:
        raise EdgeretrainError(f"{path}: takes photos of {height} x {width} pixels. Give a network of square photos.")
    if height is None and wish is None:
        raise EdgeretrainError(
            f"{path}: takes photos of any size. Give --size, the side in pixels, such as --size 224."
        )
    if wish is not None and height not in (None, wish):
        raise EdgeretrainError(f"{path}: takes photos of {height} x {height} pixels only. Leave out --size.")
    return int(height or wish or 0)


def _trace(path: Path, model: Any, size: int) -> Graph:
    try:
        return trace(model, size)
    except Exception as error:  # TensorFlow raises whatever its kernels raise
        raise EdgeretrainError(
            f"{path}: cannot take photos of {size} x {size} pixels ({_told(error)}). Give a larger --size, or the one "
            "it was trained at."
        ) from error


def _scaling(path: Path, model: Any, size: int, known: Known | None, wish: Scaling | None) -> tuple[Scaling, str]:
    """How the network wants its pixels, and how that is known.

    Raises:
        EdgeretrainError: it cannot be told.
    """
    if wish is not None:
        return wish, "given"
    ask = "Give --scale, such as --scale=-1..1, --scale=0..1 or --scale=0..255: the range it was trained with."
    try:
        with quiet():
            own = own_scaling(model, size)
    except ValueError as error:
        raise EdgeretrainError(f"{path}: does not say how it wants its pixels: {error}. {ask}") from error
    if own is not None:
        return own, "it scales them itself"
    if known is None:
        raise EdgeretrainError(f"{path}: does not say how it wants its pixels. {ask}")
    if known.scaling is None:
        raise EdgeretrainError(
            f"{path}: is a {known.name}, which wants blue before red and the mean subtracted: no --scale says that. "
            "Put its preprocessing into the network, or give the --scale it was trained with, if it was another."
        )
    return known.scaling, f"how Keras' {known.name} was trained; --scale says otherwise"


def _shapes(shape: Any) -> str:
    if isinstance(shape, tuple) and not any(isinstance(one, tuple | list) for one in shape):
        return str(list(shape[1:]))
    return "several inputs" if shape is not None else "something that it does not tell"


def _told(error: Exception, copy: Path | None = None) -> str:
    """What went wrong, in one line of bearable length, without the name of our copy."""
    text = first_line(error)
    if copy is not None:
        text = text.replace(str(copy), copy.name)
    return text if len(text) <= 200 else f"{text[:200]}..."
