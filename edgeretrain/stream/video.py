"""A video file, frame by frame, through OpenCV."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.describe import open_failure, printable
from edgeretrain.stream.colour import opencv_layout, to_rgb
from edgeretrain.stream.opencv import load_cv2
from edgeretrain.stream.sources import Frame, Notify, ignore

SUFFIXES = frozenset(
    {".3gp", ".avi", ".flv", ".h264", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv"}
    | {".ts", ".webm", ".wmv"}
)

_USUAL_FPS = 25.0  # of a bare stream (.h264, .mjpeg), which does not state its speed
_PHOTO_BRANDS = (b"heic", b"heix", b"mif1", b"avif", b"avis")  # photos in the container of MP4


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its name or else by its first bytes (AVI, MP4 and MOV, Matroska and WebM)."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return False
        with path.open("rb") as file:
            head = file.read(12)
    except (OSError, ValueError):
        return False
    return (
        (head[:4] == b"RIFF" and head[8:] == b"AVI ")
        or (head[4:8] == b"ftyp" and head[8:] not in _PHOTO_BRANDS)
        or head[:4] == b"\x1a\x45\xdf\xa3"
    )


class VideoFile:
    """The frames of a video in order, all of them or each n-th. Iterate once, inside its `with`.

    >>> with VideoFile("flowers.mp4", every=5) as video:
    ...     for frame in video:
    ...         classifier(frame.pixels)
    """

    def __init__(self, path: str | os.PathLike[str], *, every: int = 1, notify: Notify = ignore) -> None:
        """Prepare; nothing is opened yet.

        Args:
            every: take each n-th frame, the first one included.
            notify: called when the video has far fewer frames than its header says.
        """
        if every < 1:
            raise EdgeretrainError(f"--every must be at least 1, not {every}.")
        self._path, self._every, self._notify = Path(path), every, notify
        self._capture: Any = None

    def __enter__(self) -> "VideoFile":
        """Open the video and decode its first frame.

        Raises:
            EdgeretrainError: no such file, OpenCV is not installed, or it cannot decode this video.
        """
        name = printable(self._path)
        try:
            with self._path.open("rb"):
                pass
        except (OSError, ValueError) as error:
            raise EdgeretrainError(f"{name}: {open_failure(error)}. Check the path.") from None
        self._cv2 = load_cv2("Reading a video")
        self._first: npt.NDArray[Any] | None = None
        # Not CAP_ANY: among others it tries a reader that takes a name with a number in it for one picture of many.
        for reader in (self._cv2.CAP_FFMPEG, self._cv2.CAP_GSTREAMER):
            self._capture = self._cv2.VideoCapture(os.fspath(self._path), reader)
            if self._capture.isOpened():
                self._first = self._capture.read()[1]
                break
        if self._first is None:
            self.__exit__()
            raise EdgeretrainError(
                f"{name}: this video cannot be decoded: it is damaged, or OpenCV does not support its format. "
                "Convert it: ffmpeg -i VIDEO new.mp4."
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._capture is not None:
            self._capture.release()

    def __iter__(self) -> Iterator[Frame]:
        """The frames; `taken` is seconds from the beginning of the video.

        Raises:
            EdgeretrainError: its pictures are not 8-bit colour or gray.
        """
        name = printable(self._path)
        fps = self._capture.get(self._cv2.CAP_PROP_FPS)
        fps = fps if math.isfinite(fps) and fps > 0 else _USUAL_FPS
        index, taken = 0, 0.0
        picture = self._first
        while picture is not None:
            yield Frame(to_rgb(picture, opencv_layout(picture), name), taken, name)
            picture = None
            for _ in range(self._every):
                if not self._capture.grab():
                    break
                index += 1
            else:
                picture = self._capture.retrieve()[1]
                # The container's own time, where there is one: phones record at changing speed.
                timestamp = self._capture.get(self._cv2.CAP_PROP_POS_MSEC) / 1000
                taken = timestamp if timestamp > taken else max(taken, index / fps)
        frame_count = self._capture.get(self._cv2.CAP_PROP_FRAME_COUNT)  # as the header says
        if math.isfinite(frame_count) and index + 1 < 0.9 * frame_count:
            self._notify(
                f"{name}: the video ends after {index + 1} of {frame_count:.0f} frames. It is cut off or damaged there."
            )
