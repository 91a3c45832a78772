"""Finished models -> the assets of an Android app: checked, named, copied."""

import os
import re
import tempfile
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.classifier import Classifier
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.atomic import write_atomic
from edgeretrain.tflite.runtime import check_is_tflite


@dataclass(frozen=True)
class Asset:
    """A model in an app's assets.

    Attributes:
        model: the file it was copied from.
        file: where it is now.
        size: side of its input, pixels.
        labels: number of classes.
        length: bytes.
        replaced: whether it replaced another file of that name.
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

    Every model is loaded and run once before the first is copied; what is copied is what was run, even if the file
    changes meanwhile. Each gets the name `<run folder>-<precision>.tflite`,
    in lower case and of letters, digits, `_`, `.` and `-`: what an asset may be called on every system. A file of that
    name is replaced, so that a model can be retrained and exported again.

    Args:
        out: `android_demo/app/src/main/assets`, or another app's.
        runtime: as in `Classifier`.

    Raises:
        EdgeretrainError: a model is not one of ours, is damaged or does not run; a model is given twice, or two would
            get the same name; `out` cannot be written. Nothing is copied then, unless the disk becomes full on the way.
    """
    checked: dict[str, _Checked] = {}  # by the name of the asset
    first_with: dict[bytes, Path] = {}
    for path in models:
        model = _check(path, runtime)
        if model.content in first_with:
            raise EdgeretrainError(f"{path}: the same model as {first_with[model.content]}. Give each model once.")
        first_with[model.content] = path
        name = asset_name(path, model.card)
        if name in checked:
            raise EdgeretrainError(
                f"{path}: would be named {name}, like {checked[name].path}. Give their run folders different names."
            )
        checked[name] = model
    _make_folder(out)
    return [_copy(model, out / name) for name, model in checked.items()]


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


@dataclass(frozen=True)
class _Checked:
    """A model that loads and runs; `content` are the very bytes that did."""

    path: Path
    content: bytes
    card: dict[str, Any]
    size: int
    labels: int


def _check(model: Path, runtime: str | None) -> _Checked:
    """Read a model once, and load and run what was read: the file itself may change before it is copied."""
    check_is_tflite(model)
    try:
        content = model.read_bytes()
    except OSError as error:
        raise EdgeretrainError(f"{model}: cannot be read ({error.strerror}). Give a .tflite file.") from None
    with tempfile.TemporaryDirectory(prefix="edgeretrain-") as folder:
        snapshot = Path(folder) / "model.tflite"
        write_atomic(snapshot, content, hint="Free some space there, or set TMPDIR to another folder.")
        try:
            with Classifier(snapshot, runtime=runtime) as classifier:
                gray = np.full((classifier.size, classifier.size, 3), 128, np.uint8)
                finite = np.isfinite(classifier.probabilities(gray)).all()
        except EdgeretrainError as error:
            raise EdgeretrainError(str(error).replace(str(snapshot), str(model))) from None
    if not finite:
        raise EdgeretrainError(f"{model}: the model returns NaN or infinity. Make it again.")
    return _Checked(model, content, classifier.card, classifier.size, len(classifier.labels))


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise EdgeretrainError(f"{out}: is a file, not a folder. Choose another --out.") from None
    except OSError as error:
        raise EdgeretrainError(f"{out}: cannot be written ({error.strerror or error}). Choose another --out.") from None


def _copy(model: _Checked, file: Path) -> Asset:
    replaced = file.exists()
    write_atomic(file, model.content)
    return Asset(
        model=model.path,
        file=file,
        preset=str(model.card.get("preset", "")),
        precision=str(model.card.get("precision", "")),
        size=model.size,
        labels=model.labels,
        length=len(model.content),
        replaced=replaced,
    )
