"""How long work tells the caller how far it is; the command line turns it into bars or plain lines."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called as `progress(step, done, total)`: the step's name, the items done, and the items there are."""


def silent(step: str, done: int, total: int) -> None:
    """The progress that nobody watches: the default of every function of the Python API."""
