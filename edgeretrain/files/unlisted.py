"""Run folders of versions that wrote no manifest: which of their files can be proven to be edgeretrain's."""

import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

from edgeretrain.files.manifest import MANIFEST_FILE, is_file, is_unchanged, read_manifest

_MODEL = re.compile(r"model\.(\w+)\.tflite")
_BOTTLENECKS = re.compile(r"bottlenecks\.(\w+)\.npz")
_MOST_BYTES = 1 << 26
_TROUBLE = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, EOFError),
)


def written_by_us(folder: Path) -> set[str]:
    """The names of the files in a folder that are, to the byte, what edgeretrain wrote."""
    listed = read_manifest(folder)
    if listed is None:
        return proven_files(folder)
    return {MANIFEST_FILE, *(name for name, digest in listed.items() if is_unchanged(folder / name, digest))}


def proven_files(folder: Path) -> set[str]:
    """The files of a run folder without a manifest that its report.json proves to be edgeretrain's.

    Models by their SHA-256, the bottlenecks by the backbone that they and the report name, the list of labels by its
    content, the page by the version and the models' sizes that stand in it.
    """
    report = _json(folder / "report.json")
    try:
        if not isinstance(report["edgeretrain"], str) or not isinstance(report["photos"]["digest"], str):
            return set()
        models = {str(model["precision"]): model for model in report["models"]}
        labels = "".join(f"{label}\n" for label in report["photos"]["labels"])
        on_page = [f"edgeretrain {report['edgeretrain']}", *(f"{model['bytes']:,}" for model in models.values())]
    except _TROUBLE:
        return set()
    proven = {"report.json"}
    for path in folder.iterdir():
        try:
            if is_file(path) and _is_proven(path, models, labels, on_page):
                proven.add(path.name)
        except _TROUBLE:
            continue
    return proven


def _is_proven(path: Path, models: dict[str, Any], labels: str, on_page: list[str]) -> bool:
    if model := _MODEL.fullmatch(path.name):
        return is_unchanged(path, models[model[1]]["sha256"])
    if bottlenecks := _BOTTLENECKS.fullmatch(path.name):
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("photos.json").file_size > _MOST_BYTES:
                return False
            listing = json.loads(archive.read("photos.json"))
        return bool(listing["backbone"] == models[bottlenecks[1]]["backbone"]["sha256"])
    if path.name == "labels.txt":
        return path.stat().st_size <= _MOST_BYTES and path.read_text(encoding="utf-8") == labels
    if path.name == "report.html" and path.stat().st_size <= _MOST_BYTES:
        page = path.read_text(encoding="utf-8")
        return "<!DOCTYPE html>" in page and all(words in page for words in on_page)
    return False


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes()) if is_file(path) else None
    except _TROUBLE:
        return None
