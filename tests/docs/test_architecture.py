"""docs/architecture.md and its picture against the tree, the code, and import-linter's contract."""

import importlib
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT

PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "architecture.svg"
PACKAGE = ROOT / "edgeretrain"
NOT_LISTED = {"__init__.py", "__main__.py"}

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="there is no docs folder here (an installed package)")


def listed() -> list[str]:
    """The modules that the list of rooms names, in its order, as paths below edgeretrain/."""
    block = next(
        block for block in re.findall(r"^```\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S) if "/\n" in block
    )
    modules: list[str] = []
    folders: list[str] = []
    for line in block.splitlines()[1:]:
        depth = (len(line) - len(line.lstrip())) // 2
        if depth <= 2:
            name = line.split()[0]
            folders = [*folders[: depth - 1], name] if name.endswith("/") else []
        modules += ["".join(folders) + module for module in re.findall(r"\w+\.py", line)]
    return modules


def layers() -> list[set[str]]:
    """The layers of import-linter's contract from the lowest to the highest, each with its rooms and modules."""
    contract = (ROOT / "pyproject.toml").read_text("utf-8").split("layers = [")[1].split("]")[0]
    return [set(re.findall(r"\w+", layer)) for layer in reversed(re.findall(r'"(.+)"', contract))]


def room(module: str) -> str:
    """`data` of `data/photos.py`, `options` of `options.py`."""
    return module.split("/")[0].removesuffix(".py")


def test_the_list_names_every_module_once() -> None:
    there = [path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if path.name not in NOT_LISTED]
    assert sorted(listed()) == sorted(there)


def test_the_rooms_stand_in_the_order_of_the_contract() -> None:
    height = {name: number for number, layer in enumerate(layers()) for name in layer}
    heights = [height[room(module)] for module in listed()]
    assert heights == sorted(heights)


def test_each_room_has_what_the_way_of_a_photo_says() -> None:
    """Names followed by the module they are in, `list_photos` (`data/photos.py`), are there."""
    text = PAGE.read_text("utf-8")
    pairs = re.findall(r"`([\w.]+)`\s\(`([\w/]+)\.py`\)|`([\w.]+)`,\s`([\w/]+)\.py`", text)
    places = [(first or third, second or fourth) for first, second, third, fourth in pairs]
    assert len(places) > 20
    missing = []
    for name, path in places:
        found: object = importlib.import_module(f"edgeretrain.{path.replace('/', '.')}")
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is None:
            missing.append((name, path))
    assert not missing


def test_the_picture_shows_the_order_of_the_contract() -> None:
    chips = [text for text in _texts(PICTURE, "chip") if text]
    height = {name: number for number, layer in enumerate(layers()) for name in layer}
    assert sorted(chips) == sorted(height)
    assert [height[chip] for chip in chips] == sorted(height[chip] for chip in chips)


def test_the_picture_needs_nothing_from_elsewhere() -> None:
    text = PICTURE.read_text("utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|href|<script|@import|@font-face|url\(\s*['\"]?[^#'\"]", text)
    assert "prefers-color-scheme: dark" in text


def _texts(picture: Path, kind: str) -> list[str]:
    elements = ET.parse(picture).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(element.itertext()).strip() for element in elements if kind in element.get("class", "").split()]
