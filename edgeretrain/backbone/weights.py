"""Keras weight files: what they are called, where they are, what they hold, and how to fetch them."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeretrain.backbone.presets import Preset
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.download import download
from edgeretrain.files.fingerprint import sha256
from edgeretrain.progress import Progress, silent

KERAS_URL = "https://storage.googleapis.com/tensorflow/keras-applications"
"""Where Keras Applications downloads from; EDGERETRAIN_WEIGHTS_URL names a mirror with the same folders."""

LICENCE = "Apache-2.0"
COPYRIGHT = "Google LLC and The TensorFlow Authors (tensorflow/models slim; Keras Applications)"

# Keras names two files' MD5 (keras/src/applications/nasnet.py, inception_v3.py); for the others it names none.
_MD5 = {
    "NASNet-mobile-no-top.h5": "1ed92395b5b598bdda52abe5c0dbfd63",
    "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5": "bcbd6486424b2319ff4ef7d526e38f63",
}
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Weights:
    """A weight file and what a backbone's card says about it; `digest` is the SHA-256 of what `file` names."""

    path: Path
    source: str
    file: str
    licence: str
    copyright: str
    digest: str = ""

    def card(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "file": self.file,
            "sha256": self.digest or sha256(self.path),
            "licence": self.licence,
            "copyright": self.copyright,
        }


def weights_file(preset: Preset) -> str:
    """Keras' name for the weights of a preset: without its classifier, unless its bottleneck is the classifier's."""
    if preset.architecture == "mobilenet_v1":
        alpha = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}[preset.alpha]
        return f"mobilenet_{alpha}_{preset.resolution}_tf{'' if preset.logits else '_no_top'}.h5"
    if preset.architecture == "mobilenet_v2":
        return f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{preset.alpha}_{preset.resolution}_no_top.h5"
    if preset.architecture == "inception_v3":
        return "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return "NASNet-mobile-no-top.h5"


def weights_url(preset: Preset) -> str:
    """Where that file is downloaded from."""
    base = os.environ.get("EDGERETRAIN_WEIGHTS_URL", KERAS_URL).rstrip("/")
    folder = {"mobilenet_v1": "mobilenet", "nasnet_mobile": "nasnet"}.get(preset.architecture, preset.architecture)
    return f"{base}/{folder}/{weights_file(preset)}"


def local_weights(preset: Preset, cache: Path) -> Weights | None:
    """The weights of a preset if they are on this machine: in the EDGERETRAIN_WEIGHTS folder, or downloaded before."""
    name = weights_file(preset)
    if folder := os.environ.get("EDGERETRAIN_WEIGHTS"):
        path = Path(folder).expanduser() / name
        if path.is_file():
            return Weights(path, "Keras Applications, from the EDGERETRAIN_WEIGHTS folder", name, LICENCE, COPYRIGHT)
    path = cache / name
    return Weights(path, "Keras Applications", name, LICENCE, COPYRIGHT) if path.is_file() else None


def given_weights(path: Path) -> Weights:
    """A weight file that the user names; whose it is and under which licence, only the user knows."""
    if not path.is_file():
        raise EdgeretrainError(f"{path}: no such weight file. Give --weights a Keras .h5 file.")
    return Weights(path, "a file of the user's", path.name, "not recorded", "not recorded")


def find_weights(preset: Preset, cache: Path, *, progress: Progress = silent) -> Weights:
    """The weights of a preset, downloaded into the folder `cache` when they are nowhere on this machine.

    Raises:
        EdgeretrainError: the download failed.
    """
    if found := local_weights(preset, cache):
        return found
    name = weights_file(preset)
    download(
        weights_url(preset),
        cache / name,
        step="Downloading weights",
        fault=lambda path: _fault(path, name),
        ways_out=f"Try again later, or put {name} into a folder and name that folder in EDGERETRAIN_WEIGHTS, or give "
        "the file with --weights FILE.",
        progress=progress,
    )
    found = local_weights(preset, cache)
    assert found is not None
    return found


def _fault(path: Path, name: str) -> str | None:
    """What is wrong with a downloaded weight file that is to be called `name`, or None."""
    with path.open("rb") as file:
        if file.read(len(_HDF5_MAGIC)) != _HDF5_MAGIC:
            return "what came back is not an HDF5 weight file"
        if name in _MD5:
            md5 = hashlib.md5(usedforsecurity=False)
            file.seek(0)
            while block := file.read(1 << 20):
                md5.update(block)
            if md5.hexdigest() != _MD5[name]:
                return "its MD5 is not the one that Keras names"
    return None
