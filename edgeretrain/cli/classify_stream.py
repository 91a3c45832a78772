"""`edgeretrain classify` on a stream: a live line on a terminal, a line for each change elsewhere, or JSON lines."""

import shutil
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeretrain.classifier import Classifier, Prediction
from edgeretrain.cli.classify_output import NOTHING_KNOWN, photo_line, photo_record, prediction_records
from edgeretrain.cli.classify_source import Camera, Video, Watched
from edgeretrain.cli.console import json_text, print_error, say_aside, say_at_once
from edgeretrain.cli.stream_options import until_stopped
from edgeretrain.errors import UnreadablePhoto
from edgeretrain.files.describe import one_line
from edgeretrain.stream.camera import open_camera
from edgeretrain.stream.command import LabelCommand
from edgeretrain.stream.loop import ClassifiedFrame, classify_stream
from edgeretrain.stream.smoothing import HOLD_SECONDS, SMOOTH_SECONDS, Smoother
from edgeretrain.stream.video import VideoFile
from edgeretrain.stream.watch import WatchedFolder

_SECONDS_BETWEEN_DRAWINGS = 0.1
_BAR = 20


@dataclass(frozen=True)
class StreamOptions:
    """The options of `edgeretrain classify` that a stream takes."""

    top_k: int
    reject_below: float | None
    smooth: float | None
    hold: float | None
    max_fps: float | None
    every: int
    on_label: str | None
    as_json: bool
    quiet: bool


def run_stream(
    model: Path, source: Camera | Video | Watched, options: StreamOptions, *, threads: int, runtime: str | None
) -> None:
    """Classify a stream until it ends or is stopped."""
    screen = Screen(options)
    with until_stopped():
        command = LabelCommand(options.on_label, notify=screen.notify) if options.on_label is not None else None
        with Classifier(model, threads=threads, runtime=runtime) as classifier:
            threshold = classifier.reject_below if options.reject_below is None else options.reject_below
            if isinstance(source, Watched):
                _watch(classifier, source.folder, options, threshold, command, screen)
                return
            smoother = Smoother(
                classifier.labels,
                seconds=SMOOTH_SECONDS if options.smooth is None else options.smooth,
                hold=HOLD_SECONDS if options.hold is None else options.hold,
                reject_below=threshold,
            )
            opened = (
                open_camera(source.device, notify=screen.notify)
                if isinstance(source, Camera)
                else VideoFile(source.path, every=options.every, notify=screen.notify)
            )
            with opened as frames:
                for classified in classify_stream(classifier, frames, smoother, max_fps=options.max_fps):
                    screen.show(
                        classified,
                        classifier.ranked(classified.smoothed.scores, options.top_k),
                        video=isinstance(source, Video),
                    )
                    if command is not None and classified.smoothed.changed:
                        command.label(classified.smoothed.label, classified.smoothed.score)
                    elif command is not None:
                        command.poll()
    screen.finish()


def _watch(
    classifier: Classifier,
    folder: Path,
    options: StreamOptions,
    threshold: float,
    command: LabelCommand | None,
    screen: "Screen",
) -> None:
    watched = WatchedFolder(folder, lambda photo: classifier(photo, top_k=options.top_k))
    if not options.quiet:
        screen.notify(f"Watching {folder} for new photos. Stop with Ctrl-C.")
    for photo, predictions in watched:
        if isinstance(predictions, UnreadablePhoto):
            print_error(str(predictions))
            continue
        if options.as_json:
            say_at_once(json_text(photo_record(photo, predictions, threshold)))
        else:
            say_at_once(photo_line(photo, predictions, threshold))
        if command is not None:
            top = predictions[0]
            command.label(top.label if top.score >= threshold else None, top.score)


class Screen:
    """What the user sees of a stream."""

    def __init__(self, options: StreamOptions) -> None:
        """Draw a live line if stdout is a terminal, except with --quiet or --json."""
        self._options = options
        self._live = not options.as_json and not options.quiet and sys.stdout.isatty()
        self._lock = threading.Lock()  # messages of a lost camera come from the camera's thread
        self._drawn = 0.0
        self._dirty = False
        self._frames = self._changes = 0
        self._latency_sum = self._latency_most = 0.0
        self._began = 0.0

    def notify(self, message: str) -> None:
        """Print a sentence on stderr."""
        with self._lock:
            self._clear()
            say_aside(message)

    def show(self, classified: ClassifiedFrame, predictions: list[Prediction], *, video: bool) -> None:
        """Show a frame that was classified."""
        if not self._frames:
            self._began = time.monotonic() - classified.inference
        self._frames += 1
        self._changes += classified.smoothed.changed
        self._latency_sum += classified.latency
        self._latency_most = max(self._latency_most, classified.latency)
        with self._lock:
            if self._options.as_json:
                say_at_once(json_text(_record(classified, predictions, video)))
            elif self._live:
                self._draw(classified)
            elif classified.smoothed.changed:
                when = f"{classified.frame.taken:8.2f} s" if video else time.strftime("%H:%M:%S")
                say_at_once(f"{when}  {_named(classified)} {classified.smoothed.score:.1%}")

    def finish(self) -> None:
        """End the live line; print the summary."""
        with self._lock:
            if self._dirty:
                say_at_once("")
            self._dirty = False
        if not self._frames or self._options.quiet:
            return
        seconds = max(time.monotonic() - self._began, 1e-9)
        say_aside(
            f"{self._frames:,} frames in {seconds:.1f} s ({self._frames / seconds:.1f} a second), latency "
            f"{1000 * self._latency_sum / self._frames:.0f} ms on average and {1000 * self._latency_most:.0f} ms at "
            f"most; the label changed {self._changes} times."
        )

    def _draw(self, classified: ClassifiedFrame) -> None:
        now = time.monotonic()
        if now - self._drawn < _SECONDS_BETWEEN_DRAWINGS and not classified.smoothed.changed:
            return
        from rich.cells import set_cell_size  # some characters are two cells wide

        self._drawn = now
        filled = round(_BAR * classified.smoothed.score)
        line = (
            f"{_named(classified)}  [{'#' * filled}{'.' * (_BAR - filled)}] {classified.smoothed.score:6.1%}  "
            f"{classified.fps:5.1f} fps  {1000 * classified.latency:4.0f} ms"
        )
        sys.stdout.write("\r" + set_cell_size(line, max(1, shutil.get_terminal_size().columns - 1)))
        sys.stdout.flush()
        self._dirty = True

    def _clear(self) -> None:
        if self._dirty:
            sys.stdout.write("\r" + " " * max(1, shutil.get_terminal_size().columns - 1) + "\r")
            sys.stdout.flush()
            self._dirty = False


def _named(classified: ClassifiedFrame) -> str:
    return NOTHING_KNOWN if classified.smoothed.label is None else one_line(classified.smoothed.label)


def _record(classified: ClassifiedFrame, predictions: list[Prediction], video: bool) -> dict[str, Any]:
    return {
        "time": round(classified.frame.taken if video else time.time() - classified.latency, 3),
        "label": classified.smoothed.label,
        "score": round(classified.smoothed.score, 6),
        "changed": classified.smoothed.changed,
        "predictions": prediction_records(predictions),
        "fps": round(classified.fps, 2),
        "latency_ms": round(1000 * classified.latency, 2),
    }
