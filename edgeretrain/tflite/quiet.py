"""Keep the noise of TensorFlow and the runtimes off the terminal: a user sees our progress lines and our errors."""

import contextlib
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from typing import IO

BANNER = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
"""What a runtime's C++ prints when a process makes its first interpreter."""

_first_interpreter = threading.Lock()
_started: set[str] = set()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Swallow what C++ writes to file descriptor 2, Python warnings and absl's log, for the time of the block.

    `sys.stderr` still reaches the terminal, so progress bars drawn meanwhile are seen. When the block raises, what was
    swallowed is attached to the exception as a note (Python 3.11 and later), for debugging.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(logging.ERROR)
    with tempfile.TemporaryFile() as swallowed, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _python_stderr_kept(), _stderr_to(swallowed):
                yield
        except Exception as error:
            noise = _written(swallowed)[-4000:].decode(errors="replace")
            if noise and hasattr(error, "add_note"):
                error.add_note(noise)
            raise
        finally:
            absl.setLevel(level)


@contextlib.contextmanager
def suppress_banner(runtime: str) -> Iterator[None]:
    """Swallow the banner of this runtime while the block makes an interpreter; does nothing once that has worked.

    The runtimes read no environment variable for it, and LiteRT's wheel exports no logger function. So file descriptor
    2 leads to a temporary file for those milliseconds. What else was written meanwhile, by any thread, is passed on
    when the block ends.
    """
    if runtime not in _started:
        with _first_interpreter:
            if runtime not in _started:
                with _stderr_without(BANNER):
                    yield
                _started.add(runtime)
                return
    yield


@contextlib.contextmanager
def _stderr_without(line: bytes) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            swallowed = stack.enter_context(tempfile.TemporaryFile())
        except OSError:  # nowhere to write: then the line may come
            yield
            return
        try:
            with _stderr_to(swallowed):
                yield
        finally:
            rest = _written(swallowed).replace(line, b"")
            with contextlib.suppress(OSError):  # nobody reads standard error any more
                while rest:
                    rest = rest[os.write(2, rest) :]


@contextlib.contextmanager
def _stderr_to(file: IO[bytes]) -> Iterator[None]:
    """File descriptor 2 leads to a file."""
    try:
        before = os.dup(2)
    except OSError:  # no standard error at all, as under pythonw or a daemon
        yield
        return
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


@contextlib.contextmanager
def _python_stderr_kept() -> Iterator[None]:
    """A `sys.stderr` that writes to file descriptor 2 goes on to write where that leads now."""
    python_stderr = sys.stderr
    try:
        writes_to_2 = python_stderr.fileno() == 2
        terminal = os.dup(2)
    except (AttributeError, OSError, ValueError):
        yield
        return
    if writes_to_2:
        python_stderr.flush()
        sys.stderr = open(terminal, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    try:
        yield
    finally:
        if writes_to_2:
            sys.stderr.flush()
            sys.stderr = python_stderr
        os.close(terminal)


def _written(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
