"""The run folder: written whole or not at all, and in the place of nothing that edgeretrain did not write."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.manifest import MANIFEST_FILE, is_file, is_kept, read_manifest, write_manifest
from edgeretrain.files.partial_folder import (
    cannot_be_replaced,
    is_partial,
    partial_folder,
    remove_leftovers,
    replace_folder,
    swap_files,
)
from edgeretrain.files.unlisted import proven_files

REPORT_FILE = "report.json"
PAGE_FILE = "report.html"
LABELS_FILE = "labels.txt"


def model_file(precision: str) -> str:
    """The name of a model in a run folder, such as `model.int8.tflite`."""
    return f"model.{precision}.tflite"


def bottleneck_file(precision: str) -> str:
    """The name of the bottlenecks that a model of a run folder learnt from, such as `bottlenecks.int8.npz`."""
    return f"bottlenecks.{precision}.npz"


_STEMS = {"report", "labels", "model", "bottlenecks", "manifest"}
_DESKTOP = {".DS_Store", "Thumbs.db", "desktop.ini"}  # left by file managers that looked at the folder


@contextlib.contextmanager
def new_run_folder(out: Path, *, listed: bool = True) -> Iterator[Path]:
    """A temporary folder that takes the place of `out` when the block ends well, and vanishes when it does not.

    An earlier run folder at `out` stays untouched until then. Of it, only files that are what edgeretrain wrote are
    removed; anything else that has come into it meanwhile is there afterwards as well, as NAME.kept where the run
    needs its name. The temporary folder lies beside `out`, or in it where `out` must stay the same folder: where a
    drive is mounted on it, this process is in it, or nothing may be written beside it.

    Args:
        listed: write a manifest, without which the folder will not be replaced by a later run.

    Raises:
        EdgeretrainError: `out` is not a run folder, or cannot be written, now or in the block.
    """
    out = Path(os.path.realpath(out))  # a link to a run folder stays a link
    try:
        remove_leftovers(out)
        _check_replaceable(out)
        inside = _must_stay(out)
        new_parents = [parent for parent in out.parents if not parent.exists()]
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial_folder(out, inside=inside) as partial:
                yield partial
                if listed:
                    write_manifest(partial)
                _put(partial, out)
        finally:
            with contextlib.suppress(OSError):  # they are not empty when all went well
                for parent in new_parents:
                    parent.rmdir()
    except OSError as error:
        raise _cannot_write(out, error) from None


def _must_stay(out: Path) -> bool:
    """Whether a folder can be written to, but not be replaced by another one."""
    if not out.is_dir():
        return False
    return _is_mounted(out) or _is_in(out) or not os.access(out.parent, os.W_OK | os.X_OK)


def _is_mounted(out: Path) -> bool:
    if os.path.ismount(out):
        return True
    try:  # where the drive is the same one, as of a folder that a container is given, only this list tells
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return False
    mounted = (re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), line.split()[4]) for line in lines)
    return os.fsencode(out) in mounted


def _is_in(out: Path) -> bool:
    """Whether this process is in the folder: so is the shell that started it, and would be in a folder that is gone."""
    try:
        here = Path.cwd()
    except OSError:
        return False
    return out == here or out in here.parents


def _put(partial: Path, out: Path) -> None:
    if partial.parent != out:
        try:
            replace_folder(out, partial)
            return
        except OSError as error:
            if not (cannot_be_replaced(error) and out.is_dir()):
                raise
    swap_files(out, partial)


def check_apart(photos: Path, out: Path) -> None:
    """Refuse a run folder inside the photos folder, where the next run would take it for a class.

    Raises:
        EdgeretrainError: it is inside.
    """
    folder, run_folder = photos.resolve(), out.resolve()
    if folder in run_folder.parents:
        raise EdgeretrainError(
            f"{out}: lies inside the photos folder, where the next run would take it for a class. "
            f"Choose another --out, such as {folder.parent / run_folder.name}."
        )


def _cannot_write(out: Path, error: OSError) -> EdgeretrainError:
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return EdgeretrainError(f"{out}: cannot be written, as a part of this path is a file. Choose another --out.")
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    hint = "Free some room, or choose another --out." if full else "Choose another --out."
    return EdgeretrainError(f"{out}: cannot be written ({error.strerror or error}). {hint}")


def _check_replaceable(out: Path) -> None:
    """Refuse to replace anything that edgeretrain did not write."""
    try:
        if not out.exists():
            return
        names = sorted(path.name for path in out.iterdir() if not is_partial(path.name))
    except NotADirectoryError:
        raise EdgeretrainError(f"{out}: is a file, not a run folder. Choose another --out.") from None
    except OSError as error:
        raise EdgeretrainError(
            f"{out}: not a folder that can be used ({error.strerror}). Choose another --out."
        ) from None
    listed = read_manifest(out)
    if listed is None:
        ours = proven_files(out) | _DESKTOP
    else:
        found = {name for name in listed if is_file(out / name)}
        ours = {MANIFEST_FILE, *found, *_DESKTOP, *filter(is_kept, names)}
    for name in names:
        if name not in ours:
            reason = "which edgeretrain did not write, so it is left alone. Choose another --out."
            if listed is None and name.split(".")[0] in _STEMS:
                reason = (
                    f"and no {MANIFEST_FILE} says that edgeretrain wrote it, so it is left alone. Move it away, or "
                    "choose another --out."
                )
            raise EdgeretrainError(f"{out}: holds {name}, {reason}")
