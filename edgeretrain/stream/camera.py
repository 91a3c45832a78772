"""Cameras: picamera2 where it is installed, any V4L2 camera through OpenCV otherwise."""

import contextlib
import errno
import importlib
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.data.pixels import Pixels
from edgeretrain.errors import EdgeretrainError
from edgeretrain.stream.colour import PICAMERA2_LAYOUTS, opencv_layout, to_rgb
from edgeretrain.stream.opencv import load_cv2
from edgeretrain.stream.sources import CameraLost, Device, LiveSource, Notify, ignore

SIZE = (640, 480)
"""Width and height asked for: more than any model takes, little to decode. A camera may give another size."""

_PICTURE_SECONDS = 5.0  # a camera that hangs gives no error; this long without a picture, it is opened again

_DEVICES = Path("/sys/class/video4linux")
_NO_CAMERAS = (
    "bcm2835-",
    "rpi-",
    "rpivid",
    "pispbe",
    "rp1-cfe",
    "unicam",
)  # nodes of the Pi's own codecs and CSI ports

_SPELLING = re.compile(r"camera(?::(\d+|/.+))?")


def parse_camera(source: str) -> int | str | None:
    """The camera that a SOURCE names: `camera` -> 0, `camera:1` -> 1, `camera:/dev/video2` -> the path; else None."""
    match = _SPELLING.fullmatch(source)
    if match is None:
        return None
    device = match[1] or "0"
    return int(device) if device.isdigit() else device


def open_camera(camera: int | str = 0, *, notify: Notify = ignore) -> LiveSource:
    """The live source of a camera; its `with` opens it.

    Args:
        camera: 0 is the first, 1 the second; or the path of a V4L2 device.
        notify: called when the camera is lost and when it is back.
    """
    name = "camera" if camera == 0 else f"camera:{camera}"
    return LiveSource(lambda: open_device(camera, name), name=name, notify=notify)


def open_device(camera: int | str, name: str) -> Device:
    """Open a camera through picamera2 if it knows that many, else through OpenCV.

    Raises:
        EdgeretrainError: there is none, it is busy, or neither library is installed.
    """
    picamera2 = _load_picamera2() if isinstance(camera, int) else None
    if picamera2 is not None and isinstance(camera, int):
        known = len(picamera2.Picamera2.global_camera_info())
        if camera < known:
            return PicameraDevice(picamera2.Picamera2, camera, name)
        if camera > 0 and known:
            raise EdgeretrainError(f"{name}: there is no such camera; picamera2 finds {known}. Count from camera:0.")
    try:
        cv2 = load_cv2("Reading a camera")
    except EdgeretrainError as error:
        if picamera2 is not None:
            raise _no_camera(name) from None
        raise EdgeretrainError(
            f"{error} For the Pi's own camera: sudo apt install python3-picamera2, and make the virtual environment "
            "with --system-site-packages."
        ) from None
    return OpenCVDevice(cv2, _v4l2_node(camera, name), name)


def _load_picamera2() -> Any:
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:ERROR")  # its log lines would break the live line
    try:
        picamera2 = importlib.import_module("picamera2")
    except Exception:  # not installed, or built for another Python or NumPy
        return None
    import logging

    logging.getLogger("picamera2").setLevel(logging.CRITICAL)
    return picamera2


def _no_camera(name: str) -> EdgeretrainError:
    return EdgeretrainError(
        f"{name}: there is no camera. Plug one in; `rpicam-hello --list-cameras` and `v4l2-ctl --list-devices` show "
        "what the system finds."
    )


def _v4l2_node(camera: int | str, name: str) -> int | str:
    """Where OpenCV finds the camera: on Linux the path of its device, elsewhere the number as it is.

    A webcam has two or more devices, of which the first gives pictures; the Pi's codecs are devices as well. So the
    second camera is hardly ever /dev/video1.
    """
    if isinstance(camera, str):
        if not Path(camera).exists():
            raise EdgeretrainError(f"{name}: there is no device {camera}. `v4l2-ctl --list-devices` lists all.")
        return camera
    if not sys.platform.startswith("linux"):
        return camera
    found = []
    for folder in sorted(_DEVICES.glob("video*"), key=lambda path: (len(path.name), path.name)):
        try:
            first = (folder / "index").read_text().strip() == "0"
            internal = (folder / "name").read_text().startswith(_NO_CAMERAS)
        except OSError:  # unplugged at this moment
            continue
        if first and not internal:
            found.append(f"/dev/{folder.name}")
    if not found:
        raise _no_camera(name)
    if camera >= len(found):
        raise EdgeretrainError(f"{name}: there is no such camera; found: {', '.join(found)}. Count from camera:0.")
    return found[camera]


class PicameraDevice:
    """A camera opened by picamera2."""

    def __init__(self, picamera2_class: Any, index: int, name: str) -> None:
        """Open, configure and start it.

        Raises:
            EdgeretrainError: it cannot be opened: mostly because it is busy.
        """
        self._name = name
        self._camera: Any = None
        try:
            self._camera = picamera2_class(index)
            # BGR888 is R, G, B in memory. A USB webcam may choose a format of its own instead, so read it back.
            main = {"size": SIZE, "format": "BGR888"}
            self._camera.configure(self._camera.create_video_configuration(main=main, queue=False))
            self._format = str(self._camera.camera_configuration()["main"]["format"])
            self._camera.start()
        except Exception as error:  # picamera2 and libcamera raise half a dozen types
            self.close()
            cause = error.__context__ or error
            raise EdgeretrainError(
                f"{name}: picamera2 cannot open it ({cause or type(cause).__name__}). Another program may be using it: "
                "end that program first."
            ) from None

    def read(self) -> Pixels:
        """See `Device.read`."""
        try:
            picture = self._camera.capture_array("main", wait=_PICTURE_SECONDS)
        except Exception as error:  # a timeout, or what libcamera raises when it is unplugged
            raise CameraLost(str(error) or "it hangs") from None
        return to_rgb(np.asarray(picture), PICAMERA2_LAYOUTS.get(self._format, self._format), self._name)

    def close(self) -> None:
        """See `Device.close`."""
        if self._camera is not None:
            with contextlib.suppress(Exception):  # it may be unplugged
                self._camera.close()


class OpenCVDevice:
    """A V4L2 camera, or on other systems any camera, opened by OpenCV."""

    def __init__(self, cv2: Any, node: int | str, name: str) -> None:
        """Open it.

        Raises:
            EdgeretrainError: it cannot be opened.
        """
        self._name = name
        self._capture = cv2.VideoCapture(node, cv2.CAP_V4L2 if isinstance(node, str) else cv2.CAP_ANY)
        if not self._capture.isOpened():
            raise EdgeretrainError(_why_not(node, name))
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, SIZE[0])
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, SIZE[1])

    def read(self) -> Pixels:
        """See `Device.read`. OpenCV itself gives up after 10 s without a picture."""
        came, picture = self._capture.read()
        if not came or picture is None:
            raise CameraLost("it sends nothing")
        return to_rgb(picture, opencv_layout(picture), self._name)

    def close(self) -> None:
        """See `Device.close`."""
        self._capture.release()


def _why_not(node: int | str, name: str) -> str:
    if isinstance(node, str):
        try:
            os.close(os.open(node, os.O_RDWR | getattr(os, "O_NONBLOCK", 0)))
        except PermissionError:
            return f"{name}: no permission to read {node}. Run sudo usermod -aG video $USER and log in again."
        except OSError as error:
            if error.errno != errno.EBUSY:
                return f"{name}: {node} cannot be opened ({error.strerror}). Unplug it and plug it in again."
    return (
        f"{name}: {node} cannot be opened. Another program may be using it: end that program first "
        f"(`fuser -v {node}` shows which)."
        if isinstance(node, str)
        else f"{name}: there is no such camera, or another program is using it. Plug it in, or end that program."
    )
