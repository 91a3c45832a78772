"""A folder of photos in the place of a camera: for tests, demonstrations and `edgeretrain serve --folder`."""

import os
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from edgeretrain.data.jpeg_scale import can_be_scaled
from edgeretrain.data.pixels import Pixels
from edgeretrain.errors import EdgeretrainError
from edgeretrain.stream.camera import SIZE
from edgeretrain.stream.sources import CameraLost, LiveSource, Notify, ignore
from edgeretrain.stream.watch import photos_below


def open_folder(folder: str | os.PathLike[str], *, fps: float = 5.0, notify: Notify = ignore) -> LiveSource:
    """The live source of a `FolderCamera`, as `open_camera` is of a real one."""
    return LiveSource(lambda: FolderCamera(folder, fps=fps), name=str(folder), notify=notify)


class FolderCamera:
    """The photos of a folder, one after the other and from the beginning again; a `Device`.

    Photos that cannot be read are skipped; photos that are added while it runs come in the next round.
    """

    def __init__(self, folder: str | os.PathLike[str], *, fps: float = 5.0) -> None:
        """List the photos of the folder.

        Args:
            fps: photos a second, at most.

        Raises:
            EdgeretrainError: there is no such folder, or no photo in it.
        """
        if not fps > 0:
            raise EdgeretrainError(f"fps must be greater than 0, not {fps:g}.")
        self._seconds = 1 / fps
        self._due = time.monotonic()
        self._folder = Path(folder)
        self._round = photos_below(self._folder)[::-1]

    def read(self) -> Pixels:
        """The next photo, at most 640 pixels wide and 480 high; see `Device.read`."""
        for _ in range(2):  # the rest of this round, and a whole one
            while self._round:
                pixels = _small(self._round.pop())
                if pixels is not None:
                    time.sleep(max(0.0, self._due - time.monotonic()))
                    self._due = time.monotonic() + self._seconds
                    return pixels
            try:
                self._round = photos_below(self._folder)[::-1]
            except EdgeretrainError:
                break
        raise CameraLost("none of its photos can be read")

    def close(self) -> None:
        """Nothing is open."""


def _small(path: Path) -> Pixels | None:
    try:
        with path.open("rb") as file, Image.open(file) as image:
            # Of a lossless JPEG, Pillow would write the whole photo into the memory of the small one.
            if image.format in ("JPEG", "MPO") and can_be_scaled(file):
                image.draft("RGB", SIZE)
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail(SIZE)
            return np.array(upright.convert("RGB"))
    except Exception:  # decoders raise a dozen types on damaged data
        return None
