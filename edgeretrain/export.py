"""Finished models -> the assets of an Android app: checked, named, copied."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgeretrain.classifier import Classifier
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.atomic import write_atomic


@dataclass(frozen=True)
class Asset:
    """A model in an app's assets.

    Attributes:
        model: the file it was copied from.
        file: where it is now.
        size: side of its input, pixels.
        labels: how many classes it tells apart.
        length: bytes.
        replaced: whether another file of that name made way for it.
    """

    model: Path
    file: Path
    preset: str
    precision: str
    size: int
    labels: int
    length: int
    replaced: bool


def export_android(models: Sequence[Path], out: Path, *, runtime: str | None = None) -> list[Asset]:
    """Copy models into an Android app's assets folder, which is made if need be.

    Every model is loaded and run once before the first is copied. Each gets the name `<run folder>-<precision>.tflite`,
    in lower case and of letters, digits, `_`, `.` and `-`: what an asset may be called on every system. A file of that
    name is replaced, so that a model can be retrained and exported again.

    Args:
        out: `android_demo/app/src/main/assets`, or another app's.
        runtime: as in `Classifier`.

    Raises:
        EdgeretrainError: a model is not one of ours, is damaged or does not run; a model is given twice, or two would
            get the same name; `out` cannot be written. Nothing was copied then, unless the disk filled up.
    """
    named: dict[str, tuple[Path, Classifier]] = {}
    contents: dict[str, Path] = {}
    for model in models:
        classifier = _checked(model, runtime)
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
        if digest in contents:
            raise EdgeretrainError(f"{model}: the same model as {contents[digest]}. Give each model once.")
        contents[digest] = model
        name = asset_name(model, classifier.card)
        if name in named:
            raise EdgeretrainError(
                f"{model}: would be named {name}, as {named[name][0]} would. Give their run folders different names."
            )
        named[name] = model, classifier
    _make_folder(out)
    return [_copied(model, classifier, out / name) for name, (model, classifier) in named.items()]


def asset_name(model: Path, card: dict[str, object]) -> str:
    """The name of a model in an app's assets.

    >>> asset_name(Path("Été 2026/model.int8.tflite"), {"precision": "int8", "preset": "mobilenet_v2_100_224"})
    'ete_2026-int8.tflite'
    """
    # The run folder's name says what the model is about; the file's own only repeats the precision.
    run = _plain(Path(os.path.realpath(model)).parent.name) or _plain(str(card.get("preset", ""))) or "model"
    return f"{run}-{_plain(str(card.get('precision', ''))) or 'unknown'}.tflite"


def _plain(name: str) -> str:
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    # No dot or dash at the start: aapt leaves hidden files out.
    return re.sub(r"[^a-z0-9_.-]+", "_", ascii_name.lower()).strip("_.-")


def _checked(model: Path, runtime: str | None) -> Classifier:
    classifier = Classifier(model, runtime=runtime)
    gray = np.full((classifier.size, classifier.size, 3), 128, np.uint8)
    if not np.isfinite(classifier.probabilities(gray)).all():
        raise EdgeretrainError(f"{model}: the model answers with numbers that are none. Make it again.")
    return classifier


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise EdgeretrainError(f"{out}: is a file, not a folder. Choose another --out.") from None
    except OSError as error:
        raise EdgeretrainError(f"{out}: cannot be written ({error.strerror or error}). Choose another --out.") from None


def _copied(model: Path, classifier: Classifier, file: Path) -> Asset:
    content = model.read_bytes()
    replaced = file.exists()
    write_atomic(file, content)
    preset, precision = str(classifier.card.get("preset", "")), str(classifier.card.get("precision", ""))
    return Asset(model, file, preset, precision, classifier.size, len(classifier.labels), len(content), replaced)
