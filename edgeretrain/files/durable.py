"""Bring files and folders to the disk itself: they outlast a loss of power, not only the end of a process."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_FEW = 64  # files; above that, one call for the whole system is faster than one for each


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk.

    Raises:
        OSError: it cannot be written there.
    """
    with path.open("rb" if os.name != "nt" else "r+b") as file:
        os.fsync(file.fileno())


def sync_names(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders; or it may be written to but not read
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some network drives cannot
        pass
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until a folder with everything below it is on the disk.

    Raises:
        OSError: a file cannot be written there.
    """
    found = [path for path in folder.rglob("*") if not path.is_symlink()]
    if len(found) > _FEW and hasattr(os, "sync"):
        os.sync()
        return
    files = [path for path in found if path.is_file()]
    folders = [*(path for path in found if path.is_dir()), folder]
    # Together: the file system then writes its journal once for several of them.
    with ThreadPoolExecutor(8, thread_name_prefix="sync") as threads:
        waiting = [threads.submit(sync_file, path) for path in files]
        waiting += [threads.submit(sync_names, path) for path in folders]
        for future in waiting:
            future.result()
