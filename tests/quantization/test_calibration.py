import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeretrain.errors import EdgeretrainError
from edgeretrain.quantization.calibration import calibration_card, calibration_pixels


def folder_of(tmp_path: Path, count: int) -> Path:
    """Photos of one grey each, 0, 10, 20..., some deep, one unreadable, one hidden."""
    folder = tmp_path / "photos"
    (folder / "a" / "b").mkdir(parents=True)
    for number in range(count):
        place = folder / "a" / "b" if number % 2 else folder
        Image.new("RGB", (40, 30), (10 * number,) * 3).save(place / f"{number}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (folder / ".hidden.png").write_bytes((folder / "0.png").read_bytes())
    return folder


def greys(folder: Path, **named: int) -> list[int]:
    return [int(pixels[0, 0, 0]) for pixels in calibration_pixels(folder, 16, **named)]


def test_the_default_needs_no_folder_and_is_always_the_same() -> None:
    pytest.importorskip("skimage")
    first = list(calibration_pixels(None, 96, count=14))
    assert len(first) == 14
    assert all(pixels.shape == (96, 96, 3) and pixels.dtype == np.uint8 for pixels in first)
    assert all(pixels.std() > 2 for pixels in first)
    again = list(calibration_pixels(None, 96, count=14))
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    other_seed = list(calibration_pixels(None, 96, count=14, seed=1))
    assert not any(np.array_equal(one, other) for one, other in zip(first, other_seed, strict=True))


def test_a_folder_gives_all_its_readable_photos_at_any_depth(tmp_path: Path) -> None:
    assert sorted(greys(folder_of(tmp_path, 6))) == [0, 10, 20, 30, 40, 50]


def test_a_large_folder_gives_a_seeded_choice(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 20)
    assert len(set(greys(folder, count=5))) == 5
    assert greys(folder, count=5) == greys(folder, count=5)
    assert greys(folder, count=5) != greys(folder, count=5, seed=1)


def test_the_choice_does_not_depend_on_where_the_folder_lies(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 20)
    before = greys(folder, count=5)
    assert greys(folder.rename(tmp_path / "moved"), count=5) == before


@pytest.mark.parametrize("content", [None, "text"])
def test_a_folder_without_photos_is_named(tmp_path: Path, content: str | None) -> None:
    folder = tmp_path / "nothing here"
    if content:
        folder.mkdir()
        (folder / "notes.txt").write_text(content)
    with pytest.raises(EdgeretrainError, match=r"nothing here: .*Give --calibration a folder of photos"):
        list(calibration_pixels(folder, 16))


def test_without_scikit_image_the_ways_out_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EdgeretrainError, match=r"edgeretrain\[tensorflow\].*--calibration FOLDER"):
        list(calibration_pixels(None, 16))


def test_the_card_names_a_folder_without_its_path(tmp_path: Path) -> None:
    assert calibration_card(tmp_path / "my photos", 3) == {"source": "folder my photos", "photos": 3, "seed": 0}
    assert "scikit-image" in calibration_card(None, 56)["source"]
