"""Which camera is opened, that its red is red, and what is said when there is none or it is busy."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.cameras import RED, PiCamera, plug, red_card

from edgeretrain.errors import EdgeretrainError
from edgeretrain.stream import sources
from edgeretrain.stream.camera import open_camera, parse_camera

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2 is Linux's")
ONE = {"video0": ("USB camera", 0), "video1": ("USB camera", 1)}


@pytest.fixture
def pi(monkeypatch: pytest.MonkeyPatch) -> PiCamera:
    world = PiCamera(2)
    monkeypatch.setitem(sys.modules, "picamera2", world.module())
    monkeypatch.setitem(sys.modules, "cv2", None)
    return world


def first_picture(camera: int | str = 0) -> np.ndarray:
    with open_camera(camera) as source:
        frame = source.newest(5)
    assert frame is not None
    return frame.pixels


def refusal(camera: int | str = 0) -> str:
    with pytest.raises(EdgeretrainError) as caught, open_camera(camera):
        pass
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "camera"),
    [
        ("camera", 0),
        ("camera:0", 0),
        ("camera:1", 1),
        ("camera:/dev/video2", "/dev/video2"),
        ("camera:", None),
        ("camera:x", None),
        ("./camera", None),
        ("camera.jpg", None),
        ("Camera", None),
    ],
)
def test_how_a_camera_is_spelt(source: str, camera: int | str | None) -> None:
    assert parse_camera(source) == camera


# picamera2


def test_the_fake_is_like_the_real_one() -> None:
    """libcamera's names say the order of the bytes the other way round."""
    assert tuple(PiCamera().picture("RGB888")[0, 0]) == RED[::-1]
    assert tuple(PiCamera().picture("BGR888")[0, 0]) == RED


@pytest.mark.parametrize("gives", [None, "BGR888", "RGB888", "XBGR8888", "XRGB8888"])
def test_red_is_red_in_picamera2(pi: PiCamera, gives: str | None) -> None:
    pi.gives = gives
    assert (first_picture() == red_card()).all()
    assert pi.closed == 1
    assert pi.waits[0] > 0  # a camera that hangs must not hang us


def test_the_second_camera_and_a_third(pi: PiCamera) -> None:
    assert first_picture(1).shape == (48, 64, 3)
    assert refusal(2) == "camera:2: there is no such camera; picamera2 finds 2. Count from camera:0."


def test_another_format(pi: PiCamera) -> None:
    pi.gives = "YUV420"
    assert "the format of its pictures is not supported (YUV420, uint8 [72, 64])" in refusal()


def test_busy_in_picamera2(pi: PiCamera) -> None:
    pi.busy = True
    assert refusal() == (
        "camera: picamera2 cannot open it (Failed to acquire camera). Another program may be using it: end that "
        "program first."
    )


def test_a_camera_that_hangs_is_opened_again(pi: PiCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_BACK_OFF", (0.002, 0.01))
    told: list[str] = []
    with open_camera(notify=told.append) as source:
        pi.fails = TimeoutError()
        while not told:
            source.newest(0.01)
        assert source.lost == "it hangs"
        pi.fails = None
        while len(told) < 2:
            source.newest(0.01)
    assert told == ["camera: no more pictures (it hangs). Waiting for it to come back.", "camera: it is back."]
    assert pi.closed >= 2


def test_no_camera_at_the_pi_and_no_opencv(pi: PiCamera) -> None:
    pi.count = 0
    assert "camera: there is no camera. Plug one in" in refusal()


@linux
def test_a_webcam_where_picamera2_finds_none(pi: PiCamera, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pi.count = 0
    plug(monkeypatch, tmp_path, ONE)
    monkeypatch.setitem(sys.modules, "picamera2", pi.module())
    assert (first_picture() == red_card()).all()


# OpenCV


def test_neither_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    monkeypatch.setitem(sys.modules, "cv2", None)
    message = refusal()
    for words in ("opencv-python-headless", "python3-opencv", "python3-picamera2", "--system-site-packages"):
        assert words in message


@linux
def test_red_is_red_in_opencv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    webcam = plug(monkeypatch, tmp_path, ONE)
    assert (first_picture() == red_card()).all()
    assert webcam.opened == [("/dev/video0", 200)]
    assert webcam.asked == {3: 640, 4: 480}


@linux
@pytest.mark.parametrize(
    "picture",
    [red_card()[..., 0], red_card()[..., :2], np.concatenate([red_card()[..., ::-1], red_card()[..., :1]], 2)],
)
def test_other_layouts_of_a_webcam(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, picture: np.ndarray) -> None:
    plug(monkeypatch, tmp_path, ONE).picture = picture
    assert first_picture().shape == (48, 64, 3)


@linux
def test_a_webcam_of_sixteen_bits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plug(monkeypatch, tmp_path, ONE).picture = np.zeros((48, 64), np.uint16)
    assert refusal().startswith("camera: the format of its pictures is not supported (GRAY, uint16 [48, 64])")


@linux
def test_the_second_webcam_is_not_the_second_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    devices = {
        "video10": ("bcm2835-codec-decode", 0),
        "video0": ("unicam-image", 0),
        "video1": ("Logitech", 0),
        "video2": ("Logitech", 1),
        "video3": ("Microscope", 0),
        "video19": ("rpi-hevc-dec", 0),
    }
    webcam = plug(monkeypatch, tmp_path, devices)
    first_picture(0)
    first_picture(1)
    assert [node for node, _ in webcam.opened] == ["/dev/video1", "/dev/video3"]
    assert refusal(2) == "camera:2: there is no such camera; found: /dev/video1, /dev/video3. Count from camera:0."


@linux
def test_no_webcam(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plug(monkeypatch, tmp_path, {"video10": ("bcm2835-isp", 0)})
    assert refusal().startswith("camera: there is no camera. Plug one in;")
    assert "there is no device /dev/none" in refusal("/dev/none")


def test_a_busy_webcam(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node = tmp_path / "video7"
    node.write_bytes(b"")
    webcam = plug(monkeypatch, tmp_path / "devices", {})
    webcam.plugged = False
    told = f"camera:{node}: {node} cannot be opened. Another program may be using it: end that program first"
    assert refusal(str(node)).startswith(told)
    webcam.plugged, webcam.silent = True, True  # or it opens, and nothing comes
    assert "it was opened, but sends no picture (it sends nothing). Another program" in refusal(str(node))


def test_no_permission(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    node = tmp_path / "video7"
    node.write_bytes(b"")
    plug(monkeypatch, tmp_path / "devices", {}).plugged = False
    monkeypatch.setattr(os, "open", denied)
    assert "sudo usermod -aG video" in refusal(str(node))


@linux
def test_unplugged_and_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sources, "_BACK_OFF", (0.002, 0.01))
    webcam = plug(monkeypatch, tmp_path, ONE)
    told: list[str] = []
    with open_camera(notify=told.append) as source:
        webcam.plugged = False
        while not told:
            source.newest(0.01)
        time.sleep(0.02)
        assert source.newest(0.01) is None
        webcam.plugged = True
        frame = source.newest(5)
        assert frame is not None and (frame.pixels == red_card()).all()
        while len(told) < 2:
            time.sleep(0.001)
    assert told == [
        "camera: no more pictures (it sends nothing). Waiting for it to come back.",
        "camera: it is back.",
    ]
    assert len(webcam.opened) > 2
