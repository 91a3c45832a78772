"""A backbone on disk: `<preset>.<precision>.tflite` and its card, `<preset>.<precision>.json`."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.atomic import write_atomic
from edgeretrain.files.fingerprint import sha256
from edgeretrain.precision import Precision


@dataclass(frozen=True)
class Backbone:
    """A `.tflite` file that turns a photo into a bottleneck, and its card.

    Attributes:
        path: the file. Input: raw RGB, 0 to 255, `float32 [1,S,S,3]` or, for int8, `uint8 [1,S,S,3]`. Output:
            `float32 [1,d]` or, for int8, `int8 [1,d]`.
        preset: the preset it was made from; the file's name for the user's own file without a card.
        precision: the requested precision for the user's own file without a card.
        size: S, the side of the input in pixels; 0 for the user's own file without a card (read it from the file).
        card: where it comes from; {} for the user's own file without a card.
    """

    path: Path
    preset: str
    precision: Precision
    size: int
    card: dict[str, Any]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the `.tflite` file, in hexadecimal."""
        return sha256(self.path)


class DamagedBackbone(EdgeretrainError):
    """A backbone file that does not match its card, or whose card cannot be read."""


def artifact_path(folder: Path, preset: str, precision: Precision) -> Path:
    """Where a folder of backbones keeps this one."""
    return folder / f"{preset}.{precision}.tflite"


def card_path(backbone: Path) -> Path:
    """Where the card of a backbone file lies: the same name with `.json`."""
    return backbone.with_suffix(".json")


def read_backbone(path: Path) -> Backbone:
    """Read the card beside a backbone file and check that it describes this very file.

    Raises:
        DamagedBackbone: there is no card, it cannot be read, or the file's size or SHA-256 is not the card's.
    """
    try:
        card = json.loads(card_path(path).read_text(encoding="utf-8"))
        backbone = Backbone(path, str(card["preset"]), card["precision"], int(card["resolution"]), card)
        expected, size = str(card["sha256"]), int(card["bytes"])
    except FileNotFoundError as error:
        raise DamagedBackbone(f"{path}: its card {card_path(path).name} is missing.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedBackbone(f"{card_path(path)}: not a backbone card ({error}).") from error
    try:
        if path.stat().st_size != size or backbone.digest != expected:
            raise DamagedBackbone(f"{path}: does not match its card (SHA-256 differs): it is damaged.")
    except OSError as error:
        raise DamagedBackbone(f"{path}: cannot be read ({error.strerror}).") from error
    return backbone


def write_backbone(folder: Path, model: bytes, card: dict[str, Any]) -> Backbone:
    """Write a backbone file and its card; `sha256` and `bytes` are added to the card here.

    The card is written last: a kill in between leaves a file that does not match its card, which is found as damage.

    Raises:
        EdgeretrainError: the folder cannot be written.
    """
    card = {**card, "sha256": hashlib.sha256(model).hexdigest(), "bytes": len(model)}
    path = artifact_path(folder, card["preset"], card["precision"])
    write_atomic(path, model, parents=True)
    text = json.dumps(card, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    write_atomic(card_path(path), text)
    # As it will be read: a report repeats the card, and must not depend on whether the backbone was just made or found.
    return Backbone(path, card["preset"], card["precision"], card["resolution"], json.loads(text))
