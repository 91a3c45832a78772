"""Cameras that the tests make up: as OpenCV and as picamera2 show them, and one without any library."""

import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgeretrain.stream import camera as camera_module
from edgeretrain.stream.opencv import load_cv2
from edgeretrain.stream.sources import CameraLost, LiveSource

RED = (250, 10, 20)


def red_card(height: int = 48, width: int = 64) -> npt.NDArray[np.uint8]:
    """uint8 `[height, width, 3]` RGB: red at the left, black at the right."""
    card = np.zeros((height, width, 3), np.uint8)
    card[:, : width // 2] = RED
    return card


def opencv() -> Any:
    """The real module `cv2` as edgeretrain loads it; without it the test is skipped.

    Not imported by itself: when the first video is written or read, ffmpeg is told once for the whole process how much
    it is to print.
    """
    pytest.importorskip("cv2", reason="OpenCV is not installed (the extra `camera`)")
    return load_cv2("This test")


class CountingDevice:
    """A camera whose n-th picture says n: in its first two bytes."""

    def __init__(self, seconds: float, last: int = 10**9) -> None:
        self.seconds, self.last = seconds, last
        self.given = 0
        self.closed = False

    def read(self) -> npt.NDArray[np.uint8]:
        if self.given >= self.last:
            raise CameraLost("that was the last")
        time.sleep(self.seconds)
        self.given += 1
        picture = np.zeros((2, 2, 3), np.uint8)
        picture[0, 0, :2] = divmod(self.given, 256)
        return picture

    def close(self) -> None:
        self.closed = True


def number(picture: npt.NDArray[np.uint8]) -> int:
    return int(picture[0, 0, 0]) * 256 + int(picture[0, 0, 1])


def counting(seconds: float, last: int = 10**9) -> LiveSource:
    return LiveSource(lambda: CountingDevice(seconds, last), name="counter")


class Webcam:
    """A webcam behind OpenCV.

    `picture` is what VideoCapture.read gives: B, G, R unless the test says otherwise; `shown` is for tests that count
    the pictures which a command has shown.
    """

    def __init__(self) -> None:
        self.picture: Any = np.ascontiguousarray(red_card()[..., ::-1])
        self.plugged, self.silent, self.seconds = True, False, 0.002
        self.opened: list[Any] = []
        self.asked: dict[int, float] = {}
        self.shown = 0

    def module(self) -> types.ModuleType:
        webcam = self

        class VideoCapture:
            def __init__(self, node: Any, backend: int) -> None:
                webcam.opened.append((node, backend))
                self.open = webcam.plugged

            def isOpened(self) -> bool:
                return self.open

            def set(self, what: int, value: float) -> bool:
                webcam.asked[what] = value
                return False  # this one has a size of its own

            def read(self) -> tuple[bool, Any]:
                time.sleep(webcam.seconds)
                if not webcam.plugged or webcam.silent:
                    return False, None
                return True, webcam.picture

            def release(self) -> None:
                self.open = False

        cv2: Any = types.ModuleType("cv2")
        cv2.VideoCapture = VideoCapture
        cv2.CAP_ANY, cv2.CAP_V4L2, cv2.CAP_FFMPEG = 0, 200, 1900
        cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT = 3, 4
        return cv2  # type: ignore[no-any-return]


def plug(monkeypatch: pytest.MonkeyPatch, folder: Path, devices: dict[str, tuple[str, int]]) -> Webcam:
    """A machine with OpenCV, without picamera2, with these V4L2 devices: `video0` -> (name, index)."""
    webcam = Webcam()
    monkeypatch.setitem(sys.modules, "cv2", webcam.module())
    monkeypatch.setitem(sys.modules, "picamera2", None)
    for node, (name, index) in devices.items():
        (folder / node).mkdir(parents=True)
        (folder / node / "name").write_text(f"{name}\n")
        (folder / node / "index").write_text(f"{index}\n")
    monkeypatch.setattr(camera_module, "_DEVICES", folder)
    return webcam


class PiCamera:
    """The Pi's own cameras behind picamera2. The scene is a red card; formats lie in memory as libcamera's do."""

    def __init__(self, count: int = 1) -> None:
        self.count = count
        self.busy = False
        self.gives: str | None = None  # a format of its own, whatever is asked
        self.fails: Exception | None = None
        self.closed = 0
        self.waits: list[Any] = []

    def picture(self, kind: str) -> npt.NDArray[Any]:
        card = red_card()
        four = np.concatenate([card, np.full((*card.shape[:2], 1), 255, np.uint8)], axis=2)
        return {
            "BGR888": card,
            "RGB888": card[..., ::-1],
            "XBGR8888": four,
            "XRGB8888": four[..., [2, 1, 0, 3]],
            "YUV420": np.zeros((72, 64), np.uint8),
        }[kind]

    def module(self) -> types.ModuleType:
        world = self

        class Picamera2:
            @staticmethod
            def global_camera_info() -> list[dict[str, Any]]:
                return [{"Num": index, "Model": "imx708"} for index in range(world.count)]

            def __init__(self, index: int) -> None:
                try:
                    if world.busy:
                        raise RuntimeError("Failed to acquire camera")
                except RuntimeError:
                    raise RuntimeError("Camera __init__ sequence did not complete.")  # noqa: B904
                self.index, self.format, self.started = index, "XBGR8888", False

            def create_video_configuration(self, main: dict[str, Any], queue: bool) -> dict[str, Any]:
                return {"main": dict(main), "queue": queue}

            def configure(self, configuration: dict[str, Any]) -> None:
                self.format = world.gives or configuration["main"]["format"]

            def camera_configuration(self) -> dict[str, Any]:
                return {"main": {"format": self.format, "size": (64, 48)}}

            def start(self) -> None:
                self.started = True

            def capture_array(self, name: str, wait: float) -> npt.NDArray[Any]:
                assert self.started and name == "main"
                world.waits.append(wait)
                time.sleep(0.002)
                if world.fails is not None:
                    raise world.fails
                return world.picture(self.format)

            def close(self) -> None:
                world.closed += 1

        module: Any = types.ModuleType("picamera2")
        module.Picamera2 = Picamera2
        return module  # type: ignore[no-any-return]
