"""`edgeretrain classify` on a stream: a live line on a terminal, a line for each change elsewhere, or JSON lines."""

import json
import shutil
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from edgeretrain.classifier import Classifier, Prediction
from edgeretrain.cli.classify_output import NOTHING, photo_line, photo_record, prediction_records
from edgeretrain.cli.classify_source import Camera, Video, Watched
from edgeretrain.cli.console import print_error
from edgeretrain.cli.stream_options import until_stopped
from edgeretrain.errors import UnreadablePhoto
from edgeretrain.files.printable import one_line
from edgeretrain.stream.camera import open_camera
from edgeretrain.stream.command import LabelCommand
from edgeretrain.stream.loop import Seen, classify_stream
from edgeretrain.stream.smoothing import HOLD_SECONDS, SMOOTH_SECONDS, Smoother
from edgeretrain.stream.video import VideoFile
from edgeretrain.stream.watch import WatchedFolder

_SECONDS_BETWEEN_DRAWINGS = 0.1
_BAR = 20


@dataclass(frozen=True)
class Look:
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


def run_stream(model: Path, source: Camera | Video | Watched, look: Look, *, threads: int, runtime: str | None) -> None:
    """Classify a stream until it ends or is stopped."""
    screen = Screen(look)
    with until_stopped():
        command = LabelCommand(look.on_label, tell=screen.tell) if look.on_label is not None else None
        with Classifier(model, threads=threads, runtime=runtime) as classifier:
            limit = classifier.reject_below if look.reject_below is None else look.reject_below
            if isinstance(source, Watched):
                _watch(classifier, source.folder, look, limit, command, screen)
                return
            smoother = Smoother(
                classifier.labels,
                seconds=SMOOTH_SECONDS if look.smooth is None else look.smooth,
                hold=HOLD_SECONDS if look.hold is None else look.hold,
                reject_below=limit,
            )
            opened = (
                open_camera(source.place, tell=screen.tell)
                if isinstance(source, Camera)
                else VideoFile(source.path, every=look.every, tell=screen.tell)
            )
            with opened as frames:
                for seen in classify_stream(classifier, frames, smoother, max_fps=look.max_fps):
                    screen.show(seen, classifier.ranked(seen.held.scores, look.top_k), video=isinstance(source, Video))
                    if command is not None and seen.held.changed:
                        command.label(seen.held.label, seen.held.score)
                    elif command is not None:
                        command.poll()
    screen.finish()


def _watch(
    classifier: Classifier, folder: Path, look: Look, limit: float, command: LabelCommand | None, screen: "Screen"
) -> None:
    watched = WatchedFolder(folder, lambda photo: classifier(photo, top_k=look.top_k))
    if not look.quiet:
        screen.tell(f"Watching {folder} for new photos; Ctrl-C ends it.")
    for photo, predictions in watched:
        if isinstance(predictions, UnreadablePhoto):
            print_error(str(predictions))
            continue
        if look.as_json:
            print_line(json.dumps(photo_record(photo, predictions, limit), ensure_ascii=False))
        else:
            print_line(photo_line(photo, predictions, limit))
        if command is not None:
            top = predictions[0]
            command.label(top.label if top.score >= limit else None, top.score)


def print_line(line: str) -> None:
    """Print a line at once, not when a buffer is full: somebody is waiting for it."""
    typer.echo(line)
    sys.stdout.flush()


class Screen:
    """What the user sees of a stream."""

    def __init__(self, look: Look) -> None:
        """On a terminal a live line is drawn, unless it is quiet or JSON is wanted."""
        self._look = look
        self._live = not look.as_json and not look.quiet and sys.stdout.isatty()
        self._turn = threading.Lock()  # messages of a lost camera come from the camera's thread
        self._drawn = 0.0
        self._dirty = False
        self._frames = self._changes = 0
        self._latency_sum = self._latency_most = 0.0
        self._began = 0.0

    def tell(self, message: str) -> None:
        """Print a sentence on stderr."""
        with self._turn:
            self._clear()
            print(one_line(message), file=sys.stderr, flush=True)

    def show(self, seen: Seen, predictions: list[Prediction], *, video: bool) -> None:
        """Show a frame that was classified."""
        if not self._frames:
            self._began = time.monotonic() - seen.inference
        self._frames += 1
        self._changes += seen.held.changed
        self._latency_sum += seen.latency
        self._latency_most = max(self._latency_most, seen.latency)
        with self._turn:
            if self._look.as_json:
                print_line(json.dumps(_record(seen, predictions, video), ensure_ascii=False))
            elif self._live:
                self._draw(seen)
            elif seen.held.changed:
                when = f"{seen.frame.taken:8.2f} s" if video else time.strftime("%H:%M:%S")
                print_line(f"{when}  {_named(seen)} {seen.held.score:.1%}")

    def finish(self) -> None:
        """End the live line; say how it went."""
        with self._turn:
            if self._dirty:
                print_line("")
            self._dirty = False
        if not self._frames or self._look.quiet:
            return
        seconds = max(time.monotonic() - self._began, 1e-9)
        print(
            f"{self._frames:,} frames in {seconds:.1f} s ({self._frames / seconds:.1f} a second), latency "
            f"{1000 * self._latency_sum / self._frames:.0f} ms on average and {1000 * self._latency_most:.0f} ms at "
            f"most; the label changed {self._changes} times.",
            file=sys.stderr,
        )

    def _draw(self, seen: Seen) -> None:
        now = time.monotonic()
        if now - self._drawn < _SECONDS_BETWEEN_DRAWINGS and not seen.held.changed:
            return
        from rich.cells import set_cell_size  # some characters are two cells wide

        self._drawn = now
        filled = round(_BAR * seen.held.score)
        line = (
            f"{_named(seen)}  [{'#' * filled}{'.' * (_BAR - filled)}] {seen.held.score:6.1%}  "
            f"{seen.fps:5.1f} fps  {1000 * seen.latency:4.0f} ms"
        )
        sys.stdout.write("\r" + set_cell_size(line, max(1, shutil.get_terminal_size().columns - 1)))
        sys.stdout.flush()
        self._dirty = True

    def _clear(self) -> None:
        if self._dirty:
            sys.stdout.write("\r" + " " * max(1, shutil.get_terminal_size().columns - 1) + "\r")
            sys.stdout.flush()
            self._dirty = False


def _named(seen: Seen) -> str:
    return NOTHING if seen.held.label is None else one_line(seen.held.label)


def _record(seen: Seen, predictions: list[Prediction], video: bool) -> dict[str, Any]:
    return {
        "time": round(seen.frame.taken if video else time.time() - seen.latency, 3),
        "label": seen.held.label,
        "score": round(seen.held.score, 6),
        "changed": seen.held.changed,
        "predictions": prediction_records(predictions),
        "fps": round(seen.fps, 2),
        "latency_ms": round(1000 * seen.latency, 2),
    }
