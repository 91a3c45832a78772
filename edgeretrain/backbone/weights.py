"""Keras weight files: their names, where they are, and how to download them."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from edgeretrain.backbone.families import KERAS_URL
from edgeretrain.backbone.presets import Preset
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.download import download
from edgeretrain.files.fingerprint import sha256
from edgeretrain.progress import Progress, silent

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


class WeightsCard(TypedDict, total=False):
    """What a backbone's card says of its weights; random ones, for tests, have only a source."""

    source: str
    file: str
    sha256: str
    licence: str
    copyright: str


@dataclass(frozen=True)
class Weights:
    """A weight file, and what a backbone's card says of it; `digest` is the SHA-256 of the file called `file`."""

    path: Path
    source: str
    file: str
    licence: str
    copyright: str
    digest: str = ""

    def card(self) -> WeightsCard:
        """For the card of a backbone."""
        return {
            "source": self.source,
            "file": self.file,
            "sha256": self.digest or sha256(self.path),
            "licence": self.licence,
            "copyright": self.copyright,
        }


def weights_file(preset: Preset) -> str:
    """Keras' name for the weights of a preset: without its classifier, unless its bottleneck is the classifier's."""
    return _address(preset).rpartition("/")[2]


def weights_url(preset: Preset) -> str:
    """Where that file is downloaded from."""
    base = os.environ.get("EDGERETRAIN_WEIGHTS_URL", KERAS_URL).rstrip("/")
    return f"{base}/{_address(preset)}"


def _address(preset: Preset) -> str:
    """Folder and name of the weight file, below KERAS_URL."""
    family, alpha = preset.family, preset.alpha
    pattern = family.weights_with_classifier if preset.logits else family.weights
    digits = "_".join(str(round(alpha * 100))[:2])
    return pattern.format(alpha=alpha, digits=digits, resolution=preset.resolution)


def local_weights(preset: Preset, cache: Path) -> Weights | None:
    """The weights of a preset if they are on this machine: in the EDGERETRAIN_WEIGHTS folder, or downloaded before."""
    name = weights_file(preset)
    if folder := os.environ.get("EDGERETRAIN_WEIGHTS"):
        path = Path(folder).expanduser() / name
        if path.is_file():
            return weights_of(preset, path, source=f"{preset.family.source}, from the EDGERETRAIN_WEIGHTS folder")
    path = cache / name
    return weights_of(preset, path) if path.is_file() else None


def weights_of(
    preset: Preset, path: Path, *, source: str | None = None, file: str | None = None, digest: str = ""
) -> Weights:
    """A preset's published weights in the file `path`, under the family's licence.

    Args:
        source, file, digest: what the card says where that is not the family's source and the file itself.
    """
    family = preset.family
    return Weights(path, source or family.source, file or path.name, family.licence, family.copyright, digest)


def given_weights(path: Path) -> Weights:
    """The user's own weight file; its origin and licence are not known."""
    if not path.is_file():
        raise EdgeretrainError(f"{path}: no such weight file. Give --weights a Keras .h5 file.")
    return Weights(path, "a file of the user's", path.name, "not recorded", "not recorded")


def find_weights(preset: Preset, cache: Path, *, progress: Progress = silent) -> Weights:
    """The weights of a preset, downloaded into the folder `cache` if they are not on this machine.

    Raises:
        EdgeretrainError: the download failed.
    """
    if weights := local_weights(preset, cache):
        return weights
    name = weights_file(preset)
    download(
        weights_url(preset),
        cache / name,
        step="Downloading weights",
        validate=lambda path: _wrong_with(path, preset.family.md5),
        hint=f"Try again later, or put {name} into a folder and name that folder in EDGERETRAIN_WEIGHTS, or give "
        "the file with --weights FILE.",
        progress=progress,
    )
    weights = local_weights(preset, cache)
    assert weights is not None
    return weights


def _wrong_with(path: Path, md5: str) -> str | None:
    """What is wrong with a downloaded weight file, or None; `md5`: published by Keras, or ""."""
    with path.open("rb") as file:
        if file.read(len(_HDF5_MAGIC)) != _HDF5_MAGIC:
            return "the downloaded file is not an HDF5 weight file"
        if md5:
            digest = hashlib.md5(usedforsecurity=False)
            file.seek(0)
            while block := file.read(1 << 20):
                digest.update(block)
            if digest.hexdigest() != md5:
                return "its MD5 is not the one that Keras publishes"
    return None
