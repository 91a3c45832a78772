"""`edgeretrain export android`."""

from pathlib import Path
from typing import Annotated

import typer

from edgeretrain.cli.console import Json, RuntimeName, print_json, say

app = typer.Typer(invoke_without_command=True)


@app.callback()
def _export(context: typer.Context) -> None:
    """Copy models into the project of an app."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("android")
def android_command(
    models: Annotated[
        list[Path],
        typer.Argument(help="Models written by `edgeretrain retrain`.", metavar="MODEL...", show_default=False),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="The app's assets, such as android_demo/app/src/main/assets."
        ),
    ],
    runtime: RuntimeName = None,
    as_json: Json = False,
) -> None:
    """Check models and copy them into an Android app's assets.

    Each is named after its run folder and precision, such as flowers-int8.tflite. A file of that name is replaced.
    docs/android.md describes the next steps.

    Example: edgeretrain export android flowers/model.*.tflite --out android_demo/app/src/main/assets
    """
    from edgeretrain.export import export_android

    assets = export_android(models, out, runtime=runtime)
    if as_json:
        print_json(
            [
                {
                    "model": str(asset.model),
                    "file": str(asset.file),
                    "preset": asset.preset,
                    "precision": asset.precision,
                    "size": asset.size,
                    "labels": asset.labels,
                    "bytes": asset.length,
                    "replaced": asset.replaced,
                }
                for asset in assets
            ]
        )
        return
    for asset in assets:
        facts = f"{asset.preset}, {asset.precision}, {asset.labels} labels, {asset.length:,} bytes"
        say(f"{asset.model} -> {asset.file} ({facts}{'; replaced' if asset.replaced else ''})")
