"""Bottlenecks on disk: one SQLite file per backbone and settings, one row per photo.

SQLite makes it safe against a kill at any moment and against two runs at once; a checksum per row finds damage inside
a row, and a damaged file is thrown away. Rows are keyed by the photo's bytes, never by its name.
"""

import contextlib
import hashlib
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError

_ROWS_PER_TRANSACTION = 64
# Another run holds the lock for one transaction of 64 rows: milliseconds.
_LOCK_TIMEOUT_SECONDS = 60
# Besides SQLite's own errors: a vector that is a number or a text; an error message that quotes invalid UTF-8.
_TROUBLE = (sqlite3.Error, TypeError, UnicodeDecodeError)
_NOT_DAMAGE = {
    "database is locked",
    "database or disk is full",
    "disk I/O error",
    "unable to open database file",
}


class BottleneckCache:
    """The cached bottlenecks of one backbone under one set of settings. Thread-safe."""

    def __init__(self, folder: Path, settings: str) -> None:
        """Open or create the file for these settings (any text that tells them apart) in the cache folder.

        Raises:
            EdgeretrainError: the folder cannot be written.
        """
        self.path = folder / "bottlenecks" / f"{hashlib.sha256(settings.encode()).hexdigest()[:32]}.sqlite"
        self._settings = settings
        self._pending: list[tuple[bytes, bytes, int]] = []
        self._lock = threading.RLock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._cannot_write(error.strerror or "unknown reason") from None
        try:
            self._connection = self._open()
        except _TROUBLE as error:
            self._recover(error)

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_LOCK_TIMEOUT_SECONDS, check_same_thread=False)
        try:
            with connection:
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS bottlenecks (photo BLOB PRIMARY KEY, vector BLOB, checksum INTEGER)"
                )
        except Exception:
            connection.close()
            raise
        return connection

    def _recover(self, error: Exception) -> None:
        """Replace a damaged file by an empty one; its bottlenecks are computed again.

        Raises:
            EdgeretrainError: the file is not damaged, but the system cannot write it.
        """
        # SQLite reports much of the damage as OperationalError, too: a column that is gone, text that is not UTF-8.
        if isinstance(error, sqlite3.OperationalError) and str(error) in _NOT_DAMAGE:
            raise self._cannot_write(str(error)) from None
        with contextlib.suppress(AttributeError, sqlite3.Error):
            self._connection.close()
        try:
            for path in (self.path, self.path.with_name(self.path.name + "-journal")):
                path.unlink(missing_ok=True)
            self._connection = self._open()
        except OSError as failure:
            raise self._cannot_write(failure.strerror or str(error)) from None
        except sqlite3.Error as failure:
            raise self._cannot_write(str(failure)) from None

    def _cannot_write(self, reason: str) -> EdgeretrainError:
        return EdgeretrainError(
            f"{self.path}: the bottleneck cache cannot be written ({reason}). "
            "Free some room, or point EDGERETRAIN_CACHE to a folder that can be written."
        )

    def contains(self, digest: str) -> bool:
        """Whether the bottleneck of a photo, by SHA-256 of its bytes, is here and undamaged."""
        return self._row(digest) is not None

    def read(self, digests: Iterable[str]) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
        """Yield the cached bottlenecks of photos, by SHA-256 of their bytes, except missing and damaged ones."""
        length = None
        for digest in digests:
            content = self._row(digest)
            if content is None or len(content) % 4:
                continue
            vector = np.frombuffer(content, np.float32)
            if length in (None, vector.size):
                length = vector.size
                yield digest, vector

    def _row(self, digest: str) -> bytes | None:
        key = bytes.fromhex(digest)
        with self._lock:
            try:
                row = self._connection.execute(
                    "SELECT vector, checksum FROM bottlenecks WHERE photo = ?", (key,)
                ).fetchone()
                sound = row is not None and _checksum(key, row[0]) == row[1]
            except _TROUBLE as error:
                self._recover(error)
                return None
        return row[0] if sound else None

    def add(self, digest: str, vector: npt.NDArray[np.float32]) -> None:
        """Add a bottleneck; it is written to disk with the next full transaction, or when the cache is closed."""
        key, content = bytes.fromhex(digest), vector.astype(np.float32).tobytes()
        with self._lock:
            self._pending.append((key, content, _checksum(key, content)))
            if len(self._pending) >= _ROWS_PER_TRANSACTION:
                self.flush()

    def flush(self) -> None:
        """Write what was added to disk now.

        Raises:
            EdgeretrainError: it cannot be written.
        """
        with self._lock:
            rows, self._pending = self._pending, []
            try:
                with self._connection:
                    self._connection.executemany("INSERT OR REPLACE INTO bottlenecks VALUES (?, ?, ?)", rows)
            except _TROUBLE as error:
                self._recover(error)

    def __enter__(self) -> "BottleneckCache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # Also if the run was stopped: what was computed need not be computed again.
            if self._pending:
                self.flush()
        except EdgeretrainError:
            if error is None:
                raise
        finally:
            self._connection.close()


def _checksum(key: bytes, content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(key))
