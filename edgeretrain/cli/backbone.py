"""`edgeretrain backbone build`, `list` and `path`."""

from pathlib import Path
from typing import Annotated

import typer

from edgeretrain.backbone.presets import BOTTLENECKS, DEFAULT_PRESET, with_bottleneck
from edgeretrain.cli.console import Json, Quiet, print_json, progress_shown
from edgeretrain.cli.options import BottleneckName, PrecisionNames, one_of, parse_precisions
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.printable import one_line
from edgeretrain.precision import PRECISIONS, Precision

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
            help="A preset, or with --from the name that you give the backbone: `edgeretrain retrain --preset NAME` "
            "uses it then.",
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
            help="Make it from a Keras file (.keras, .h5), a SavedModel or TensorFlow Hub module (its folder, or a "
            "handle https://...), a frozen graph (.pb) or a .tflite file.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(min=16, max=1024, metavar="PIXELS", help="With --from: side of the photo. Default: what it says."),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            metavar="RANGE",
            help="With --from: how the network wants its pixels, such as --scale=-1..1, 0..1, 0..255, or mean/std in "
            "pixel values, each one number or red,green,blue. Default: what it says.",
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="With --from: the layer or tensor to cut at. Default: the input of the classifier."
        ),
    ] = None,
    input_tensor: Annotated[
        str | None,
        typer.Option("--input", metavar="NAME", help="With --from a graph: the tensor that takes the scaled photo."),
    ] = None,
    precision: PrecisionNames = ["all"],  # noqa: B006  Typer copies it
    bottleneck: BottleneckName = "features",
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A Keras weight file (.h5, with --bottleneck logits with the classifier, else without) for a preset. "
            "Default: looked for in the folder "
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
        raise EdgeretrainError("--size, --scale, --layer and --input describe a source. Give it with --from SOURCE.")
    if source is not None and weights is not None:
        raise EdgeretrainError("--weights is for presets, --from brings weights of its own. Give one of them.")
    kind = one_of("--bottleneck", bottleneck, BOTTLENECKS)
    if source is not None and kind == "logits":
        raise EdgeretrainError("--bottleneck logits is for presets. With --from, --layer says what the bottleneck is.")
    with progress_shown(quiet) as progress:
        if source is None:
            built = build_backbones(
                get_preset(with_bottleneck(name, kind)).name,
                precisions,
                weights=weights,
                calibration=calibration,
                out=folder,
                progress=progress,
            )
            found: tuple[str, ...] = ()
        else:
            built, found = build_from_source(
                name, source, precisions, overrides=overrides, calibration=calibration, out=folder, progress=progress
            )
    for line in found:
        typer.echo(one_line(line))
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
        typer.echo(f"{one.preset:28} {one.precision:8} {one.origin:8} {one.path.stat().st_size:>12,} bytes{fault}")


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
