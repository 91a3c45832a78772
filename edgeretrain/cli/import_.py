"""`edgeretrain import`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgeretrain.cli.console import Json, Quiet, print_json, progress_shown, say
from edgeretrain.cli.options import PrecisionNames, parse_precisions


def import_command(
    graph: Annotated[
        Path,
        typer.Argument(
            help="A frozen graph of a classifier, such as output_graph.pb or retrained_graph.pb.",
            metavar="OLD.pb",
            show_default=False,
        ),
    ],
    *,
    labels: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="Its labels, one per line, such as output_labels.txt or retrained_labels.txt.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Folder to write. Default: the name of the graph plus '-imported', in the current folder.",
        ),
    ] = None,
    precision: PrecisionNames = ["all"],  # noqa: B006  Typer copies it
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of photos to calibrate the int8 model with; best are photos like those it will classify. "
            "Default: crops of the photographs that come with scikit-image.",
        ),
    ] = None,
    input_tensor: Annotated[
        str | None,
        typer.Option(
            "--input", metavar="NAME", help="The tensor that takes the scaled photo. Default: found automatically."
        ),
    ] = None,
    output_tensor: Annotated[
        str | None,
        typer.Option("--output", metavar="NAME", help="The tensor of the scores. Default: found automatically."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(min=16, max=1024, metavar="PIXELS", help="Side of the input. Default: read from the graph."),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            metavar="RANGE",
            help="Range of the graph's input, as in `edgeretrain backbone build`. Default: read from the graph.",
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Convert a classifier of retrain.py or TensorFlow for Poets to models. Needs the tensorflow extra.

    Writes one model.<precision>.tflite per precision and labels.txt. The float32 model is checked: it must give the
    same scores as the graph in TensorFlow.

    Example: edgeretrain import retrained_graph.pb --labels retrained_labels.txt --out flowers
    """
    from edgeretrain.backbone.source import SourceOverrides
    from edgeretrain.data.scaling import parse_scaling
    from edgeretrain.importers.classifier import import_graph

    folder = out or Path(f"{graph.stem}-imported")
    overrides = SourceOverrides(size, parse_scaling(scale) if scale is not None else None, input=input_tensor)
    with progress_shown(quiet) as progress:
        imported = import_graph(
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
        print_json({"out": str(folder), **asdict(imported)})
        return
    for note in imported.notes:
        say(note)
    for model in imported.models:
        say(
            f"{folder / model.file}  {model.bytes:,} bytes, same label as the graph for {model.same_label} of "
            f"{model.photos} photos, largest difference of a score {model.difference:.1g}"
        )
    say(f"Next: edgeretrain evaluate {folder / imported.models[-1].file} PHOTOS")
