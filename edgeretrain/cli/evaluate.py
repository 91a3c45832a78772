"""`edgeretrain evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from edgeretrain.cli.console import Json, Quiet, RuntimeName, Workers, print_json, print_rich, progress_shown, say
from edgeretrain.cli.options import LayoutOption


def evaluate_command(
    model: Annotated[
        Path, typer.Argument(help="A model written by `edgeretrain retrain`.", metavar="MODEL", show_default=False)
    ],
    photos: Annotated[
        Path,
        typer.Argument(
            help="Folder with one sub-folder of photos per class, named like the labels.",
            metavar="PHOTOS",
            show_default=False,
        ),
    ],
    *,
    testing_only: Annotated[
        bool,
        typer.Option(
            "--testing-only",
            help="Use only the photos that retrain holds out. For the photos folder that the model was trained on.",
        ),
    ] = False,
    validation_percentage: Annotated[
        float, typer.Option(min=0, max=100, metavar="PERCENT", help="As in retrain.")
    ] = 10,
    testing_percentage: Annotated[float, typer.Option(min=0, max=100, metavar="PERCENT", help="As in retrain.")] = 10,
    layout: LayoutOption = "auto",
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at a photo that cannot be read instead of skipping it.")
    ] = False,
    workers: Workers = None,
    runtime: RuntimeName = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure a model on photos: accuracy, recall of each class, and confusion matrix.

    Use photos that the model was not trained on: any model looks good on its training photos.

    Example: edgeretrain evaluate flowers/model.int8.tflite new_flower_photos
    """
    from edgeretrain.evaluation.evaluate import evaluate_folder
    from edgeretrain.records.json_form import to_json
    from edgeretrain.records.training import SkippedPhoto
    from edgeretrain.report import render_evaluation

    notes: list[str] = []
    percentages = (validation_percentage, testing_percentage) if testing_only else None
    with progress_shown(quiet) as progress:
        evaluation, skipped = evaluate_folder(
            model,
            photos,
            testing_only=percentages,
            layout=layout,
            notify=notes.append,
            strict=strict,
            workers=workers,
            runtime=runtime,
            progress=progress,
        )
    if as_json:
        left_out = [to_json(SkippedPhoto(photo=photo.name, reason=photo.reason)) for photo in skipped]
        more = {"notes": notes} if notes else {}
        print_json({**to_json(evaluation), "skipped": left_out, **more})
        return
    print_rich(render_evaluation(evaluation))
    for note in notes:
        say(note)
    for photo in skipped:
        say(f"Skipped {photo.name}: {photo.reason}")
