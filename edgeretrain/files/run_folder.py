"""The run folder: written completely or not at all."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.partial_folder import partial_folder, replace_folder
from edgeretrain.precision import PRECISIONS

REPORT_FILE = "report.json"
PAGE_FILE = "report.html"
LABELS_FILE = "labels.txt"


def model_file(precision: str) -> str:
    """The name of a model in a run folder, such as `model.int8.tflite`."""
    return f"model.{precision}.tflite"


def bottleneck_file(precision: str) -> str:
    """The name of the bottlenecks that a model of a run folder learnt from, such as `bottlenecks.int8.npz`."""
    return f"bottlenecks.{precision}.npz"


_PER_PRECISION = {name(precision) for name in (model_file, bottleneck_file) for precision in PRECISIONS}
_OURS = {REPORT_FILE, PAGE_FILE, LABELS_FILE, *_PER_PRECISION}
_DESKTOP = {".DS_Store", "Thumbs.db", "desktop.ini"}  # left by file managers that looked at the folder


@contextlib.contextmanager
def new_run_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that replaces it when the block succeeds, and is removed otherwise.

    An earlier run folder at `out` stays untouched until then.

    Raises:
        EdgeretrainError: `out` is not a run folder, or cannot be written, now or in the block.
    """
    out = Path(os.path.realpath(out))  # a link to a run folder stays a link
    _check_replaceable(out)
    try:
        new_parents = [parent for parent in out.parents if not parent.exists()]
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial_folder(out) as partial:
                yield partial
                replace_folder(out, partial)
        finally:
            with contextlib.suppress(OSError):  # they are not empty when all went well
                for parent in new_parents:
                    parent.rmdir()
    except OSError as error:
        raise _cannot_write(out, error) from None


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
        foreign = sorted(path.name for path in out.iterdir() if path.name not in _OURS | _DESKTOP)
    except NotADirectoryError:
        raise EdgeretrainError(f"{out}: is a file, not a run folder. Choose another --out.") from None
    except OSError as error:
        raise EdgeretrainError(
            f"{out}: not a folder that can be used ({error.strerror}). Choose another --out."
        ) from None
    if foreign:
        raise EdgeretrainError(
            f"{out}: holds {foreign[0]}, which edgeretrain did not write, so it is left alone. Choose another --out."
        )
