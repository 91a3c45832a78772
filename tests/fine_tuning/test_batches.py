"""Training photos in batches."""

import contextlib
import threading

import numpy as np
import pytest
from support.garden import texture

from edgeretrain.fine_tuning import FineTuning
from edgeretrain.fine_tuning.batches import epoch_batches, epoch_rows, mixup_weights, steps_per_epoch

ROWS = np.array([2, 3, 5, 7, 11, 13, 17])


@pytest.fixture
def pixels() -> np.ndarray:
    return np.stack([texture("dots", number)[:32, :32] for number in range(20)])


@pytest.mark.parametrize(("photos", "size", "steps"), [(7, 7, 1), (8, 7, 2), (14, 7, 2), (1, 7, 1)])
def test_steps_per_epoch(photos: int, size: int, steps: int) -> None:
    assert steps_per_epoch(photos, size) == steps


@pytest.mark.parametrize("size", [1, 3, 7, 10])
def test_an_epoch_shows_every_photo(size: int) -> None:
    rows = epoch_rows(ROWS, size, seed=0, epoch=1)
    assert rows.shape == (steps_per_epoch(len(ROWS), size), size)
    seen, times = np.unique(rows, return_counts=True)
    assert seen.tolist() == ROWS.tolist()
    assert times.max() - times.min() <= 1


def test_order_depends_on_seed_and_epoch_alone() -> None:
    rows = np.arange(100)
    first = epoch_rows(rows, 10, seed=0, epoch=1)
    assert np.array_equal(first, epoch_rows(rows, 10, seed=0, epoch=1))
    assert not np.array_equal(first, epoch_rows(rows, 10, seed=0, epoch=2))
    assert not np.array_equal(first, epoch_rows(rows, 10, seed=1, epoch=1))


def test_batches_repeat_to_the_byte(pixels: np.ndarray) -> None:
    options = FineTuning(batch_size=3)
    one, other = (list(epoch_batches(pixels, pixels, ROWS, options, seed=4, epoch=2)) for _ in range(2))
    assert len(one) == 3
    for (photos, rows), (again, same) in zip(one, other, strict=True):
        assert np.array_equal(photos, again)
        assert np.array_equal(rows, same)
    (later, _), *_ = epoch_batches(pixels, pixels, ROWS, options, seed=4, epoch=3)
    assert not np.array_equal(later, one[0][0])


def test_without_augmentation_the_photos_are_as_they_are(pixels: np.ndarray) -> None:
    options = FineTuning(batch_size=4, augmentation=0, mirror=False)
    for photos, rows in epoch_batches(pixels, pixels, ROWS, options, seed=0, epoch=1):
        assert np.array_equal(photos, pixels[rows])


def test_a_photo_shown_twice_looks_different_each_time(pixels: np.ndarray) -> None:
    ((photos, rows),) = epoch_batches(pixels, pixels, ROWS[:1], FineTuning(batch_size=4), seed=0, epoch=1)
    assert rows.tolist() == [2, 2, 2, 2]
    assert len({photo.tobytes() for photo in photos}) == 4


def test_leaving_early_ends_the_threads(pixels: np.ndarray) -> None:
    before = set(threading.enumerate())
    with contextlib.closing(
        epoch_batches(pixels, pixels, np.arange(20), FineTuning(batch_size=1), seed=0, epoch=1)
    ) as some:
        next(some)
        assert set(threading.enumerate()) - before
    assert not set(threading.enumerate()) - before


def test_mixup_keeps_the_larger_share_and_depends_on_seed_and_epoch_alone() -> None:
    options = FineTuning(mixup=0.4)
    shares = mixup_weights(options, 500, seed=0, epoch=1)
    assert shares.shape == (500,)
    assert 0.5 <= shares.min() < 0.55
    assert 0.999 < shares.max() <= 1
    np.testing.assert_array_equal(shares, mixup_weights(options, 500, seed=0, epoch=1))
    for seed, epoch in ((1, 1), (0, 2)):
        assert not np.array_equal(shares, mixup_weights(options, 500, seed=seed, epoch=epoch))
    np.testing.assert_array_equal(mixup_weights(FineTuning(mixup=0), 3, seed=0, epoch=1), np.ones(3))
