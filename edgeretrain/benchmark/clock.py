"""The measuring loop: what stands between two readings of the clock, and nothing else."""

import gc
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ROOM = 4096


def measure(work: Callable[[], object], *, runs: int, seconds: float, limit: float = float("inf")) -> "array[int]":
    """Time `work` at least `runs` times and for at least `seconds`, but begin no run after `limit` seconds.

    Only the call stands between the two readings of the clock. Times go into an array that is made beforehand and
    doubled between two runs when it is full.

    Returns:
        nanoseconds of each run, at least one.
    """
    clock = time.perf_counter_ns
    times = array("q", bytes(8 * max(_ROOM, runs)))
    count = 0
    begun = clock()
    enough, too_long = begun + int(seconds * 1e9), begun + int(min(limit, 1e9) * 1e9)
    stop = begun
    while count == 0 or ((count < runs or stop < enough) and stop < too_long):
        if count == len(times):
            times.extend(times)
        start = clock()
        work()
        stop = clock()
        times[count] = stop - start
        count += 1
    del times[count:]
    return times


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep Python's garbage collector out of the block: one pass may take longer than an inference."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
