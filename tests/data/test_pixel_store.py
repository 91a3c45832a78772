"""Decoded photos on disk: what goes in comes out, from any thread, and nothing stays behind."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from edgeretrain.data.pixel_store import pixel_store


def pixels(number: int, size: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (size, size, 3), np.uint8)


def test_pixels_by_digest_and_size(tmp_path: Path) -> None:
    with pixel_store(tmp_path) as store:
        for number in range(5):
            for size in (8, 16):
                store.add(f"{number:064x}", pixels(number, size))
        for number in range(5):
            for size in (8, 16):
                found = store.get(f"{number:064x}", size)
                assert found is not None and (found == pixels(number, size)).all()
        assert store.get(f"{0:064x}", 32) is None and store.get(f"{9:064x}", 8) is None
    assert list(tmp_path.iterdir()) == []


def test_the_first_pixels_of_a_photo_stay(tmp_path: Path) -> None:
    with pixel_store(tmp_path) as store:
        store.add("a" * 64, pixels(1, 8))
        store.add("a" * 64, pixels(2, 8))
        found = store.get("a" * 64, 8)
        assert found is not None and (found == pixels(1, 8)).all()
        (file,) = tmp_path.rglob("*.uint8")
        assert file.stat().st_size == 8 * 8 * 3


def test_mirrored_pixels_are_kept_as_they_look(tmp_path: Path) -> None:
    with pixel_store(tmp_path) as store:
        store.add("a" * 64, pixels(1, 8)[:, ::-1])
        found = store.get("a" * 64, 8)
        assert found is not None and (found == pixels(1, 8)[:, ::-1]).all()


def test_many_threads(tmp_path: Path) -> None:
    with pixel_store(tmp_path) as store, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: store.add(f"{number:064x}", pixels(number, 16)), range(200)))
        found = list(threads.map(lambda number: store.get(f"{number:064x}", 16), range(200)))
        assert all(kept is not None and (kept == pixels(number, 16)).all() for number, kept in enumerate(found))
