"""Decoded photos on disk, so that no photo is decoded twice in one run and memory stays flat."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from edgeretrain.data.pixels import Pixels
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.partial_folder import partial_folder


class PixelStore:
    """Pixels of photos by the SHA-256 of their bytes and their size; one file for each size. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: of the files; nobody else's.
        """
        self._folder = folder
        self._files: dict[int, BinaryIO] = {}
        self._offsets: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()

    def add(self, digest: str, pixels: Pixels) -> None:
        """Keep the pixels of a photo, `uint8 [size, size, 3]`.

        Raises:
            EdgeretrainError: no room on the disk.
        """
        size = len(pixels)
        with self._lock:
            if (digest, size) in self._offsets:
                return
            try:
                if size not in self._files:
                    self._files[size] = (self._folder / f"{size}.uint8").open("w+b")
                file = self._files[size]
                offset = file.seek(0, 2)
                file.write(np.ascontiguousarray(pixels).data)
                file.flush()
            except OSError as error:
                raise EdgeretrainError(
                    f"{self._folder}: the decoded test photos cannot be written ({error.strerror or error}). Free some "
                    "room, or choose another --out."
                ) from None
            self._offsets[digest, size] = offset

    def get(self, digest: str, size: int) -> Pixels | None:
        """The pixels of a photo, `uint8 [size, size, 3]`; None: they are not here in this size."""
        with self._lock:
            if (digest, size) not in self._offsets:
                return None
            file = self._files[size]
            file.seek(self._offsets[digest, size])
            return np.frombuffer(file.read(size * size * 3), np.uint8).reshape(size, size, 3)

    def close(self) -> None:
        """Close the files; nothing is here any more."""
        with self._lock:
            self._offsets.clear()
            for file in self._files.values():
                with contextlib.suppress(OSError):  # a full disk; nobody will read it
                    file.close()
            self._files.clear()


@contextlib.contextmanager
def pixel_store(folder: Path) -> Iterator[PixelStore]:
    """A store in a hidden folder of its own below `folder`, which is gone when the block ends.

    Raises:
        EdgeretrainError: the folder cannot be made.
    """
    with contextlib.ExitStack() as stack:
        try:
            own = stack.enter_context(partial_folder(folder / "pixels"))
        except OSError as error:
            raise EdgeretrainError(f"{folder}: cannot be written ({error.strerror}). Choose another --out.") from None
        store = PixelStore(own)
        stack.callback(store.close)
        yield store
