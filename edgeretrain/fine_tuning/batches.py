"""Training photos in batches. Threads prepare the next batches while the network trains on the current one."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from edgeretrain.data.pixels import Pixels
from edgeretrain.fine_tuning.augmentation import apply_augmentation, sample_augmentation
from edgeretrain.head.softmax import Rows
from edgeretrain.options import FineTuning

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


def mixup_weights(options: FineTuning, steps: int, *, seed: int, epoch: int) -> npt.NDArray[np.float64]:
    """Mixup's lambda of every batch of an epoch, 0.5 to 1, `[steps]`: the weight of the photo itself. 1: no mixup."""
    if not options.mixup:
        return np.ones(steps)
    weights = np.random.default_rng([seed, epoch, steps]).beta(options.mixup, options.mixup, steps)
    return np.maximum(weights, 1 - weights)


def epoch_batches(
    pixels: Pixels, detailed: Pixels, rows: Rows, options: FineTuning, *, seed: int, epoch: int
) -> Generator[tuple[Pixels, Rows], None, None]:
    """The batches of an epoch: `(photos uint8 [batch_size,S,S,3], their rows)`. Depends on seed and epoch alone.

    Args:
        pixels: uint8 `[n,S,S,3]`, in memory or on disk.
        detailed: the same photos, uint8 `[n,D,D,3]`; see `apply_augmentation`.
        rows: of the training photos.

    Close it (`contextlib.closing`) when leaving it early: that ends the threads.
    """
    batches = epoch_rows(rows, options.batch_size, seed, epoch)

    def make(number: int) -> Pixels:
        augmentations = (
            sample_augmentation(
                np.random.default_rng([seed, epoch, number, position]), options.augmentation, mirror=options.mirror
            )
            for position in range(options.batch_size)
        )
        pairs = zip(batches[number], augmentations, strict=True)
        return np.stack([apply_augmentation(pixels[row], detailed[row], augmentation) for row, augmentation in pairs])

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
