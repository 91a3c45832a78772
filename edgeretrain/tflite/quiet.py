"""Keep TensorFlow's log noise off the terminal: a user sees our progress lines and our errors, nothing else."""

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what C++ writes to file descriptor 2, Python warnings and absl's log, for the time of the block.

    `sys.stderr` still reaches the terminal, so progress bars drawn meanwhile are seen. When the block raises, what was
    swallowed is attached to the exception as a note (Python 3.11 and later), for whoever debugs it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(logging.ERROR)
    with tempfile.TemporaryFile() as swallowed, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _redirected(swallowed.fileno()):
                yield
        except Exception as error:
            swallowed.seek(0)
            noise = swallowed.read()[-4000:].decode(errors="replace")
            if noise and hasattr(error, "add_note"):
                error.add_note(noise)
            raise
        finally:
            absl.setLevel(level)


@contextlib.contextmanager
def _redirected(target: int) -> Iterator[None]:
    """File descriptor 2 goes to `target`; a `sys.stderr` that wrote to it goes where it went before."""
    python_stderr = sys.stderr
    try:
        kept = os.dup(2)
    except OSError:  # no standard error at all, as under pythonw or a daemon
        yield
        return
    try:
        writes_to_2 = python_stderr.fileno() == 2
    except (AttributeError, OSError, ValueError):
        writes_to_2 = False
    if writes_to_2:
        python_stderr.flush()
        sys.stderr = open(kept, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    os.dup2(target, 2)
    try:
        yield
    finally:
        if writes_to_2:
            sys.stderr.flush()
            sys.stderr = python_stderr
        os.dup2(kept, 2)
        os.close(kept)
