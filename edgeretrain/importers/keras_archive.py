"""A Keras file -> a copy that is safe to load: its configuration is checked, and nothing unnecessary is copied."""

import json
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from edgeretrain.backbone.hdf5 import UNREADABLE, require_self_contained
from edgeretrain.backbone.keras_model import weights_in
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.archive import DAMAGED
from edgeretrain.files.describe import first_line
from edgeretrain.files.foreign import foreign_file
from edgeretrain.importers.keras_2 import as_keras_3
from edgeretrain.importers.keras_config import Config, code_in

_MEMBERS = ("metadata.json", "config.json", "model.weights.h5")
_LARGEST_CONFIG = 100_000_000
"""Bytes; that of the largest network of Keras Applications has 2 million."""

_HINT = "Give --from a .keras or .h5 file that `model.save(...)` wrote."


def copy_checked(path: Path, folder: Path) -> tuple[Path, Config]:
    """Copy a Keras file into `folder`, changed so that Keras 3 loads it and without what is not needed.

    The weights in a .keras archive are copied unread; that takes h5py, see `hdf5.py`.

    Returns:
        The copy, and the configuration of the network.

    Raises:
        EdgeretrainError: no whole network in a format of Keras', or it would run code of its own.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if start.startswith(b"PK\x03\x04"):
        return _copy_zip(path, folder / "network.keras")
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return _copy_hdf5(path, folder / "network.h5")
    raise _not_keras(path, _kind(start))


def _copy_zip(path: Path, copy: Path) -> tuple[Path, Config]:
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if member.startswith(("/", "\\")) or ".." in PurePosixPath(member.replace("\\", "/")).parts:
                    raise EdgeretrainError(f"{path}: would write outside its folder ({member}). It was not loaded.")
            missing = [name for name in _MEMBERS if name not in archive.namelist()]
            if missing:
                raise _not_keras(path, f"a zip archive without {missing[0]}")
            if archive.getinfo("config.json").file_size > _LARGEST_CONFIG:
                raise _not_keras(path, "its config.json is too large")
            config = _checked(path, archive.read("config.json"))
            config.pop("compile_config", None)
            with zipfile.ZipFile(copy, "w") as target:
                target.writestr("metadata.json", archive.read("metadata.json"))
                target.writestr("config.json", json.dumps(config))
                with archive.open("model.weights.h5") as weights, target.open("model.weights.h5", "w") as to:
                    shutil.copyfileobj(weights, to, 1 << 20)
    except (OSError, *DAMAGED) as error:
        raise _not_keras(path, f"a damaged zip archive ({first_line(error)})") from error
    return copy, config


def _copy_hdf5(path: Path, copy: Path) -> tuple[Path, Config]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            require_self_contained(path, file)
            text = file.attrs.get("model_config")
            weights_only = "layer_names" in file.attrs or "layers" in file or "_layer_checkpoint_dependencies" in file
        if text is None and weights_only:
            raise _weights_only(path)
        if text is None:
            raise _not_keras(path, "an HDF5 file without a model_config")
        config = _checked(path, text)
        shutil.copyfile(path, copy)
        copy.chmod(0o600)
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = json.dumps(config).encode()
            file.attrs.pop("training_config", None)
    except UNREADABLE as error:
        raise _not_keras(path, f"a damaged HDF5 file ({first_line(error)})") from error
    return copy, config


def _checked(path: Path, text: str | bytes) -> Config:
    """The configuration, ready for Keras 3."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_keras(path, "its configuration is not valid JSON") from error
    if not (isinstance(config, dict) and "class_name" in config and isinstance(config.get("config"), dict | list)):
        raise _not_keras(path, "its configuration does not describe a network")
    if reason := code_in(config):
        raise EdgeretrainError(
            f"{path}: {reason}. edgeretrain runs no code from a file, so it was not loaded. Save the network without "
            "that layer (Rescaling does what most Lambda layers do), or save it as a SavedModel."
        )
    try:
        return as_keras_3(config)
    except RecursionError as error:
        raise _not_keras(path, "its configuration is nested too deeply") from error


def _kind(start: bytes) -> str:
    if not start:
        return "it is empty"
    if (found := foreign_file(start)) is not None:
        return f"it is {found.what}. {found.advice}"
    if start.lstrip()[:1] == b"<":
        return "it is a web page"
    return "it is neither a zip archive nor an HDF5 file"


def _not_keras(path: Path, reason: str) -> EdgeretrainError:
    return EdgeretrainError(f"{path}: not a Keras network: {reason}. {_HINT}")


def _weights_only(path: Path) -> EdgeretrainError:
    holds = weights_in(path)
    what = f"the weights of {holds}" if holds else "weights"
    return EdgeretrainError(
        f"{path}: holds only {what}, not the network they belong to. {_HINT} Weights of a preset are used by "
        "`edgeretrain backbone build PRESET --weights FILE`."
    )
