"""Decoded photos in one file."""

import os
from pathlib import Path

import numpy as np
import pytest

from edgeretrain.data.decoded import decoded_photos
from edgeretrain.data.photos import find_photos
from edgeretrain.data.pixels import Fit, load_pixels
from edgeretrain.errors import EdgeretrainError


@pytest.mark.parametrize("fit", ["squash", "crop"])
def test_the_pixels_are_those_of_load_pixels(textures: Path, tmp_path: Path, fit: Fit) -> None:
    photos = find_photos(textures).photos
    told: list[tuple[str, int, int]] = []
    pixels = decoded_photos(tmp_path / "new" / "photos", photos, 24, fit, progress=lambda *one: told.append(one))
    assert pixels.shape == (len(photos), 24, 24, 3)
    for photo, decoded in zip(photos, pixels, strict=True):
        assert np.array_equal(decoded, load_pixels(photo.path, 24, fit))
    assert told[-1] == ("Decoding for fine-tuning", len(photos), len(photos))
    assert isinstance(pixels, np.memmap)  # memory stays flat


def test_a_whole_file_is_not_made_again(textures: Path, tmp_path: Path) -> None:
    photos = find_photos(textures).photos[:5]
    path = tmp_path / "photos"
    first = np.array(decoded_photos(path, photos, 16, "squash"))
    os.utime(path, (1, 1))
    assert np.array_equal(decoded_photos(path, photos, 16, "squash"), first)
    assert path.stat().st_mtime == 1


def test_half_a_file_is_made_again(textures: Path, tmp_path: Path) -> None:
    photos = find_photos(textures).photos[:5]
    path = tmp_path / "photos"
    first = np.array(decoded_photos(path, photos, 16, "squash"))
    path.write_bytes(path.read_bytes()[:1000])
    assert np.array_equal(decoded_photos(path, photos, 16, "squash"), first)
    assert [one.name for one in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"something else")])
def test_a_photo_that_changed_is_told(garden: Path, tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    photos = find_photos(garden).photos
    change(photos[3].path)
    with pytest.raises(EdgeretrainError, match=f"{photos[3].path.name}: this photo changed while"):
        decoded_photos(tmp_path / "work" / "photos", photos, 16, "squash")
    assert list((tmp_path / "work").iterdir()) == []
