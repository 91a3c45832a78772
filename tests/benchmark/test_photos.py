"""The photos that end-to-end times are measured on."""

import io
from pathlib import Path

import pytest
from PIL import Image
from support.garden import jpeg, put

from edgeretrain.benchmark import photos as photos_module
from edgeretrain.benchmark.photos import HEIGHT, WIDTH, find_given, made_up_jpeg
from edgeretrain.errors import EdgeretrainError


def test_the_one_made_up() -> None:
    data = made_up_jpeg()
    assert data == made_up_jpeg()
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (WIDTH, HEIGHT), "RGB")
    assert 150_000 < len(data) < 500_000  # as a camera's photo of this size


def test_files_and_folders(tmp_path: Path) -> None:
    below = [put(tmp_path / "folder" / name, jpeg(1)) for name in ("a.jpg", "deep/b.JPG", "deep/c.jpg")]
    put(tmp_path / "folder" / "notes.txt", b"")
    single = put(tmp_path / "single", jpeg(2, "PNG"))
    assert find_given([single, tmp_path / "folder"]) == [single, *below]
    assert find_given([]) == []


def test_many_are_thinned_out_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos_module, "MOST_PHOTOS", 3)
    for number in range(9):
        put(tmp_path / f"{number}.jpg", jpeg(number))
    assert [path.stem for path in find_given([tmp_path])] == ["0", "4", "8"]


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match="there is no photo in this folder"):
        find_given([tmp_path])
    with pytest.raises(EdgeretrainError, match="no such file"):
        find_given([tmp_path / "none.jpg"])
    with pytest.raises(EdgeretrainError, match="truncated or damaged"):
        find_given([put(tmp_path / "cut.jpg", jpeg(0)[:200])])
