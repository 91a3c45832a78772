"""docs/architecture.md and its picture against the tree, the code, and import-linter's contract."""

import importlib
import inspect
import re
import sys
import threading
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest
from cli.conftest import make_photos

from edgeretrain.cli import make_app
from pages.markdown import ROOT

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
    there = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if path.name not in NOT_LISTED}
    names = listed()
    assert there - set(names) == set(), "add these to the list of docs/architecture.md"
    assert set(names) - there == set(), "these are not there any more"
    assert [name for name, times in Counter(names).items() if times > 1] == []


def test_the_rooms_stand_in_the_order_of_the_contract() -> None:
    height = {name: number for number, layer in enumerate(layers()) for name in layer}
    heights = [height[room(module)] for module in listed()]
    assert heights == sorted(heights)


def named(text: str) -> dict[str, object]:
    """What a text names together with its module, `list_photos` (`data/photos.py`): by name; None: it is not there."""
    pairs = re.findall(r"`([\w.]+)`\s\(`([\w/]+)\.py`\)|`([\w.]+)`,\s`([\w/]+)\.py`", text)
    places = {first or third: second or fourth for first, second, third, fourth in pairs}
    found: dict[str, object] = {}
    for name, path in places.items():
        value: object = importlib.import_module(f"edgeretrain.{path.replace('/', '.')}")
        for part in name.split("."):
            value = getattr(value, part, None)
        found[name] = value
    return found


def test_what_the_page_names_is_in_that_module() -> None:
    names = named(PAGE.read_text("utf-8"))
    assert len(names) > 25
    assert [name for name, value in names.items() if value is None] == []


def test_a_retrain_goes_the_way_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each function of a step is called, and for the first time only when those of earlier steps have been."""
    steps = dict(re.findall(r"^(\d+)\. (.+?)(?=^\d+\. |^`teach`)", PAGE.read_text("utf-8"), re.M | re.S))
    assert "fine-tune" in steps.pop("9")
    step_of = {
        inspect.unwrap(value).__code__: (int(number), name)
        for number, text in steps.items()
        for name, value in named(text).items()
        if inspect.isfunction(value)
    }
    calls: list[tuple[int, str]] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in step_of and step_of[frame.f_code] not in calls:
            calls.append(step_of[frame.f_code])

    folders = [str(make_photos(tmp_path / "photos")), "--out", str(tmp_path / "run")]
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        make_app(["retrain"])(
            ["retrain", *folders, "--precision", "int8", "--workers", "1", "--quiet"], standalone_mode=False
        )
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]  # the standard library's own default
    assert sorted(calls) == sorted(set(step_of.values()))
    assert [step for step, _ in calls] == sorted(step for step, _ in calls)


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
