"""`edgeretrain backbone build`, `list` and `path`."""

from pathlib import Path
from typing import Annotated

import typer

from edgeretrain.cli.console import Json, Quiet, print_json, progress_shown
from edgeretrain.cli.retrain import PrecisionNames, one_of, parse_precisions
from edgeretrain.presets import DEFAULT_PRESET, PRECISIONS, Precision

app = typer.Typer(invoke_without_command=True)


@app.callback()
def _backbone(context: typer.Context) -> None:
    """Make, list and find backbones: the .tflite files that retraining starts from."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


PresetName = Annotated[
    str, typer.Argument(help="`edgeretrain presets` lists them.", metavar="PRESET", show_default=False)
]


@app.command("build")
def build_command(
    preset: PresetName,
    *,
    precision: PrecisionNames = ["all"],  # noqa: B006  Typer copies it
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A Keras weight file (.h5, without the classifier). Default: looked for in the folder "
            "EDGERETRAIN_WEIGHTS by Keras' file name, then downloaded from Keras.",
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of photos that set the ranges of the int8 backbone. Default: crops of the photographs that "
            "ship inside scikit-image.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Folder to write. Default: the cache.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Make a preset's backbones from Keras weights. Needs the tensorflow extra.

    Example: edgeretrain backbone build mobilenet_v2_035_128 --weights my_weights.h5
    """
    from edgeretrain.backbone import backbone_cache
    from edgeretrain.backbone.build import build_backbones
    from edgeretrain.presets import get_preset

    name = get_preset(preset).name
    with progress_shown(quiet) as progress:
        built = build_backbones(
            name,
            parse_precisions(precision),
            weights=weights,
            calibration=calibration,
            out=out or backbone_cache(),
            progress=progress,
        )
    for backbone in built:
        typer.echo(f"{backbone.path}  {backbone.path.stat().st_size:,} bytes")


@app.command("list", short_help="List the backbones on this machine.")
def list_command(*, as_json: Json = False) -> None:
    """List the backbones on this machine, bundled and cached, each checked against its card."""
    from edgeretrain.backbone import list_backbones

    listed = list_backbones()
    if as_json:
        print_json(
            [
                {
                    "preset": one.preset,
                    "precision": one.precision,
                    "origin": one.origin,
                    "path": str(one.path),
                    "bytes": one.path.stat().st_size,
                    "fault": one.fault,
                }
                for one in listed
            ]
        )
        return
    for one in listed:
        fault = f"  DAMAGED: {one.fault}" if one.fault else ""
        typer.echo(f"{one.preset:22} {one.precision:8} {one.origin:8} {one.path.stat().st_size:>12,} bytes{fault}")


@app.command("path")
def path_command(
    preset: PresetName = DEFAULT_PRESET,
    *,
    precision: Annotated[
        str, typer.Option("--precision", "-p", help=f"One of {', '.join(PRECISIONS)}.", metavar="PRECISION")
    ] = "float32",
) -> None:
    """Print where a backbone's file is; it is not built.

    Example: edgeretrain backbone path mobilenet_v2_100_224 --precision int8
    """
    from edgeretrain.backbone import find_backbone

    only: Precision = one_of("--precision", precision, PRECISIONS)
    typer.echo(find_backbone(preset, only, build=False).path)
