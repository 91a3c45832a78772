"""`edgeretrain import`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgeretrain.cli.console import Json, Quiet, print_json, progress_shown
from edgeretrain.cli.options import PrecisionNames, parse_precisions
from edgeretrain.files.printable import one_line


def import_command(
    graph: Annotated[
        Path,
        typer.Argument(
            help="A finished frozen graph: output_graph.pb, retrained_graph.pb.", metavar="OLD.pb", show_default=False
        ),
    ],
    *,
    labels: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="Its labels, one a line: output_labels.txt, retrained_labels.txt.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FOLDER", help="Folder to write. Default: the graph's name plus '-imported', here."
        ),
    ] = None,
    precision: PrecisionNames = ["all"],  # noqa: B006  Typer copies it
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Photos that set the ranges of the int8 model, best such as it will see. Default: crops of the "
            "photographs that ship inside scikit-image.",
        ),
    ] = None,
    input_tensor: Annotated[
        str | None,
        typer.Option("--input", metavar="NAME", help="The tensor that takes the scaled photo. Default: found."),
    ] = None,
    output_tensor: Annotated[
        str | None, typer.Option("--output", metavar="NAME", help="The tensor of the scores. Default: found.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(min=16, max=1024, metavar="PIXELS", help="Side of the photo. Default: what the graph says."),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            metavar="RANGE",
            help="How the graph wants its pixels, as in `edgeretrain backbone build`. Default: what it says.",
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Turn a finished classifier of retrain.py or TensorFlow for Poets into models. Needs the tensorflow extra.

    Writes one model.<precision>.tflite per precision and labels.txt. The float32 model gives the scores that the graph
    gives when TensorFlow runs it; that is checked.

    Example: edgeretrain import retrained_graph.pb --labels retrained_labels.txt --out flowers
    """
    from edgeretrain.backbone.source import SourceOverrides
    from edgeretrain.data.scaling import parse_scaling
    from edgeretrain.importers.classifier import import_graph

    folder = out or Path(f"{graph.stem}-imported")
    overrides = SourceOverrides(size, parse_scaling(scale) if scale is not None else None, input=input_tensor)
    with progress_shown(quiet) as progress:
        done = import_graph(
            graph,
            labels,
            folder,
            precisions=parse_precisions(precision),
            overrides=overrides,
            output=output_tensor,
            calibration=calibration,
            progress=progress,
        )
    if as_json:
        print_json({"out": str(folder), **asdict(done)})
        return
    for line in done.found:
        typer.echo(one_line(line))
    for model in done.models:
        typer.echo(
            f"{folder / model.file}  {model.bytes:,} bytes, labels {model.same_label} of {model.photos} photos as the "
            f"graph does, scores differ by {model.difference:.1g} at most"
        )
    typer.echo(f"Next: edgeretrain evaluate {folder / done.models[-1].file} PHOTOS")
