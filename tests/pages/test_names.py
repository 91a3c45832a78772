"""What the pages name is there: files of the checkout, modules, functions, targets of links."""

import importlib
from functools import cache
from pathlib import Path

import pytest

from pages.markdown import FOLDERS, ROOT, dotted_names, links, named_files, named_paths, pages

OTHERS = {"retrain.py", "label_image.py", "quantize_graph.py", "benchmark_litert_model.py"}
"""Scripts of other projects."""


@cache
def files_of_the_checkout() -> tuple[str, ...]:
    found = [path for folder in FOLDERS for ending in ("py", "java") for path in (ROOT / folder).rglob(f"*.{ending}")]
    return tuple(f"/{path.relative_to(ROOT).as_posix()}" for path in found)


def exists(dotted: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for attribute in parts[length:]:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
        return True
    return False


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    missing = [path for path in named_paths(text) if not (ROOT / path).exists()]
    ends = {f"/{file.removeprefix('/')}" for file in named_files(text)}
    missing += [end for end in ends if Path(end).name not in OTHERS and not _is_end_of_a_file(end)]
    missing += [name for name in dotted_names(text) if not exists(name)]
    missing += [target for target in links(text) if not (page.parent / target).exists()]
    assert not missing


def _is_end_of_a_file(end: str) -> bool:
    return any(file.endswith(end) for file in files_of_the_checkout())


def test_names_are_found() -> None:
    text = (
        "`edgeretrain/gone.py`, (../tests/gone.py); not ~/edgeretrain/bin/pip, android_demo/build/x.apk; `gone.py`\n"
        "edgeretrain.data.pixels.gone(); dev.edgeretrain.demo; edgeretrain.service; [a](gone.md#part), [b](https://a.b)"
    )
    assert named_paths(text) == {"edgeretrain/gone.py", "tests/gone.py"}
    assert named_files(text) == {"edgeretrain/gone.py", "tests/gone.py", "gone.py"}
    assert dotted_names(text) == {"edgeretrain.data.pixels.gone"}
    assert links(text) == {"gone.md"}
    assert exists("edgeretrain.data.pixels.load_pixels")
    assert exists("edgeretrain.retrain")
    assert not exists("edgeretrain.data.pixels.gone")
    assert not exists("edgeretrain.gone")


def test_pages_are_found() -> None:
    if not (ROOT / "README.md").exists():
        pytest.skip("there are no pages here (an installed package)")
    assert len(pages()) > 20
