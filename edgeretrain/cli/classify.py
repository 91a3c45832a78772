"""`edgeretrain classify`: photos here, streams in classify_stream.py."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeretrain.cli.classify_output import photo_line, photo_record
from edgeretrain.cli.console import RuntimeName, print_error, print_json, say
from edgeretrain.cli.stream_options import RejectBelow
from edgeretrain.stream.smoothing import HOLD_SECONDS, SMOOTH_SECONDS

if TYPE_CHECKING:
    from edgeretrain.classifier import Classifier


def classify_command(
    model: Annotated[
        Path, typer.Argument(help="A model written by `edgeretrain retrain`.", metavar="MODEL", show_default=False)
    ],
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Photos and folders of photos; or one video; or a camera: `camera`, `camera:1` for the second one.",
            show_default=False,
        ),
    ],
    *,
    top_k: Annotated[int, typer.Option("--top-k", "-k", min=1, metavar="N", help="Number of classes to print.")] = 3,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="Threads of the interpreter.")] = 1,
    runtime: RuntimeName = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: one array for photos, one line per frame of a stream.")
    ] = False,
    reject_below: RejectBelow = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Wait for new photos in a folder until stopped; only these are classified.")
    ] = False,
    every: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Classify only each N-th frame of a video. Default: all.")
    ] = None,
    smooth: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="Time constant of the smoothing over the frames of a camera or video; 0: no smoothing. "
            f"Default: {SMOOTH_SECONDS:g}.",
        ),
    ] = None,
    hold: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help=f"How long a class must lead before it becomes the label. Default: {HOLD_SECONDS:g}.",
        ),
    ] = None,
    max_fps: Annotated[
        float | None,
        typer.Option(min=0.01, metavar="N", help="Largest number of frames of a camera per second. Default: no limit."),
    ] = None,
    on_label: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Command to run when the label of a stream changes, such as 'say {label} {score}'. It runs without a "
            "shell, one at a time.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not show the live line and the summary.")] = False,
) -> None:
    """Classify photos, a video, or the picture of a camera.

    A photo that cannot be read is reported on stderr; the others are still classified, and the exit code is 1.
    A stream runs until it ends or is stopped with Ctrl-C or SIGTERM; the exit code is 0.

    Example: edgeretrain classify flowers/model.int8.tflite camera --on-label 'say {label}'
    """
    from edgeretrain.cli.classify_source import Photos, parse_sources

    given = {"--smooth": smooth, "--hold": hold, "--max-fps": max_fps, "--every": every, "--on-label": on_label}
    source = parse_sources(sources, watch, [option for option, value in given.items() if value is not None])
    if not isinstance(source, Photos):
        from edgeretrain.cli.classify_stream import StreamOptions, run_stream

        options = StreamOptions(top_k, reject_below, smooth, hold, max_fps, every or 1, on_label, as_json, quiet)
        run_stream(model, source, options, threads=threads, runtime=runtime)
        return
    from edgeretrain.classifier import Classifier

    with Classifier(model, threads=threads, runtime=runtime) as classifier:
        threshold = classifier.reject_below if reject_below is None else reject_below
        if not _classify_photos(classifier, source.paths, top_k, threshold, as_json):
            raise typer.Exit(1)


def _classify_photos(classifier: "Classifier", photos: list[Path], top_k: int, threshold: float, as_json: bool) -> bool:
    """Print the predictions; whether all photos could be read."""
    from edgeretrain.errors import UnreadablePhoto

    records = []
    failures = 0
    for photo, predictions in _predictions(classifier, photos, top_k):
        if isinstance(predictions, UnreadablePhoto):
            print_error(str(predictions))
            failures += 1
        elif as_json:
            records.append(photo_record(photo, predictions, threshold))
        else:
            say(photo_line(photo, predictions, threshold))
    if as_json:
        print_json(records)
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
