"""Pictures of cameras -> uint8 [h, w, 3] RGB.

Names of layouts say the order of the bytes in memory. OpenCV's is BGR. picamera2 takes libcamera's names, which say it
the other way round: its "RGB888" lies in memory as B, G, R, and its "BGR888" as R, G, B.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError

_JPEG = b"\xff\xd8\xff"

PICAMERA2_LAYOUTS = {
    "BGR888": "RGB",
    "RGB888": "BGR",
    "XBGR8888": "RGBX",
    "XRGB8888": "BGRX",
    "MJPEG": "RGB",  # decoded by picamera2
    "YUYV": "YUYV",
}
"""picamera2's name of a format -> the layout of its arrays."""


def opencv_layout(picture: npt.NDArray[Any]) -> str:
    """The layout of an array from OpenCV's VideoCapture, by its shape."""
    if picture.ndim == 2 and picture.shape[0] == 1 and picture.tobytes()[:3] == _JPEG:
        return "JPEG"
    channels = picture.shape[2] if picture.ndim == 3 else 1
    return {1: "GRAY", 2: "YUYV", 3: "BGR", 4: "BGRX"}.get(channels, f"{channels} channels")


def to_rgb(picture: npt.NDArray[Any], layout: str, name: str) -> npt.NDArray[np.uint8]:
    """The picture as uint8 `[h, w, 3]` RGB, an array of its own.

    Args:
        picture: uint8 `[h, w]`, `[h, w, channels]`, or the bytes of a JPEG.
        layout: RGB, BGR, RGBX, BGRX, GRAY, YUYV (BT.601, two pixels in four bytes) or JPEG.
        name: of the camera, for the error.

    Raises:
        EdgeretrainError: another layout, dtype or shape.
    """
    convert = _CONVERSIONS.get(layout)
    channels = {"GRAY": (1,), "YUYV": (2,), "RGBX": (4,), "BGRX": (4,), "RGB": (3,), "BGR": (3,)}.get(layout)
    found = (picture.shape[2] if picture.ndim == 3 else 1,) if picture.ndim in (2, 3) else None
    if convert is None or picture.dtype != np.uint8 or 0 in picture.shape or (channels and found != channels):
        shape = ", ".join(str(side) for side in picture.shape)
        raise EdgeretrainError(
            f"{name}: the format of its pictures is not supported ({layout}, {picture.dtype} [{shape}]); it must be "
            "8-bit colour or gray. Set the camera to YUYV or MJPEG, or use another camera."
        )
    try:
        return np.ascontiguousarray(convert(picture))
    except (OSError, ValueError) as error:
        raise EdgeretrainError(f"{name}: its pictures are damaged ({error}). Try another cable or port.") from None


def _gray(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.repeat(picture.reshape(*picture.shape[:2], 1), 3, axis=2)


def _yuyv(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """BT.601, video range, in integers of 1/256: https://en.wikipedia.org/wiki/YCbCr, section "ITU-R BT.601"."""
    even = picture.shape[1] // 2 * 2
    luma = 298 * (picture[:, :even, 0].astype(np.int32) - 16)
    blue, red = (picture[:, offset:even:2, 1].astype(np.int32).repeat(2, axis=1) - 128 for offset in (0, 1))
    rgb = np.stack([luma + 409 * red, luma - 100 * blue - 208 * red, luma + 516 * blue], axis=-1)
    return ((rgb + 128) >> 8).clip(0, 255).astype(np.uint8)


def _jpeg(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    from PIL import Image

    with Image.open(io.BytesIO(picture.tobytes()), formats=["JPEG"]) as image:
        return np.array(image.convert("RGB"))


_CONVERSIONS: dict[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
    "RGB": np.array,
    "BGR": lambda picture: picture[..., ::-1],
    "RGBX": lambda picture: picture[..., :3],
    "BGRX": lambda picture: picture[..., 2::-1],
    "GRAY": _gray,
    "YUYV": _yuyv,
    "JPEG": _jpeg,
}
