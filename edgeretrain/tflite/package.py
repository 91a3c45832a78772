"""Labels and card of a model file, read with nothing but the standard library.

TFLite metadata packs its associated files as a zip archive behind the flatbuffer, so `unzip -p model.tflite labels.txt`
works on every one of our models.
"""

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeretrain.errors import EdgeretrainError

LABELS_MEMBER = "labels.txt"
CARD_MEMBER = "edgeretrain.json"


@dataclass(frozen=True)
class Package:
    """What a model file carries behind its flatbuffer.

    Attributes:
        labels: class names in the order of the output vector.
        card: how the model was made (preset, precision, fit, head ...); empty for a model that is not ours.
    """

    labels: tuple[str, ...]
    card: dict[str, Any]


def pack(flatbuffer: bytes, labels: tuple[str, ...], card: dict[str, Any]) -> bytes:
    """A model file: the flatbuffer, and behind it the zip archive of labels and card.

    The card gets `flatbuffer_sha256`, so that a damaged file is found before it answers nonsense.
    """
    card = {**card, "flatbuffer_sha256": hashlib.sha256(flatbuffer).hexdigest()}
    file = io.BytesIO(flatbuffer)
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a") as archive:
        for name, text in (
            (LABELS_MEMBER, labels_text(labels)),
            (CARD_MEMBER, json.dumps(card, sort_keys=True, indent=1)),
        ):
            # A fixed date: the same model gives the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    return file.getvalue()


def labels_text(labels: tuple[str, ...]) -> str:
    """The content of `labels.txt`: one label a line."""
    return "".join(f"{label}\n" for label in labels)


def read_package(path: Path) -> Package:
    """Labels and card of a model file.

    Raises:
        EdgeretrainError: the file has no labels inside, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
            if CARD_MEMBER in members:
                labels = _labels(archive.read(LABELS_MEMBER))
                card = json.loads(archive.read(CARD_MEMBER))
                if not isinstance(card, dict):
                    raise ValueError(f"{CARD_MEMBER} is not a JSON object")
                _check_flatbuffer(path, min(info.header_offset for info in members.values()), card)
                return Package(labels, card)
            # Other makers name the file as they like; the metadata's own reader takes the first text file too.
            texts = sorted(name for name in members if name.endswith(".txt"))
            if texts:
                return Package(_labels(archive.read(texts[0])), {})
    except OSError as error:
        raise EdgeretrainError(f"{path}: cannot be read ({error.strerror}).") from None
    except zipfile.BadZipFile:
        pass
    # Damage can also look like a compression method, a zip version or an encryption that there is not.
    except (KeyError, ValueError, RuntimeError, EOFError, zlib.error) as error:
        raise EdgeretrainError(f"{path}: the model file is damaged ({error}). Copy or make it again.") from None
    raise EdgeretrainError(
        f"{path}: there are no labels inside this file. Use a model written by `edgeretrain retrain`; "
        "if it is one, its end is cut off: copy it again."
    )


def has_card(path: Path) -> bool:
    """Whether the file is, or once was, a classifier written by edgeretrain: a damaged one still shows it."""
    return CARD_MEMBER.encode() in path.read_bytes()[-65536:]


def _labels(text: bytes) -> tuple[str, ...]:
    # Not splitlines(): a label may hold any character but a newline.
    return tuple(line.rstrip("\r") for line in text.decode().removesuffix("\n").split("\n"))


def _check_flatbuffer(path: Path, length: int, card: dict[str, Any]) -> None:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(min(length, 1 << 20)):
            digest.update(chunk)
            length -= len(chunk)
    if digest.hexdigest() != card.get("flatbuffer_sha256"):
        raise EdgeretrainError(f"{path}: the model file is damaged (its checksum differs). Copy or make it again.")
