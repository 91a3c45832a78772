"""What the commands that run until they are stopped share."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

RejectBelow = Annotated[
    float | None,
    typer.Option(
        "--reject-below",
        min=0,
        max=1,
        metavar="SCORE",
        help='Say "nothing known" below this score; 0 never does. Default: what the model\'s card says.',
    ),
]


@contextmanager
def until_stopped() -> Iterator[None]:
    """Ctrl-C and SIGTERM are the way to end a stream, not failures of it."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
