"""Decoded photos in files."""

import os
from pathlib import Path

import numpy as np
import pytest

from edgeretrain.data import decoded as decoded_module
from edgeretrain.data.decoded import decoded_photos, open_decoded
from edgeretrain.data.photos import Photo, find_photos
from edgeretrain.data.pixels import Fit, load_pixels
from edgeretrain.errors import EdgeretrainError


@pytest.mark.parametrize("fit", ["squash", "crop"])
def test_the_pixels_are_those_of_load_pixels(textures: Path, tmp_path: Path, fit: Fit) -> None:
    photos = find_photos(textures).photos
    told: list[tuple[str, int, int]] = []
    made = decoded_photos(tmp_path / "new", photos, (24, 48), fit, progress=lambda *step: told.append(step))
    assert list(made) == [24, 48]
    for size, pixels in made.items():
        assert pixels.shape == (len(photos), size, size, 3)
        for photo, decoded in zip(photos, pixels, strict=True):
            assert np.array_equal(decoded, load_pixels(photo.path, size, fit))
        assert isinstance(pixels, np.memmap)  # memory stays flat
        assert np.array_equal(open_decoded(tmp_path / "new", len(photos), size), pixels)
    assert told[-1] == ("Decoding for fine-tuning", len(photos), len(photos))


def test_a_photo_is_opened_once_for_all_sizes(textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = find_photos(textures).photos[:5]
    opened: list[Photo] = []
    read_again = decoded_module.read_again
    monkeypatch.setattr(decoded_module, "read_again", lambda photo: opened.append(photo) or read_again(photo))
    decoded_photos(tmp_path, photos, (16, 32), "squash", workers=1)
    assert opened == list(photos)


def test_a_whole_file_is_not_made_again(textures: Path, tmp_path: Path) -> None:
    photos = find_photos(textures).photos[:5]
    first = np.array(decoded_photos(tmp_path, photos, (16,), "squash")[16])
    (path,) = tmp_path.iterdir()
    os.utime(path, (1, 1))
    assert np.array_equal(decoded_photos(tmp_path, photos, (16, 8), "squash")[16], first)
    assert path.stat().st_mtime == 1


def test_half_a_file_is_made_again(textures: Path, tmp_path: Path) -> None:
    photos = find_photos(textures).photos[:5]
    first = np.array(decoded_photos(tmp_path, photos, (16,), "squash")[16])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    assert np.array_equal(decoded_photos(tmp_path, photos, (16,), "squash")[16], first)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"something else")])
def test_a_photo_that_changed_is_told(garden: Path, tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    photos = find_photos(garden).photos
    change(photos[3].path)
    with pytest.raises(EdgeretrainError, match=f"{photos[3].path.name}: this photo changed while"):
        decoded_photos(tmp_path / "work", photos, (16,), "squash")
    assert list((tmp_path / "work").iterdir()) == []
