"""`edgeretrain backbone build`, `list` and `path`."""

from pathlib import Path
from typing import Annotated

import typer

from edgeretrain.backbone.presets import DEFAULT_PRESET, with_bottleneck
from edgeretrain.cli.console import Json, Quiet, print_json, progress_shown, say
from edgeretrain.cli.options import BottleneckOption, PrecisionNames, parse_precisions
from edgeretrain.errors import EdgeretrainError
from edgeretrain.precision import Precision

app = typer.Typer(invoke_without_command=True)


@app.callback()
def _backbone(context: typer.Context) -> None:
    """Make, list and find backbones: the .tflite files that retraining starts from."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


PresetName = Annotated[
    str,
    typer.Argument(
        help="`edgeretrain presets` and `edgeretrain backbone list` list them.", metavar="PRESET", show_default=False
    ),
]


@app.command("build", short_help="Make backbones, from weights or from any network.")
def build_command(
    name: Annotated[
        str,
        typer.Argument(
            help="A preset. With --from: a name for the new backbone, for `edgeretrain retrain --preset NAME`.",
            metavar="NAME",
            show_default=False,
        ),
    ],
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="Network to make the backbone from: a Keras file (.keras, .h5), a SavedModel or TensorFlow Hub module "
            "(its folder, or a handle https://...), a frozen graph (.pb) or a .tflite file.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=16, max=1024, metavar="PIXELS", help="With --from: side of the input. Default: read from the source."
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            metavar="RANGE",
            help="With --from: range of the network's input, such as --scale=-1..1, 0..1 or 0..255, or mean/std in "
            "pixel values, each as one number or red,green,blue. Default: read from the source.",
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="With --from: layer or tensor whose output is the bottleneck. Default: the input of the classifier.",
        ),
    ] = None,
    input_tensor: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="NAME",
            help="With --from a graph: the tensor that takes the scaled photo. Default: found automatically.",
        ),
    ] = None,
    precision: PrecisionNames = ["all"],  # noqa: B006  Typer copies it
    bottleneck: BottleneckOption = "features",
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keras weight file (.h5) of the preset; with its classifier for --bottleneck logits, else without. "
            "Default: the file of that name in the folder EDGERETRAIN_WEIGHTS, else a download from Keras.",
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of photos to calibrate the int8 backbone with. Default: crops of the photographs that come "
            "with scikit-image.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Folder to write. Default: the cache.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Make backbones: a preset's from Keras weights, or your own from another network. Needs the tensorflow extra.

    Example: edgeretrain backbone build mobilenet_v2_035_128 --weights my_weights.h5

    Example: edgeretrain backbone build my_net --from teachable/keras_model.h5 --scale=-1..1
    """
    from edgeretrain.backbone.build import build_backbones
    from edgeretrain.backbone.presets import get_preset
    from edgeretrain.backbone.source import SourceOverrides
    from edgeretrain.data.scaling import parse_scaling
    from edgeretrain.importers.build import build_from_source
    from edgeretrain.paths import backbone_cache

    precisions, folder = parse_precisions(precision), out or backbone_cache()
    overrides = SourceOverrides(size, parse_scaling(scale) if scale is not None else None, layer, input_tensor)
    if source is None and overrides != SourceOverrides():
        raise EdgeretrainError("--size, --scale, --layer and --input are options of --from. Add --from SOURCE.")
    if source is not None and weights is not None:
        raise EdgeretrainError(
            "--weights is for presets; with --from, the weights come from the source. Give one of the two."
        )
    if source is not None and bottleneck == "logits":
        raise EdgeretrainError("--bottleneck logits is for presets. With --from, choose the bottleneck with --layer.")
    with progress_shown(quiet) as progress:
        if source is None:
            built = build_backbones(
                get_preset(with_bottleneck(name, bottleneck)).name,
                precisions,
                weights=weights,
                calibration=calibration,
                out=folder,
                progress=progress,
            )
            notes: tuple[str, ...] = ()
        else:
            built, notes = build_from_source(
                name, source, precisions, overrides=overrides, calibration=calibration, out=folder, progress=progress
            )
    for note in notes:
        say(note)
    for backbone in built:
        say(f"{backbone.path}  {backbone.path.stat().st_size:,} bytes")


@app.command("list", short_help="List the backbones on this machine.")
def list_command(*, as_json: Json = False) -> None:
    """List the backbones on this machine, bundled and cached, each checked against its card."""
    from edgeretrain.backbone import list_backbones

    backbones = list_backbones()
    if as_json:
        print_json(
            [
                {
                    "preset": backbone.preset,
                    "precision": backbone.precision,
                    "origin": backbone.origin,
                    "path": str(backbone.path),
                    "bytes": backbone.path.stat().st_size,
                    "fault": backbone.damage,
                }
                for backbone in backbones
            ]
        )
        return
    for backbone in backbones:
        fault = f"  DAMAGED: {backbone.damage}" if backbone.damage else ""
        size = backbone.path.stat().st_size
        say(f"{backbone.preset:28} {backbone.precision:8} {backbone.origin:8} {size:>12,} bytes{fault}")


@app.command("path")
def path_command(
    preset: PresetName = DEFAULT_PRESET,
    *,
    precision: Annotated[Precision, typer.Option("--precision", "-p", help="Precision of the backbone.")] = "float32",
) -> None:
    """Print the path of a backbone's file. Nothing is built.

    Example: edgeretrain backbone path mobilenet_v2_100_224 --precision int8
    """
    from edgeretrain.backbone import find_backbone

    say(str(find_backbone(preset, precision, build=False).path))
