"""Training photos in batches, made ready by threads while the network learns from the batch before."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from edgeretrain.data.decoded import Pixels
from edgeretrain.fine_tuning.augmentation import apply_look, draw_look
from edgeretrain.fine_tuning_options import FineTuning
from edgeretrain.head.softmax import Rows

_THREADS = 2
_AHEAD = 4  # batches


def steps_per_epoch(photos: int, batch_size: int) -> int:
    """How many batches an epoch has."""
    return -(-photos // batch_size)


def epoch_rows(rows: Rows, batch_size: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The photos of an epoch in another order each time, `[steps, batch_size]`: every photo once, and as many of them
    a second time as it takes to fill the last batch."""
    order = rows[np.random.default_rng([seed, epoch]).permutation(len(rows))]
    return np.resize(order, (steps_per_epoch(len(rows), batch_size), batch_size))


def mixup_shares(options: FineTuning, steps: int, *, seed: int, epoch: int) -> npt.NDArray[np.float64]:
    """The share of each photo itself in the batches of an epoch, 0.5 to 1, `[steps]`; 1 without mixup."""
    if not options.mixup:
        return np.ones(steps)
    shares = np.random.default_rng([seed, epoch, steps]).beta(options.mixup, options.mixup, steps)
    return np.maximum(shares, 1 - shares)


def epoch_batches(
    pixels: Pixels, detailed: Pixels, rows: Rows, options: FineTuning, *, seed: int, epoch: int
) -> Generator[tuple[Pixels, Rows], None, None]:
    """The batches of an epoch: `(photos uint8 [batch_size,S,S,3], their rows)`. Depends on seed and epoch alone.

    Args:
        pixels: uint8 `[n,S,S,3]`, in memory or on disk.
        detailed: the same photos, uint8 `[n,D,D,3]`; see `apply_look`.
        rows: those to learn from.

    Close it (`contextlib.closing`) when leaving it early: that ends the threads.
    """
    batches = epoch_rows(rows, options.batch_size, seed, epoch)

    def make(number: int) -> Pixels:
        looks = (
            draw_look(np.random.default_rng([seed, epoch, number, place]), options.augmentation, mirror=options.mirror)
            for place in range(options.batch_size)
        )
        each = zip(batches[number], looks, strict=True)
        return np.stack([apply_look(pixels[row], detailed[row], look) for row, look in each])

    with ThreadPoolExecutor(_THREADS) as threads:
        waiting: deque[Future[Pixels]] = deque()
        try:
            for number in range(len(batches) + _AHEAD):
                if number < len(batches):
                    waiting.append(threads.submit(make, number))
                if number >= _AHEAD:
                    yield waiting.popleft().result(), batches[number - _AHEAD]
        finally:
            for future in waiting:
                future.cancel()
