"""Folders that are complete or missing, even if the process is killed."""

import contextlib
import glob
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def partial_folder(out: Path) -> Iterator[Path]:
    """A new folder beside `out` to write into; it is removed when the block ends, unless it was renamed.

    First removes such folders of killed processes beside `out`.

    Raises:
        OSError: it cannot be made.
    """
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    _remove_leftovers(out)
    try:
        partial.mkdir()  # inside: Ctrl-C may come the moment it is there
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def replace_folder(out: Path, partial: Path) -> None:
    """Replace `out` by a partial folder; tries again if another process does the same at this moment.

    Raises:
        OSError: it failed; what was at `out` is there again.
    """
    old = out.with_name(f".{out.name}.old-{os.getpid()}")
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
    shutil.rmtree(old, ignore_errors=True)


def _remove_leftovers(out: Path) -> None:
    """Remove the folders of killed processes; a kill between two renames is undone."""
    for path in sorted(out.parent.glob(f".{glob.escape(out.name)}.*-*")):
        match = re.fullmatch(r"(partial|old)-(\d+)", path.name[len(out.name) + 2 :])
        # Our own number was someone else's before: in a container, every run may have the same one.
        if match is None or (int(match[2]) != os.getpid() and _is_running(int(match[2]))):
            continue
        if match[1] == "old" and not out.exists():
            path.rename(out)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":  # os.kill would end it there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
