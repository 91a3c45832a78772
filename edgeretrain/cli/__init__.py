"""The command line: parse, call, print. The work is done elsewhere."""

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from edgeretrain.cli.console import print_error
from edgeretrain.cli.signals import exit_code, heed_signals
from edgeretrain.errors import EdgeretrainError
from edgeretrain.version import __version__

# The parent of every error in the command line itself. Older versions of Typer have it from Click, newer ones inside.
_USAGE_ERROR: Any = typer.BadParameter.__mro__[1]


@dataclass(frozen=True)
class _Command:
    """Where a command is, and its help in the list of commands, where one line holds no more.

    Attributes:
        name: of a function in the module; `app`: the module has a group of commands.
    """

    module: str
    name: str
    short_help: str


_COMMANDS = {
    "retrain": _Command("retrain", "retrain_command", "Train and test models on your photos."),
    "teach": _Command("teach", "teach_command", "Add or remove classes of a model."),
    "sweep": _Command("sweep", "sweep_command", "Compare many presets and pick one."),
    "benchmark": _Command("benchmark", "benchmark_command", "Latency, size and memory of models."),
    "classify": _Command("classify", "classify_command", "Classify photos, a video or a camera."),
    "serve": _Command("serve", "serve_command", "Live web page for a board without a screen."),
    "evaluate": _Command("evaluate", "evaluate_command", "Measure a model on photos."),
    "import": _Command("import_", "import_command", "Convert a graph of retrain.py to models."),
    "inspect": _Command("inspect", "inspect_command", "Show the contents of a model file."),
    "presets": _Command("presets", "presets_command", "List the presets and their costs."),
    "demo": _Command("demo", "demo_command", "Retrain on a small set of real photos."),
    "backbone": _Command("backbone", "app", "Make, list and find backbones."),
    "export": _Command("export", "app", "Copy models into an app."),
    "cache": _Command("cache", "app", "Show and empty what is kept."),
}


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgeretrain {__version__}")
        raise typer.Exit


def _edgeretrain(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Retrain a small image classifier on your photos, quantize it, test it on held-out photos.

    A folder of photos, one sub-folder per class, becomes TensorFlow Lite models for phones and Raspberry Pis, with a
    report on each model. Start with: edgeretrain demo
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def make_app(loaded: Collection[str] = _COMMANDS.keys()) -> typer.Typer:
    """The command line.

    Args:
        loaded: the commands that can be run. Of the others only name and short help are known, which is enough to list
            them; what all of them import takes longer than most of them run.
    """
    app = typer.Typer(
        name="edgeretrain",
        context_settings={"help_option_names": ["-h", "--help"]},
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # Rich's boxes cut option names short at 80 columns
    )
    app.callback()(_edgeretrain)
    for name, command in _COMMANDS.items():
        function: Any = _not_loaded
        if name in loaded:
            function = getattr(importlib.import_module(f"edgeretrain.cli.{command.module}"), command.name)
        if isinstance(function, typer.Typer):
            app.add_typer(function, name=name, short_help=command.short_help)
        else:
            app.command(name, short_help=command.short_help)(function)
    return app


def _not_loaded() -> None:
    raise AssertionError("this command was not loaded")


def main() -> None:
    """Run the command line. Every error ends in one line on stderr.

    Exit codes: 0 success; 1 an input or a value cannot be used; 2 unknown option or command, or a missing argument;
    130 stopped with Ctrl-C; 143 and 129 stopped with SIGTERM and SIGHUP.
    """
    heed_signals()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # a label that the terminal's encoding lacks is no error
    # A shell that completes a command line keeps it in its environment.
    loaded = _COMMANDS.keys() if "_EDGERETRAIN_COMPLETE" in os.environ else _COMMANDS.keys() & sys.argv[1:]
    try:
        code = make_app(loaded)(standalone_mode=False)
        sys.stdout.flush()  # here, where the failure of a full disk can still be reported
    except EdgeretrainError as error:
        code = _fail(str(error))
    except _USAGE_ERROR as error:
        code = _fail_usage(error)
    except KeyboardInterrupt:
        code = 130
    except MemoryError:
        code = _fail("There is not enough memory. Use fewer --workers or a smaller preset.")
    except OSError as error:
        code = _fail_output(error)
    sys.exit(exit_code(code))


def _fail(message: str, code: int = 1) -> int:
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    print_error(message)
    return code


def _fail_usage(error: Any) -> int:
    """A bad value of an option is like any other bad input; otherwise the command line itself is wrong."""
    command = error.ctx.command_path if error.ctx is not None else "edgeretrain"
    message = error.format_message()
    end = "" if message.endswith((".", "?")) else "."
    return _fail(f"{message}{end} See `{command} --help`.", 1 if type(error) is typer.BadParameter else 2)


def _fail_output(error: OSError) -> int:
    """A failure of standard output: the disk is full, or its reader is gone, as in `edgeretrain presets | head`."""
    code = 1 if isinstance(error, BrokenPipeError) else _fail(f"{error.filename or 'The output'}: {error.strerror}.")
    # What stdout still holds cannot be written either: Python would try again at its end and complain.
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
