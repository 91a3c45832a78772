"""The scripts in benchmarks/ run for hours and seldom: what they import must be there all the time."""

import ast
import importlib
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
SCRIPTS = sorted(path.name for path in BENCHMARKS.glob("*.py"))


def top_level_names(path: Path) -> set[str]:
    """What a script defines or imports, without running it: some need TensorFlow."""
    names = set()
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            names.add(statement.name)
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name) for alias in statement.names}
        else:
            names |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    return names


def missing_imports(path: Path) -> list[str]:
    """What a script imports from edgeretrain or from its neighbours and does not find there."""
    missing = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            missing += [alias.name for alias in node.names if is_ours(alias.name) and not is_module(alias.name)]
        elif isinstance(node, ast.ImportFrom) and node.module:
            neighbour = path.with_name(f"{node.module}.py")
            wanted = [alias.name for alias in node.names]
            if neighbour.exists():
                missing += sorted(set(wanted) - top_level_names(neighbour))
            elif is_ours(node.module) and not is_module(node.module):
                missing.append(node.module)
            elif is_ours(node.module):
                module = importlib.import_module(node.module)
                missing += [
                    name for name in wanted if not (hasattr(module, name) or is_module(f"{node.module}.{name}"))
                ]
    return missing


def is_ours(module: str) -> bool:
    return module.split(".")[0] == "edgeretrain"


def is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a package above it is not there
        return False


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_finds_what_it_imports(script: str) -> None:
    assert missing_imports(BENCHMARKS / script) == []


def test_an_import_that_has_moved_is_found_out(tmp_path: Path) -> None:
    """The test above would be worth nothing if it never failed."""
    (tmp_path / "neighbour.py").write_text("import os\nLIMIT = 1\ndef work(): ...\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import argparse\n"
        "import edgeretrain.no_such_room\n"
        "from edgeretrain.no_such_room.pixels import load\n"
        "from edgeretrain.data import pixels\n"
        "from edgeretrain.data.pixels import load_pixels, no_such_function\n"
        "from neighbour import LIMIT, work, no_such_limit\n"
        "def later():\n"
        "    from edgeretrain.version import __version__, no_such_number\n"
    )
    assert missing_imports(script) == [
        "edgeretrain.no_such_room",
        "edgeretrain.no_such_room.pixels",
        "no_such_function",
        "no_such_limit",
        "no_such_number",
    ]
