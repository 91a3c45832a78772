"""Where a backbone is found: the user's own file, bundled, cached, or built from weights.

In the cache there are also backbones under names of the user's own, made from other networks (`importers/`). They are
found by their name, as presets are.
"""

import contextlib
import importlib.util
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgeretrain.backbone.artifact import Backbone, DamagedBackbone, artifact_path, card_path, read_backbone
from edgeretrain.backbone.presets import BUILDABLE, LOGITS, PRESETS, get_preset
from edgeretrain.backbone.weights import local_weights, weights_file
from edgeretrain.errors import EdgeretrainError
from edgeretrain.paths import backbone_cache, bundled_folder, weights_cache
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.progress import Progress, silent
from edgeretrain.tflite.package import has_card
from edgeretrain.tflite.runtime import check_is_tflite

Origin = Literal["bundled", "cached"]
Status = Literal["bundled", "cached", "buildable", "weights missing", "tensorflow missing"]
"""What it takes to have a backbone: nothing, nothing, a build, a download and a build, TensorFlow and all that."""


@dataclass(frozen=True)
class Listed:
    """A backbone on this machine; `fault` says what is wrong with it, "" when it is sound."""

    path: Path
    preset: str
    precision: Precision
    origin: Origin
    fault: str


def own_names() -> list[str]:
    """The names of the backbones in the cache that were made from other sources than a preset's weights, sorted."""
    folder = backbone_cache()
    endings = tuple(f".{precision}.tflite" for precision in PRECISIONS)
    files = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    names = {name.rsplit(".", 2)[0] for name in files if name.endswith(endings) and not name.startswith(".")}
    return sorted(names - BUILDABLE.keys())


def own_card(name: str) -> dict[str, Any]:
    """What the card of an own backbone says, of one of its precisions; {} when it cannot be read."""
    for precision in PRECISIONS:
        path = card_path(artifact_path(backbone_cache(), name, precision))
        with contextlib.suppress(OSError, ValueError):
            card = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(card, dict):
                return card
    return {}


def backbone_name(name: str) -> str:
    """The name that a backbone is kept under: a preset's, an alias resolved, or one of the user's own.

    Raises:
        EdgeretrainError: there is neither a preset nor a backbone in the cache of that name.
    """
    own = own_names()
    if name.strip() in own:
        return name.strip()
    try:
        return get_preset(name).name
    except EdgeretrainError as error:
        if not own:
            raise
        raise EdgeretrainError(f"{error} Backbones of your own: {', '.join(own)}.") from None


def check_own_name(name: str) -> None:
    """Whether a backbone from another source can have this name.

    Raises:
        EdgeretrainError: it cannot; the message says why.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise EdgeretrainError(
            f"A backbone cannot be named {name!r}. Use lower-case letters, digits, '-' and '_', such as my_backbone."
        )
    try:
        preset = get_preset(name).name
    except EdgeretrainError:
        return
    raise EdgeretrainError(
        f"{name} is a preset's name ({preset}): its backbones are made from its own weights. Give the backbone from "
        "your source another name."
    )


def find_backbone(
    preset: str,
    precision: Precision,
    *,
    backbone: Path | None = None,
    build: bool = True,
    progress: Progress = silent,
) -> Backbone:
    """The backbone of a preset in one precision; see `find_backbones`."""
    return find_backbones(preset, [precision], backbone=backbone, build=build, progress=progress)[0]


def find_backbones(
    preset: str,
    precisions: Sequence[Precision],
    *,
    backbone: Path | None = None,
    build: bool = True,
    progress: Progress = silent,
) -> list[Backbone]:
    """The backbones of a preset, in the order of `precisions`.

    Looked for in this order: the user's own file `backbone`; bundled; in the cache; built from weights into the cache,
    all missing precisions in one go. A cached file that is damaged is built anew.

    Args:
        backbone: a file of the user's own, with or without a card; nothing else is looked at then.
        build: False: do not build what is neither bundled nor cached.

    Raises:
        EdgeretrainError: it was not found anywhere; the message says what was tried and what to do.
    """
    if backbone is not None:
        return [_own_backbone(backbone, precision) for precision in precisions]
    name = backbone_name(preset)
    found: dict[Precision, Backbone] = {}
    damaged = ""
    for precision in precisions:
        bundled, cached = (
            artifact_path(bundled_folder(), name, precision),
            artifact_path(backbone_cache(), name, precision),
        )
        if bundled.is_file():
            try:
                found[precision] = read_backbone(bundled)
            except DamagedBackbone as error:
                raise EdgeretrainError(f"{error} It came with edgeretrain: install edgeretrain again.") from error
        elif cached.is_file():
            try:
                found[precision] = read_backbone(cached)
            except DamagedBackbone as error:
                damaged = str(error)
    missing = [precision for precision in precisions if precision not in found]
    if missing:
        for built in _build(name, missing, build, damaged, progress):
            found[built.precision] = built
    return [found[precision] for precision in precisions]


def status(preset: str) -> dict[Precision, Status]:
    """What it takes to have each backbone of a preset. Looks at names only; imports no TensorFlow."""
    name = backbone_name(preset)
    otherwise: Status = "weights missing"
    if name in BUILDABLE and not _has_tensorflow():
        otherwise = "tensorflow missing"
    elif name in BUILDABLE and local_weights(BUILDABLE[name], weights_cache()):
        otherwise = "buildable"
    return {
        precision: "bundled"
        if _present(bundled_folder(), name, precision)
        else "cached"
        if _present(backbone_cache(), name, precision)
        else otherwise
        for precision in PRECISIONS
    }


def list_backbones() -> list[Listed]:
    """All backbones on this machine, bundled ones first, presets before others, each checked against its card."""
    listed = []
    folders: tuple[tuple[Origin, Path], ...] = (("bundled", bundled_folder()), ("cached", backbone_cache()))
    for origin, folder in folders:
        for preset in (*PRESETS, *LOGITS, *(own_names() if origin == "cached" else ())):
            for precision in PRECISIONS:
                path = artifact_path(folder, preset, precision)
                if path.is_file():
                    listed.append(Listed(path, preset, precision, origin, _fault(path)))
    return listed


def _present(folder: Path, preset: str, precision: Precision) -> bool:
    path = artifact_path(folder, preset, precision)
    return path.is_file() and card_path(path).is_file()


def _fault(path: Path) -> str:
    try:
        read_backbone(path)
    except DamagedBackbone as error:
        return str(error)
    return ""


def _own_backbone(path: Path, precision: Precision) -> Backbone:
    """A file of the user's own. A JSON file of the same name is its card if it says so: preset and SHA-256."""
    if not path.is_file():
        raise EdgeretrainError(f"{path}: no such backbone file. Give --backbone a .tflite feature extractor.")
    try:
        card = json.loads(card_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        card = None
    if not (isinstance(card, dict) and "preset" in card and "sha256" in card):
        check_is_tflite(path)
        if has_card(path):
            raise EdgeretrainError(
                f"{path}: is a finished classifier, not a backbone. Give --backbone a .tflite feature extractor."
            )
        return Backbone(path, path.stem, precision, 0, {})
    backbone = read_backbone(path)
    if backbone.precision != precision:
        raise EdgeretrainError(
            f"{path}: is a backbone in {backbone.precision}, not in {precision}. Add --precision {backbone.precision}."
        )
    return backbone


def _build(name: str, precisions: list[Precision], build: bool, damaged: str, progress: Progress) -> list[Backbone]:
    wanted = ", ".join(precisions)
    cache = backbone_cache()
    nowhere = f"{name} in {wanted} is neither bundled nor in the cache ({cache})"
    if damaged:
        nowhere = f"{name} in {wanted} is not bundled, and what the cache holds is damaged ({damaged})"
    if name not in BUILDABLE:
        raise EdgeretrainError(f"{nowhere}. Make it again: `edgeretrain backbone build {name} --from SOURCE`.")
    if not build:
        raise EdgeretrainError(f"{nowhere}. Run `edgeretrain backbone build {name}`{_or_bundled(precisions)}.")
    if not _has_tensorflow():
        raise EdgeretrainError(
            f"{nowhere}, and without TensorFlow it cannot be built from weights. "
            f'Run pip install "edgeretrain[tensorflow]"{_or_bundled(precisions)}.'
        )
    from edgeretrain.backbone.build import build_backbones

    try:
        return build_backbones(name, precisions, weights=None, calibration=None, out=cache, progress=progress)
    except EdgeretrainError as error:
        raise EdgeretrainError(
            f"{nowhere}, and building it from {weights_file(get_preset(name))} failed. {error}"
        ) from error


def _or_bundled(precisions: list[Precision]) -> str:
    """The way out that needs nothing: a preset that is bundled in all these precisions."""
    presets = [name for name in PRESETS if all(_present(bundled_folder(), name, each) for each in precisions)]
    return f", or choose a preset that is bundled: --preset {' or '.join(presets)}" if presets else ""


def _has_tensorflow() -> bool:
    return importlib.util.find_spec("tensorflow") is not None
