"""How many cores there are, and who may use them."""

import functools
import os
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


def available_cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _OneBlasThread:
    """Limits BLAS to one thread for as long as anyone is inside: the limit is the process's, not a thread's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limits: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limits = threadpool_limits(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limits.restore_original_limits()


_ONE_BLAS_THREAD = _OneBlasThread()


def one_blas_thread(function: Callable[_Args, _Result]) -> Callable[_Args, _Result]:
    """Run the function with single-threaded BLAS.

    The problems are small: more threads save nothing and lose tenfold on a busy machine; and with one, the same photos
    give the same head whatever the number of cores. Several threads may be inside at once.
    """

    @functools.wraps(function)
    def limited(*args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
        with _ONE_BLAS_THREAD:
            return function(*args, **kwargs)

    return limited
