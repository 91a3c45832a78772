"""The photos of a folder: those in it now, and those that appear later."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from edgeretrain.data.walk import photo_files
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto
from edgeretrain.files.describe import printable

SCAN_SECONDS = 0.5
"""Between two scans of a watched folder. Longer for large folders: scanning takes at most a tenth of the time."""

PATIENCE_SECONDS = 5.0
"""How long a new photo that cannot be read may stay unchanged before it is reported: its writer may have paused."""

_Result = TypeVar("_Result")
_Stamp = tuple[int, int, int]  # size, modification time in ns, inode


def photos_below(folder: Path) -> list[Path]:
    """Every photo of a folder and its sub-folders, sorted: what `find_photos` would see, without class folders.

    Raises:
        EdgeretrainError: there is no such folder, or no photo in it.
    """
    photos = sorted(_scan(folder))
    if not photos:
        raise EdgeretrainError(
            f"{printable(folder)}: there are no photos in this folder (JPEG, PNG, WebP, BMP, GIF, TIFF). "
            "Check the path, or use --watch to wait for photos."
        )
    return photos


class WatchedFolder(Generic[_Result]):
    """The photos that appear in a folder or its sub-folders from now on; iterate over it.

    A photo is yielded once its size and time are the same in two scans and `read` accepts it: a photo that is still
    being written is waited for. One that is replaced, or written to again, is yielded again. The folder is polled,
    which also works on network drives; memory holds one entry for each photo in the folder.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        read: Callable[[Path], _Result],
        *,
        stop: threading.Event | None = None,
        scan_seconds: float = SCAN_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Remember the photos that are there already.

        Args:
            read: called with each photo, such as a `Classifier`; it may raise UnreadablePhoto.
            stop: ends the iteration when it is set.

        Raises:
            EdgeretrainError: there is no such folder, or no permission to read it.
        """
        self._folder, self._read = Path(folder), read
        self._stop = stop or threading.Event()
        self._scan_seconds, self._patience = scan_seconds, patience
        self._known = _scan(self._folder)

    def __iter__(self) -> Iterator[tuple[Path, _Result | UnreadablePhoto]]:
        """Wait for photos: `(photo, the result of read or why it cannot be read)`.

        Raises:
            EdgeretrainError: the folder itself is gone.
        """
        waiting: dict[Path, tuple[_Stamp, float]] = {}  # photo -> its stamp in the last scan, since when
        while not self._stop.is_set():
            began = time.monotonic()
            found = _scan(self._folder)
            pause = max(self._scan_seconds, 9 * (time.monotonic() - began))
            self._known = {path: stamp for path, stamp in self._known.items() if path in found}
            new = {path: stamp for path, stamp in found.items() if self._known.get(path) != stamp}
            before, waiting = waiting, {}
            for path in sorted(new, key=lambda path: (new[path][1], path)):
                stamp, since = before.get(path, (None, began))
                if stamp != new[path]:
                    waiting[path] = (new[path], began)
                    continue
                result: _Result | UnreadablePhoto
                try:
                    result = self._read(path)
                except UnreadablePhoto as error:
                    if began - since < self._patience:
                        waiting[path] = (new[path], since)
                        continue
                    result = error
                self._known[path] = new[path]
                yield path, result
                if self._stop.is_set():
                    return
            self._stop.wait(pause)


def _scan(folder: Path) -> dict[Path, _Stamp]:
    """Photo -> what changes when it is written to or replaced."""
    return {path: (status.st_size, status.st_mtime_ns, status.st_ino) for path, status in photo_files(folder)}
