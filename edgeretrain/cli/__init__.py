"""The command line: parse, call, print. The work is done elsewhere."""

import contextlib
import io
import os
import sys
from typing import Annotated, Any

import typer

from edgeretrain.cli import (
    backbone,
    benchmark,
    cache,
    classify,
    demo,
    evaluate,
    export,
    import_,
    inspect,
    presets,
    retrain,
    serve,
    sweep,
    teach,
)
from edgeretrain.cli.console import print_error
from edgeretrain.cli.signals import exit_code, heed_signals
from edgeretrain.errors import EdgeretrainError
from edgeretrain.version import __version__

# The parent of every error in the command line itself. Older versions of Typer have it from Click, newer ones inside.
_USAGE_ERROR: Any = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="edgeretrain",
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich's boxes cut option names short at 80 columns
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgeretrain {__version__}")
        raise typer.Exit


@app.callback()
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


# The short help stands in the list of commands, where one line holds no more.
app.command("retrain", short_help="Train and test models on your photos.")(retrain.retrain_command)
app.command("teach", short_help="Add or remove classes of a model.")(teach.teach_command)
app.command("sweep", short_help="Compare many presets and pick one.")(sweep.sweep_command)
app.command("benchmark", short_help="Latency, size and memory of models.")(benchmark.benchmark_command)
app.command("classify", short_help="Classify photos, a video or a camera.")(classify.classify_command)
app.command("serve", short_help="Live web page for a board without a screen.")(serve.serve_command)
app.command("evaluate", short_help="Measure a model on photos.")(evaluate.evaluate_command)
app.command("import", short_help="Convert a graph of retrain.py to models.")(import_.import_command)
app.command("inspect", short_help="Show the contents of a model file.")(inspect.inspect_command)
app.command("presets", short_help="List the presets and their costs.")(presets.presets_command)
app.add_typer(backbone.app, name="backbone", short_help="Make, list and find backbones.")
app.add_typer(cache.app, name="cache", short_help="Show and empty what is kept.")
app.add_typer(export.app, name="export", short_help="Copy models into an app.")
app.command("demo", short_help="Retrain on a small set of real photos.")(demo.demo_command)


def main() -> None:
    """Run the command line. Every error ends in one line on stderr.

    Exit codes: 0 success; 1 an input or a value cannot be used; 2 unknown option or command, or a missing argument;
    130 stopped with Ctrl-C; 143 and 129 stopped with SIGTERM and SIGHUP.
    """
    heed_signals()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # a label that the terminal's encoding lacks is no error
    try:
        code = app(standalone_mode=False)
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
