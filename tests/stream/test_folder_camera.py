"""A folder that plays at being a camera."""

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin
from support.cameras import RED, red_card
from support.garden import encoded, put

from edgeretrain.errors import EdgeretrainError
from edgeretrain.stream import sources
from edgeretrain.stream.folder_camera import FolderCamera, open_folder
from edgeretrain.stream.sources import CameraLost


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(3):
        put(tmp_path / "photos" / f"{number}.png", encoded(np.full((20, 30, 3), 50 * number, np.uint8), "PNG"))
    return tmp_path / "photos"


def test_the_photos_in_turns(folder: Path) -> None:
    camera = FolderCamera(folder, fps=1000)
    shades = [camera.read()[0, 0, 0] for _ in range(7)]
    assert shades == [0, 50, 100, 0, 50, 100, 0]


def test_new_photos_join_and_bad_ones_are_passed_over(folder: Path) -> None:
    camera = FolderCamera(folder, fps=1000)
    camera.read()
    put(folder / "bad.jpg", b"nothing")
    put(folder / "sub" / "new.png", encoded(np.full((5, 5, 3), 200, np.uint8), "PNG"))
    assert [camera.read()[0, 0, 0] for _ in range(6)] == [50, 100, 0, 50, 100, 200]


def test_red_upright_and_small(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(red_card(600, 1200)).save(tmp_path / "card.png", exif=exif)
    pixels = FolderCamera(tmp_path, fps=1000).read()
    assert pixels.shape == (480, 240, 3) and pixels.dtype == np.uint8  # 600 x 1200 lying, 1200 x 600 upright
    assert tuple(pixels[0, 0]) == RED and not pixels[-1].any()


def test_it_keeps_its_time(folder: Path) -> None:
    camera = FolderCamera(folder, fps=50)
    camera.read()
    began = time.monotonic()
    for _ in range(5):
        camera.read()
    assert time.monotonic() - began >= 4.5 / 50


def test_as_a_live_source(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The photos are taken away and come back, as a camera would."""
    monkeypatch.setattr(sources, "_BACK_OFF", (0.002, 0.01))
    told: list[str] = []
    with open_folder(folder, fps=500, notify=told.append) as source:
        assert source.name == str(folder)
        folder.rename(folder.with_name("away"))
        while not told:
            source.newest(0.01)
        folder.with_name("away").rename(folder)
        while len(told) < 2:
            source.newest(0.01)
    assert told[0].startswith(f"{folder}: no more pictures (none of its photos can be read)")


def test_what_is_no_camera(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(EdgeretrainError, match="there are no photos in this folder"):
        FolderCamera(tmp_path / "empty")
    with pytest.raises(EdgeretrainError, match="cannot be read"):
        FolderCamera(tmp_path / "none")
    with pytest.raises(EdgeretrainError, match="fps must be greater than 0, not 0"):
        FolderCamera(folder, fps=0)
    for photo in folder.iterdir():
        photo.write_bytes(b"nothing")
    with pytest.raises(CameraLost, match="none of its photos can be read"):
        FolderCamera(folder).read()


def test_a_lossless_jpeg_is_not_drafted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow writes the whole photo into the memory of the small one when it is told to scale such a file."""
    drafted: list[str] = []
    draft = JpegImagePlugin.JpegImageFile.draft
    monkeypatch.setattr(
        JpegImagePlugin.JpegImageFile, "draft", lambda image, *given: drafted.append(image.mode) or draft(image, *given)
    )
    baseline = encoded(np.zeros((1000, 1500, 3), np.uint8), "JPEG")
    put(tmp_path / "photos" / "a.jpg", baseline)
    FolderCamera(tmp_path / "photos", fps=1000).read()
    assert drafted == ["RGB"]
    frame = baseline.index(b"\xff\xc0")
    put(tmp_path / "photos" / "a.jpg", baseline[:frame] + b"\xff\xc3" + baseline[frame + 2 :])
    with pytest.raises(CameraLost):  # it is none in truth, and cannot be decoded
        FolderCamera(tmp_path / "photos", fps=1000).read()
    assert drafted == ["RGB"]
