"""`edgeretrain classify`: photos here, streams in classify_stream.py."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeretrain.cli.classify_output import photo_line, photo_record
from edgeretrain.cli.console import RuntimeName, print_error, print_json
from edgeretrain.cli.stream_options import RejectBelow

if TYPE_CHECKING:
    from edgeretrain.classifier import Classifier


def classify_command(
    model: Annotated[
        Path, typer.Argument(help="A model written by `edgeretrain retrain`.", metavar="MODEL", show_default=False)
    ],
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Photos and folders of photos; or one video; or a camera: `camera`, `camera:1` for the second.",
            show_default=False,
        ),
    ],
    *,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, metavar="N", help="How many classes to print.")] = 3,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="Threads of the interpreter.")] = 1,
    runtime: RuntimeName = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: one array for photos, one line for each frame of a stream.")
    ] = False,
    reject_below: RejectBelow = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Wait for new photos in a folder, until stopped; classify no others.")
    ] = False,
    every: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Take each N-th frame of a video. Default: all.")
    ] = None,
    smooth: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="Time constant of the smoothing over the frames of a camera or video; 0 for none. Default: 0.5.",
        ),
    ] = None,
    hold: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="SECONDS", help="How long a class must lead before it becomes the label. Default: 0.5."
        ),
    ] = None,
    max_fps: Annotated[
        float | None,
        typer.Option(min=0.01, metavar="N", help="Look at no more frames a second of a camera. Default: all it can."),
    ] = None,
    on_label: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Run this when a stream's label changes, such as 'say {label}'; {score} too. No shell, one at a time.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no live line and no summary.")] = False,
) -> None:
    """Say what is on photos, a video, or what a camera sees.

    A photo that cannot be read is told on stderr; the others are classified all the same, and the exit code is 1.
    A stream runs until it ends or is stopped with Ctrl-C or SIGTERM, with exit code 0.

    Example: edgeretrain classify flowers/model.int8.tflite camera --on-label 'say {label}'
    """
    from edgeretrain.cli.classify_source import Photos, parse_sources

    given = {"--smooth": smooth, "--hold": hold, "--max-fps": max_fps, "--every": every, "--on-label": on_label}
    source = parse_sources(sources, watch, [option for option, value in given.items() if value is not None])
    if not isinstance(source, Photos):
        from edgeretrain.cli.classify_stream import Look, run_stream

        look = Look(top_k, reject_below, smooth, hold, max_fps, every or 1, on_label, as_json, quiet)
        run_stream(model, source, look, threads=threads, runtime=runtime)
        return
    from edgeretrain.classifier import Classifier

    with Classifier(model, threads=threads, runtime=runtime) as classifier:
        limit = classifier.reject_below if reject_below is None else reject_below
        if not _classify_photos(classifier, source.paths, top_k, limit, as_json):
            raise typer.Exit(1)


def _classify_photos(classifier: "Classifier", photos: list[Path], top_k: int, limit: float, as_json: bool) -> bool:
    """Print what is on each; whether all could be read."""
    from edgeretrain.errors import UnreadablePhoto

    answers = []
    failures = 0
    for photo, predictions in _predictions(classifier, photos, top_k):
        if isinstance(predictions, UnreadablePhoto):
            print_error(str(predictions))
            failures += 1
        elif as_json:
            answers.append(photo_record(photo, predictions, limit))
        else:
            typer.echo(photo_line(photo, predictions, limit))
    if as_json:
        print_json(answers)
    return not failures


def _predictions(classifier: "Classifier", photos: list[Path], top_k: int) -> Iterator[tuple[Path, Any]]:
    from edgeretrain.errors import UnreadablePhoto

    if len(photos) > 1:
        yield from classifier.batch(photos, top_k=top_k)
        return
    for photo in photos:  # threads to decode would cost more than they save
        try:
            yield photo, classifier(photo, top_k=top_k)
        except UnreadablePhoto as error:
            yield photo, error
