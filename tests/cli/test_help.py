"""Every command has help worth reading, and the README knows it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
import typer.testing

from cli.conftest import Run
from edgeretrain.backbone.presets import BOTTLENECKS
from edgeretrain.cli import make_app
from edgeretrain.data.pixels import FITS
from edgeretrain.head.softmax import CLASS_WEIGHTS
from edgeretrain.training.bottlenecks import Bottleneck

README = Path(__file__).parents[2] / "README.md"


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, (*path, name))


COMMANDS = dict(_commands(typer.main.get_command(make_app())))
LEAVES = [path for path, command in COMMANDS.items() if not getattr(command, "commands", {})]


def test_all_commands_are_seen() -> None:
    assert {" ".join(path) for path in LEAVES} == {
        *("retrain", "teach", "sweep", "classify", "evaluate", "inspect", "benchmark", "presets", "demo"),
        *("serve", "teach", "export android", "import"),
        *("backbone build", "backbone list", "backbone path"),
        *("cache list", "cache prune", "cache clear"),
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help(path: tuple[str, ...], cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command = COMMANDS[path]
    ended = cli(*path, "--help").succeeds()
    assert cli(*path, "-h").out == ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    first = command.help.split("\n\n")[0]
    assert len(first.split()) >= 4
    assert first.rstrip().endswith(".")
    for parameter in command.params:
        if parameter.param_type_name == "option":
            assert f"{parameter.opts[0]}" in ended.out  # not cut short
        # Click's and Typer's own are of no concern here.
        if parameter.name not in ("help", "install_completion", "show_completion"):
            assert parameter.help, f"{' '.join(path)}: {parameter.name} has no help"
            assert len(parameter.help.split()) >= 3 or parameter.help.endswith("."), parameter.help


@pytest.mark.parametrize("path", [path for path in LEAVES if path[0] != "demo"], ids=" ".join)
def test_help_has_an_example_or_needs_none(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    if any(parameter.required for parameter in command.params):
        (example,) = re.findall(r"Example: edgeretrain ((?:.|\n)+)", command.help)
        assert example.split()[: len(path)] == list(path)


@pytest.mark.parametrize("path", [path for path in COMMANDS if path], ids=" ".join)
def test_the_list_of_commands_cuts_nothing_short(path: tuple[str, ...]) -> None:
    assert not COMMANDS[path].get_short_help_str(60).endswith("...")


@pytest.mark.parametrize("path", [(), ("backbone",)], ids=["edgeretrain", "backbone"])
def test_no_command_prints_the_help(path: tuple[str, ...], cli: Run) -> None:
    assert cli(*path).succeeds().out == cli(*path, "--help").out


def test_only_the_command_that_runs_is_imported() -> None:
    code = (
        "import sys; sys.argv = ['edgeretrain', 'inspect', '--help']\n"
        "from edgeretrain.cli import main\n"
        "try: main()\n"
        "except SystemExit as ended: assert ended.code == 0\n"
        "imported = {name for name in sys.modules if name.startswith('edgeretrain.cli.')}\n"
        "assert imported == {f'edgeretrain.cli.{name}' for name in ('console', 'inspect', 'signals')}, imported\n"
        "assert 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_the_list_of_commands_needs_none_of_them() -> None:
    loaded, listed = (typer.testing.CliRunner().invoke(app, ["--help"]).output for app in (make_app(), make_app(())))
    assert loaded == listed
    assert all(f" {name} " in listed for name in COMMANDS[()].commands)


def test_a_command_that_does_not_exist(cli: Run) -> None:
    cli("retrian", "photos").fails("No such command 'retrian'", "retrain", code=2)


def test_the_shell_can_complete_options() -> None:
    words = {"_EDGERETRAIN_COMPLETE": "complete_bash", "COMP_WORDS": "edgeretrain retrain --str", "COMP_CWORD": "2"}
    code = "import sys; sys.argv = ['edgeretrain']\nfrom edgeretrain.cli import main\nmain()\n"
    ended = subprocess.run([sys.executable, "-c", code], env=os.environ | words, capture_output=True, text=True)
    assert ended.stdout.split() == ["--strict"], ended


def test_version(cli: Run) -> None:
    from edgeretrain import __version__

    assert cli("--version").succeeds().out == f"edgeretrain {__version__}\n"


def test_the_choices_of_options_are_those_of_the_package() -> None:
    """The types of these options are written out, as importing the package's own would slow down every start."""

    def choices(option: str) -> tuple[str, ...]:
        (found,) = (parameter for parameter in COMMANDS["retrain",].params if option in parameter.opts)
        return tuple(found.type.choices)

    assert choices("--fit") == FITS
    assert choices("--class-weight") == CLASS_WEIGHTS
    assert set(choices("--bottleneck")) == {*BOTTLENECKS, *get_args(Bottleneck)}


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_the_readme_documents_it(path: tuple[str, ...]) -> None:
    if not README.exists():
        pytest.skip("there is no README.md here (an installed package)")
    text = README.read_text("utf-8")
    group = f"edgeretrain {path[0]} "
    assert f"edgeretrain {' '.join(path)}" in text or (path[1:] and group in text and f"`{path[1]}`" in text)


@pytest.mark.parametrize("arguments", ["", "--help", "retrain --help", "presets", "backbone list"])
def test_what_needs_no_runtime_loads_none(arguments: str) -> None:
    code = (
        f"import sys; sys.argv = ['edgeretrain', *{arguments!r}.split()]\n"
        "from edgeretrain.cli import main\n"
        "try: main()\n"
        "except SystemExit as ended: assert ended.code == 0\n"
        "heavy = {'tensorflow', 'ai_edge_litert', 'tflite_runtime', 'skimage', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
