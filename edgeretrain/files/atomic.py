"""Files that are there whole or not at all, also when the process is killed or the power is lost."""

import contextlib
import glob
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.durable import sync_file, sync_names

_ABANDONED = 3600.0  # seconds since the last byte; a process that still writes a file does so every minute


def write_atomic(
    path: Path, content: bytes | str, *, parents: bool = False, hint: str = "Choose another place."
) -> None:
    """Write a file under a temporary name beside it, then rename it; text is UTF-8 with plain newlines.

    Args:
        parents: also make its folder.
        hint: ends the error message: what to do next.

    Raises:
        EdgeretrainError: it cannot be written; what was there before is untouched.
    """
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        with partial_file(path) as temporary:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise EdgeretrainError(f"{path}: cannot be written ({error.strerror or error}). {hint}") from None


@contextlib.contextmanager
def partial_file(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to: renamed to `path` when the block succeeds, removed otherwise.

    First removes temporary files of killed processes beside `path`, an hour after their last byte.

    Raises:
        OSError: it cannot be written to the disk or given the name.
    """
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        sync_file(temporary)  # else a loss of power may leave the name without the content
        temporary.replace(path)
        sync_names(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files that were not written to for so long that their process must have been killed."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        if re.fullmatch(r"[0-9a-f]{32}", left.name[len(path.name) + 2 :]):
            with contextlib.suppress(OSError):  # another process was faster
                if abs(time.time() - left.stat().st_mtime) > _ABANDONED:  # in the future: the clock was set back
                    left.unlink()
