"""What every command shares: progress on stderr, results on stdout.

All that commands print goes through here, where nothing in it is markup and no control character gets out: names of
files, labels, tensors and devices are other people's. The escapes of a terminal are Rich's own.
"""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from edgeretrain.files.describe import lines, one_line
from edgeretrain.progress import Progress, silent

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Workers = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Threads that work on photos. Default: one per core.")
]
RuntimeName = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        metavar="NAME",
        help="ai_edge_litert, tflite_runtime or tensorflow. Default: the first of these that is installed.",
    ),
]

Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="ssh://USER@HOST[:PORT]",
        help="Measure on this device instead of this machine, through the system's ssh. edgeretrain must be installed "
        "there.",
        show_default=False,
    ),
]

_SECONDS_BETWEEN_LINES = 10  # of progress, where there is no terminal


@contextmanager
def progress_shown(quiet: bool) -> Iterator[Progress]:
    """A `Progress` that draws bars on a terminal, prints plain lines elsewhere, and nothing when quiet."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _bars() as progress:
            yield progress
    else:
        yield _lines()


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def progress(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(one_line(step), total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield progress


def _lines() -> Progress:
    printed: dict[str, float] = {}  # step -> when its last line was printed
    began: dict[str, tuple[float, int]] = {}  # step -> when it began, and how much was done then

    def progress(step: str, done: int, total: int) -> None:
        now = time.monotonic()
        start, before = began.setdefault(step, (now, done))
        if done >= total or now - printed.setdefault(step, now) >= _SECONDS_BETWEEN_LINES:
            printed[step] = now
            left = ""
            if before < done < total:
                left = f", about {_duration((total - done) * (now - start) / (done - before))} left"
            say_aside(f"{step}: {done} of {total}{left}")

    return progress


def _duration(seconds: float) -> str:
    """`40 s`, `7 min`, `2 h 5 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def say(line: str = "") -> None:
    """Print a line on stdout."""
    typer.echo(one_line(line))


def say_at_once(line: str) -> None:
    """Print a line on stdout, not when a buffer is full: a person or a program waits for it."""
    say(line)
    sys.stdout.flush()


def say_aside(line: str) -> None:
    """Print a line on stderr, at once."""
    print(one_line(line), file=sys.stderr, flush=True)


def print_error(message: str) -> None:
    """Print an error as one line on stderr."""
    with contextlib.suppress(OSError):  # the terminal is gone
        say_aside(f"error: {message}")


def print_json(value: Any) -> None:
    """Print a value as indented JSON on stdout."""
    typer.echo(json_text(value, indent=1))


def json_text(value: Any, indent: int | None = None) -> str:
    """A value as JSON that reads well and that no terminal acts upon: control characters are escaped as JSON does."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(c if c == "\n" or one_line(c) == c else json.dumps(c)[1:-1] for c in text)


def print_rich(renderable: Any) -> None:
    """Print a table: in colour on a terminal, as plain text elsewhere. Text in square brackets is text."""
    from rich.console import Console

    # 100 columns where there is no terminal to ask: a pipe or a log should not squeeze a table.
    width = None if sys.stdout.isatty() else 100
    Console(width=width, highlight=False, markup=False, emoji=False).print(_Harmless(renderable))


class _Harmless:
    """What Rich makes of something, without control characters in its text."""

    def __init__(self, renderable: Any) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        for segment in console.render(self._renderable, options):
            yield segment if segment.control else segment._replace(text=lines(segment.text))
