"""OpenCV, an optional extra: reads V4L2 cameras and video files."""

import contextlib
import importlib
import os
from typing import Any

from edgeretrain.errors import EdgeretrainError


def load_cv2(purpose: str) -> Any:
    """The module `cv2` with its warnings turned off: our own messages report its failures.

    Args:
        purpose: what it is needed for, such as "Reading a video".

    Raises:
        EdgeretrainError: it is not installed, or does not work here.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        cv2 = importlib.import_module("cv2")
    except Exception as error:  # built for another NumPy or C library, it fails in more ways than ImportError
        reason = "" if isinstance(error, ModuleNotFoundError) else f" ({str(error).splitlines()[0]})"
        raise EdgeretrainError(
            f"{purpose} needs OpenCV{reason}: pip install opencv-python-headless, or on a Raspberry Pi "
            "sudo apt install python3-opencv."
        ) from None
    with contextlib.suppress(AttributeError):  # if it was imported before; some versions lack it
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2
