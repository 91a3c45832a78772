"""How many cores there are, and who may use them."""

import functools
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from edgeretrain.errors import EdgeretrainError

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


def available_cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_threads(threads: int) -> None:
    """Whether a model can run on so many threads.

    Raises:
        EdgeretrainError: there is none.
    """
    if threads < 1:
        raise EdgeretrainError(f"threads must be at least 1, not {threads}.")


def one_blas_thread(function: Callable[_Args, _Result]) -> Callable[_Args, _Result]:
    """Run the function with single-threaded BLAS.

    The problems are small: more threads save nothing and lose tenfold on a busy machine; and with one, the same photos
    give the same head whatever the number of cores.
    """

    @functools.wraps(function)
    def limited(*args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
        from threadpoolctl import threadpool_limits  # whoever only classifies does without it

        with threadpool_limits(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited
