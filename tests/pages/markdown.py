"""The Markdown pages of a checkout, and what they name."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("android_demo", "benchmarks", "docs", "edgeretrain", "examples", "models", "results", "tests")
"""Where pages are, and what a path on a page begins with when it is one of the checkout."""
MADE = ("android_demo/build/", "android_demo/app/src/main/assets")
"""What commands make: it need not be there."""

_PATH = re.compile(rf"(?<![\w/~.-])(?:\.\./)*((?:{'|'.join(FOLDERS)})/[\w./-]*\w)")
_FILE = re.compile(r"(?<![\w.-])([\w/-]+\.(?:py|java))\b(?!\.)")
_DOTTED = re.compile(r"(?<![\w./@-])(edgeretrain(?:\.\w+)+)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_UNIT_FILES = {"edgeretrain.service", "edgeretrain.env"}


def pages() -> list[Path]:
    """All pages; empty in an installed package, which has none."""
    found = [ROOT / "README.md", *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))]
    inside = [page for page in found if page.exists() and not str(page.relative_to(ROOT)).startswith(MADE)]
    return sorted(page for page in inside if "node_modules" not in page.parts)


def named_paths(text: str) -> set[str]:
    """Paths of a checkout, from its root: `edgeretrain/data/pixels.py`, `benchmarks/speed.py`."""
    return {path for path in _PATH.findall(text) if not path.startswith(MADE)}


def named_files(text: str) -> set[str]:
    """Python and Java files, by their names or the ends of their paths: `rounding.py`, `head/blend.py`."""
    return {file for file in _FILE.findall(text) if not file.startswith(MADE)}


def dotted_names(text: str) -> set[str]:
    """Modules and what is in them: `edgeretrain.data.pixels.load_pixels`."""
    return set(_DOTTED.findall(text)) - _UNIT_FILES


def links(text: str) -> set[str]:
    """Targets of links to other files, without the part after `#`."""
    return {target.split("#")[0] for target in _LINK.findall(text) if "://" not in target} - {""}


def commands(text: str) -> list[str]:
    """What stands behind `edgeretrain` in code: `retrain PHOTOS --precision all`."""
    found = []
    for block in re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.M | re.S):
        found += re.findall(r"(?:^ *(?:\$ )?|&& |['\"])edgeretrain ([^'\"\n]+)", block, re.M)
    outside = re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)
    return found + [" ".join(span.split()) for span in re.findall(r"`edgeretrain ([^`]+)`", outside)]
