"""A lock file that tells whether its owner lives: to other containers of this machine and to other hosts.

The number of a process tells neither: in containers every command may have the same one. The system's lock on the file
ends with its owner, however that ends, and all containers of a machine see it. Network drives may keep locks to one
host, so what another host left (or this one before it was started anew) must also have been still for a day.
"""

import contextlib
import errno
import json
import os
import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edgeretrain.version import __version__

_STILL = 86_400.0  # seconds without a change in what another host left
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)


@dataclass
class OwnerLock:
    """A lock file that this process holds."""

    path: Path
    _descriptor: int

    def release(self) -> None:
        """Remove the file. Only when nothing is left of what it stands for: the file is what tells of it."""
        if os.name == "nt":  # removes no open file
            os.close(self._descriptor)
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
            return
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def new_owner_lock(path: Path) -> OwnerLock:
    """Make a lock file and hold it.

    Raises:
        OSError: it cannot be made; FileExistsError: it is there already, or another process took it: try another name.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    try:
        held = _try_lock(descriptor)
        if held is False:  # it was taken for an abandoned one before it could be locked; who took it removes it
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        record = {"edgeretrain": __version__, "machine": _machine(), "locked": held is True}
        os.write(descriptor, json.dumps(record).encode())
    except BaseException as error:
        os.close(descriptor)
        if not isinstance(error, FileExistsError):
            with contextlib.suppress(OSError):
                path.unlink()
        raise
    return OwnerLock(path, descriptor)


def take_abandoned(path: Path, remains: Callable[[], Iterable[Path]]) -> OwnerLock | None:
    """Take over a lock whose owner is gone; None: it lives, or may live, or the file is not one of ours.

    Args:
        remains: files and folders that the owner may have left; looked at only when the lock alone does not tell.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    taken = False
    try:
        free = _try_lock(descriptor)
        record = _record(descriptor)
        if free is False or record is None or not _is_same(path, descriptor):
            return None
        # An empty one, too: its owner was killed before it could write, and locks it first if it lives.
        sure = free and (not record or (record.get("locked") is True and record.get("machine") == _machine()))
        if not sure and not all(map(_is_still, (path, *remains()))):
            return None
        taken = True
        return OwnerLock(path, descriptor)
    except OSError:
        return None
    finally:
        if not taken:
            os.close(descriptor)


def _record(descriptor: int) -> dict[str, object] | None:
    """What a lock file says; {} when its owner was killed before it could write; None when it is not one of ours."""
    text = os.read(descriptor, 4096)
    if not text:
        return {}
    try:
        record = json.loads(text)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "edgeretrain" in record else None


def _is_same(path: Path, descriptor: int) -> bool:
    """Whether the name still leads to the open file: another process may have cleaned up in between."""
    return os.name == "nt" or os.path.samestat(path.stat(), os.fstat(descriptor))


def _is_still(path: Path) -> bool:
    """Whether nothing has changed for long; a time in the future is as far away: the clock was set back."""
    return abs(time.time() - path.lstat().st_mtime) > _STILL


def _machine() -> str:
    """The same in all containers of a running system, and in no other system."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return platform.node()


def _try_lock(descriptor: int) -> bool | None:
    """Lock an open file until it is closed; False: someone else holds it; None: there are no locks here."""
    try:
        if os.name == "nt":
            import msvcrt

            # Far behind the end: what is locked on Windows cannot be read.
            os.lseek(descriptor, 1 << 20, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            finally:
                os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return None if error.errno in _NO_LOCKS else False
    return True
