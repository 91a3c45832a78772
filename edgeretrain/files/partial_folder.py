"""Folders that are there whole or not at all, also when the process is killed or the power is lost.

What is written goes to a folder of a random name with a lock file beside it. In the end it takes the place of the old
folder in one step (`replace_folder`), or its files take the places of the old ones (`swap_files`) where the folder
itself must stay: a mount point, or the folder that a shell is in.
"""

import contextlib
import errno
import glob
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from edgeretrain.files.durable import sync_folder, sync_names
from edgeretrain.files.manifest import MANIFEST_FILE, keep, read_manifest
from edgeretrain.files.owner_lock import OwnerLock, new_owner_lock, take_abandoned
from edgeretrain.files.unlisted import written_by_us

_NAME = re.compile(r"\..+\.(partial|old|commit)-[0-9a-f]{32}(\.lock)?", re.DOTALL)


@contextlib.contextmanager
def partial_folder(out: Path, *, inside: bool = False) -> Iterator[Path]:
    """A new folder to write into; whatever still bears its name when the block ends is removed.

    What processes that were killed left is removed first, what living ones write is let be.

    Args:
        inside: put it into `out`, not beside it.

    Raises:
        OSError: it cannot be made.
    """
    remove_leftovers(out)
    partial, lock = _new_name(out if inside else out.parent, out.name)
    try:
        partial.mkdir()  # inside: Ctrl-C may come the moment it is there
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        lock.release()


def _new_name(place: Path, name: str) -> tuple[Path, OwnerLock]:
    """A path for a partial folder, and the lock that belongs to it."""
    while True:
        partial = place / f".{name}.partial-{uuid.uuid4().hex}"
        with contextlib.suppress(FileExistsError):  # another process that cleans up was quicker
            return partial, new_owner_lock(_lock_path(partial))


def is_partial(name: str) -> bool:
    """Whether a name is one that this module gives while a folder is being written."""
    return _NAME.fullmatch(name) is not None


def replace_folder(out: Path, partial: Path) -> None:
    """Put a partial folder in the place of `out`; what is in `out` and not written by edgeretrain is kept in it.

    Another process that ends in the same moment may take the place in between.

    Raises:
        OSError: it failed; what was at `out` is there again.
    """
    sync_folder(partial)
    old = out.with_name(f".{out.name}.old-{_mark(partial)}")
    for attempts_left in (2, 1, 0):
        try:
            if out.exists() and any(out.iterdir()):
                out.rename(old)
            partial.rename(out)
            break
        except OSError:
            if old.exists() and not out.exists():
                old.rename(out)
            if not attempts_left:
                raise
    sync_names(out.parent)
    _clear(old, out)


def swap_files(out: Path, partial: Path) -> None:
    """Put the files of a partial folder in the places of those in `out`, which stays the same folder.

    A kill in the milliseconds in between leaves some old and some new ones; `remove_leftovers` completes it.

    Raises:
        OSError: it does not work.
    """
    if partial.parent != out:
        with partial_folder(out, inside=True) as copied:
            shutil.copytree(partial, copied, dirs_exist_ok=True)
            swap_files(out, copied)
        return
    sync_folder(partial)
    commit = out / f".{out.name}.commit-{_mark(partial)}"
    with _one_at_a_time(out):
        partial.rename(commit)
        sync_names(out)
        _complete(out, commit)


def remove_leftovers(out: Path) -> None:
    """Remove what processes left when they were killed; complete or undo what they were at.

    Raises:
        OSError: it cannot be completed.
    """
    for place in (out.parent, out):
        start = f".{glob.escape(out.name)}."
        for commit in sorted(place.glob(f"{start}commit-*")) if place == out else ():
            if is_partial(commit.name) and not _lock_path(_sibling(commit, "partial")).exists():
                with _one_at_a_time(out):
                    _complete(out, commit)
        for path in sorted(place.glob(f"{start}partial-*.lock")):
            if is_partial(path.name):
                _remove_leftover(out, path.with_suffix(""))


def _remove_leftover(out: Path, partial: Path) -> None:
    old, commit = _sibling(partial, "old"), _sibling(partial, "commit")

    def remains() -> list[Path]:
        found = [folder for folder in (partial, old, commit) if folder.is_dir()]
        return [*found, *(path for folder in found for path in folder.rglob("*"))]

    lock = take_abandoned(_lock_path(partial), remains)
    if lock is None:
        return
    try:
        if commit.is_dir():
            with _one_at_a_time(out):
                _complete(out, commit)
        if old.is_dir() and not out.exists():
            old.rename(out)
        elif old.is_dir():
            _clear(old, out)
        shutil.rmtree(partial, ignore_errors=True)
    finally:
        lock.release()


def _clear(old: Path, out: Path) -> None:
    """Remove what edgeretrain wrote into a folder that was replaced; move all else into the new one."""
    for _ in range(3):  # a program that is still in the folder may write to it until it is gone
        if not old.is_dir():
            return
        ours = written_by_us(old)
        for path in sorted(old.iterdir(), key=_manifest_last):
            if path.name in ours:
                path.unlink(missing_ok=True)
            else:
                keep(path, out)
        with contextlib.suppress(OSError):
            old.rmdir()


def _complete(out: Path, commit: Path) -> None:
    """Move the files of a folder, its manifest last, to their places in `out`. May be begun again at any point."""
    coming = read_manifest(commit)
    waiting = sorted(commit.iterdir(), key=_manifest_last)
    earlier = written_by_us(out) if coming is not None else set()
    for name in sorted(earlier - (coming or {}).keys() - {MANIFEST_FILE}):
        (out / name).unlink(missing_ok=True)
    for path in waiting:
        if path.name not in earlier and os.path.lexists(out / path.name):
            keep(out / path.name, out)
    for path in waiting:
        path.replace(out / path.name)
    commit.rmdir()
    sync_names(out)


def _manifest_last(path: Path) -> tuple[bool, str]:
    """The order in which a kill leaves nothing that the manifest does not tell of."""
    return path.name == MANIFEST_FILE, path.name


@contextlib.contextmanager
def _one_at_a_time(out: Path) -> Iterator[None]:
    """Wait for other processes that swap files in a folder, where the system can lock one."""
    descriptor = None
    try:
        import fcntl

        descriptor = os.open(out, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except (ImportError, OSError):
        pass
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def cannot_be_replaced(error: OSError) -> bool:
    """Whether the system refuses to move a folder, but perhaps not the files in it: a mount point, a layered drive."""
    return error.errno in (errno.EBUSY, errno.EXDEV)


def _lock_path(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.lock")


def _sibling(path: Path, kind: str) -> Path:
    """The path of another kind with the same random mark."""
    start, mark = path.name.rsplit("-", 1)
    return path.with_name(f"{start.rpartition('.')[0]}.{kind}-{mark}")


def _mark(partial: Path) -> str:
    return partial.name.rsplit("-", 1)[1] if is_partial(partial.name) else uuid.uuid4().hex
