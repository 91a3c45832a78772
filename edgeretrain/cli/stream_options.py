"""What `classify` and `serve` share."""

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
        help='Answer "nothing known" below this score, 0 to 1; 0: never. Default: the value in the model\'s card.',
    ),
]


@contextmanager
def until_stopped() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block without an error: they are the usual way to end a stream."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
