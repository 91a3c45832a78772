"""What a backbone can be made from: a file, a folder or a handle becomes a `BackboneSource`. One module for each kind.

All need TensorFlow, which the caller has checked (`require_tensorflow`).
"""

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from edgeretrain.backbone.source import BackboneSource, SourceOverrides
from edgeretrain.errors import EdgeretrainError
from edgeretrain.progress import Progress, silent

KINDS = (
    "a Keras file (.keras, .h5), the folder of a SavedModel or of a TensorFlow Hub module, a TensorFlow Hub handle "
    "(https://...), a frozen graph (.pb) or a .tflite file"
)


def open_source(source: str, overrides: SourceOverrides, *, progress: Progress = silent) -> BackboneSource:
    """Open a source by its path or handle.

    Args:
        source: a path or a handle: KINDS.
        overrides: the user's options; the rest is read from the source.

    Raises:
        EdgeretrainError: it does not exist; it is damaged; it has no image input; the cut, its size or its scale is
            unknown and must be given; it would run its own code.
    """
    if "://" in source:
        return _open_address(source, overrides, progress)
    path = Path(source).expanduser()
    if path.is_dir():
        from edgeretrain.importers.saved_model import open_saved_model

        return open_saved_model(path, overrides)
    if not path.is_file():
        raise EdgeretrainError(f"{source}: no such file or folder. Give --from {KINDS}.")
    suffix = path.suffix.lower()
    if suffix in (".keras", ".h5", ".hdf5"):
        from edgeretrain.importers.keras_file import open_keras_file

        return open_keras_file(path, overrides)
    if suffix == ".pb":
        from edgeretrain.importers.frozen_graph import open_frozen_graph

        return open_frozen_graph(path, overrides)
    if suffix in (".tflite", ".lite"):
        from edgeretrain.importers.tflite_file import open_tflite_file

        return open_tflite_file(path, overrides)
    raise EdgeretrainError(f"{source}: is not a kind of network file that edgeretrain knows. Give --from {KINDS}.")


def _open_address(address: str, overrides: SourceOverrides, progress: Progress) -> BackboneSource:
    """Open what a handle or another address names; its card says which."""
    from edgeretrain.importers.hub import ARCHIVES, fetch, public_address

    path, public = fetch(address, progress=progress), public_address(address)
    if path.is_dir():
        from edgeretrain.importers.saved_model import open_saved_model

        is_handle = not urlsplit(address).path.lower().endswith(ARCHIVES)
        return open_saved_model(path, overrides, address=public, hub=is_handle)
    source = open_source(str(path), overrides, progress=progress)
    return replace(source, card={**source.card, "source": {**source.card.get("source", {}), "handle": public}})
