"""`edgeretrain classify`."""

from pathlib import Path
from typing import Annotated

import typer

from edgeretrain.cli.console import Json, RuntimeName, one_line, print_error, print_json


def classify_command(
    model: Annotated[
        Path, typer.Argument(help="A model written by `edgeretrain retrain`.", metavar="MODEL", show_default=False)
    ],
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="Photos to classify.", show_default=False)],
    *,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, metavar="N", help="How many classes to print.")] = 3,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="Threads of the interpreter.")] = 1,
    runtime: RuntimeName = None,
    as_json: Json = False,
) -> None:
    """Say what is on photos: the most probable classes of each.

    A photo that cannot be read is told on stderr; the others are classified all the same, and the exit code is 1.

    Example: edgeretrain classify flowers/model.int8.tflite tulip.jpg rose.jpg
    """
    from edgeretrain.classifier import Classifier
    from edgeretrain.errors import UnreadablePhoto

    classifier = Classifier(model, threads=threads, runtime=runtime)
    answers = []
    failures = 0
    for photo in photos:
        try:
            predictions = classifier(photo, top_k=top_k)
        except UnreadablePhoto as error:
            print_error(str(error))
            failures += 1
            continue
        answers.append(
            {"photo": str(photo), "predictions": [{"label": one.label, "score": one.score} for one in predictions]}
        )
        if not as_json:
            typer.echo(one_line(f"{photo}: ") + ", ".join(f"{one.label} {one.score:.1%}" for one in predictions))
    if as_json:
        print_json(answers)
    if failures:
        raise typer.Exit(1)
