"""The photos that benchmarks/phone_photos.py makes: the same ones every time."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.garden import encoded, put, texture

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def large_photos(monkeypatch: pytest.MonkeyPatch) -> Any:
    if not BENCHMARKS.exists():
        pytest.skip("there are no benchmarks here (an installed package)")
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("large_photos")


def test_a_photo_is_enlarged_with_grain_to_the_same_bytes(
    large_photos: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_photos, "WIDTH", 320)
    monkeypatch.setattr(large_photos, "HEIGHT", 400)  # more than one block of rows
    small = put(tmp_path / "small.png", encoded(np.full((48, 64, 3), 128, np.uint8), "PNG"))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        large_photos._enlarge(small, tmp_path / f"{name}.jpg", seed)
    first, again, other = ((tmp_path / f"{name}.jpg").read_bytes() for name in "abc")
    assert first == again != other
    with Image.open(tmp_path / "a.jpg") as photo:
        assert photo.size == (320, 400)
        brightness = np.asarray(photo.convert("L"), np.float64)
    assert brightness.mean() == pytest.approx(128, abs=1)
    assert brightness.std() == pytest.approx(large_photos.GRAIN, rel=0.1)


def test_classes_get_equally_many_photos(large_photos: Any, tmp_path: Path) -> None:
    for label, count in (("a", 30), ("b", 12), ("c", 20)):
        for number in range(count):
            put(tmp_path / label / f"{number:02d}.jpg", b"")
    chosen = large_photos._chosen(tmp_path, 36)
    assert [sum(path.parent.name == label for path in chosen) for label in "abc"] == [12, 12, 12]
    assert len(set(chosen)) == 36
    few = large_photos._chosen(tmp_path, 8)  # a retrain needs some photos of every class: so it is fewer classes
    assert [sum(path.parent.name == label for path in few) for label in "abc"] == [4, 4, 0]


def test_copies_are_other_files_with_the_same_pixels(large_photos: Any, tmp_path: Path) -> None:
    original = put(tmp_path / "photos" / "dots" / "1.jpg", encoded(texture("dots", 1)))
    large_photos.add_copies(tmp_path / "photos", tmp_path / "more", 3)
    copies = sorted((tmp_path / "more" / "dots").iterdir())
    assert len({path.read_bytes() for path in [original, *copies]}) == 4
    with Image.open(original) as first:
        for path in copies:
            with Image.open(path) as copy:
                assert np.array_equal(np.asarray(first), np.asarray(copy))
