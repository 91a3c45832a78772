"""Keep one line off the terminal: what a runtime's C++ prints when a process makes its first interpreter."""

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

GREETING = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"

_first_interpreter = threading.Lock()
_greeted: set[str] = set()


@contextlib.contextmanager
def without_greeting(runtime: str) -> Iterator[None]:
    """Swallow the greeting of this runtime while the block makes an interpreter; free once that has worked.

    The runtimes read no environment variable for it, and LiteRT's wheel exports no logger function. So file descriptor
    2 leads to a temporary file for those milliseconds. What else was written meanwhile, by any thread, is passed on
    when the block ends.
    """
    if runtime not in _greeted:
        with _first_interpreter:
            if runtime not in _greeted:
                with _stderr_without(GREETING):
                    yield
                _greeted.add(runtime)
                return
    yield


@contextlib.contextmanager
def _stderr_without(line: bytes) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            written = stack.enter_context(tempfile.TemporaryFile())
            kept = os.dup(2)
        except OSError:  # no standard error, as under pythonw, or nowhere to write: then the line may come
            kept = -1
        if kept < 0:
            yield
            return
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            _pass_on(written, line)


def _pass_on(written: IO[bytes], line: bytes) -> None:
    written.seek(0)
    rest = written.read().replace(line, b"")
    with contextlib.suppress(OSError):  # nobody reads standard error any more
        while rest:
            rest = rest[os.write(2, rest) :]
