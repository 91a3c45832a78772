"""The command line: parse, call, print. The work is done elsewhere."""

import sys
from typing import Annotated

import typer

from edgeretrain.cli import backbone, classify, demo, evaluate, inspect, presets, retrain
from edgeretrain.errors import EdgeretrainError
from edgeretrain.version import __version__

app = typer.Typer(
    name="edgeretrain",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edgeretrain {__version__}")
        raise typer.Exit


@app.callback()
def _edgeretrain(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Retrain a small image classifier on your photos, quantize it, prove it on held-out photos.

    A folder of photos, one sub-folder per class, becomes TensorFlow Lite models for phones and Raspberry Pis, with a
    report of what each file can do. Start with: edgeretrain demo
    """


app.command("retrain")(retrain.retrain_command)
app.command("classify")(classify.classify_command)
app.command("evaluate")(evaluate.evaluate_command)
app.command("inspect")(inspect.inspect_command)
app.command("presets")(presets.presets_command)
app.add_typer(backbone.app, name="backbone")
app.command("demo")(demo.demo_command)


def main() -> None:
    """Run the command line; every error that the user can mend ends in one line on stderr and exit code 1."""
    try:
        app()
    except EdgeretrainError as error:
        sys.stdout.flush()
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # `edgeretrain presets | head`
        sys.stderr.close()
        sys.exit(1)
    except MemoryError:
        print("error: There is not enough memory. Use fewer --workers or a smaller preset.", file=sys.stderr)
        sys.exit(1)
