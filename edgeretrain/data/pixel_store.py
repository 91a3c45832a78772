"""Decoded photos on disk, so that no photo is decoded twice in one run and memory stays flat."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from edgeretrain.data.pixels import Pixels


class PixelStore:
    """Pixels of photos by the SHA-256 of their bytes and their size; one file for each size. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: of the files; made when the first photo is added.
        """
        self._folder = folder
        self._files: dict[int, BinaryIO] = {}
        self._offsets: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()

    def add(self, digest: str, pixels: Pixels) -> None:
        """Keep the pixels of a photo, `uint8 [size, size, 3]`."""
        size = len(pixels)
        with self._lock:
            if (digest, size) in self._offsets:
                return
            if size not in self._files:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._files[size] = (self._folder / f"{size}.uint8").open("w+b")
            file = self._files[size]
            offset = file.seek(0, 2)
            file.write(np.ascontiguousarray(pixels).data)
            self._offsets[digest, size] = offset

    def has(self, digest: str, size: int) -> bool:
        """Whether the pixels of a photo are here in this size."""
        with self._lock:
            return (digest, size) in self._offsets

    def get(self, digest: str, size: int) -> Pixels | None:
        """The pixels of a photo, `uint8 [size, size, 3]`; None: they are not here in this size."""
        with self._lock:
            if (digest, size) not in self._offsets:
                return None
            file = self._files[size]
            file.seek(self._offsets[digest, size])
            return np.frombuffer(file.read(size * size * 3), np.uint8).reshape(size, size, 3)

    def close(self) -> None:
        """Remove the files."""
        with self._lock:
            self._offsets.clear()
            for size, file in self._files.items():
                file.close()
                (self._folder / f"{size}.uint8").unlink(missing_ok=True)
            self._files.clear()
            with contextlib.suppress(OSError):  # it was never made, or holds something else
                self._folder.rmdir()


@contextlib.contextmanager
def pixel_store(folder: Path) -> Iterator[PixelStore]:
    """A store that is removed, with its folder, when the block ends."""
    store = PixelStore(folder)
    try:
        yield store
    finally:
        store.close()
