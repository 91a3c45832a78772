"""The run folder: written whole or not at all."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edgeretrain.errors import EdgeretrainError
from edgeretrain.presets import PRECISIONS

REPORT_FILE = "report.json"
PAGE_FILE = "report.html"
LABELS_FILE = "labels.txt"


def model_file(precision: str) -> str:
    """The name of a model in a run folder, such as `model.int8.tflite`."""
    return f"model.{precision}.tflite"


_OURS = {REPORT_FILE, PAGE_FILE, LABELS_FILE, *(model_file(precision) for precision in PRECISIONS)}


@contextlib.contextmanager
def new_run_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its place when the block ends well, and vanishes when it does not.

    An earlier run folder at `out` stays untouched until then.

    Raises:
        EdgeretrainError: `out` is something else than a run folder, or cannot be written, now or in the block.
    """
    out = Path.cwd() / out  # not resolve(): a link to a run folder stays a link
    _check_replaceable(out)
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(out)
        partial.mkdir()
        try:
            yield partial
            _replace(partial, out)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise EdgeretrainError(
            f"{out}: cannot be written ({error.strerror or error}). Free some room or choose another --out."
        ) from None


def _check_replaceable(out: Path) -> None:
    """Refuse to replace anything that edgeretrain did not write."""
    try:
        if not out.exists():
            return
        foreign = sorted(path.name for path in out.iterdir() if path.name not in _OURS)
    except OSError as error:
        raise EdgeretrainError(
            f"{out}: not a folder that can be used ({error.strerror}). Choose another --out."
        ) from None
    if foreign:
        raise EdgeretrainError(
            f"{out}: holds {foreign[0]}, which edgeretrain did not write, so it is left alone. Choose another --out."
        )


def _replace(partial: Path, out: Path) -> None:
    if not out.exists() or not any(out.iterdir()):
        partial.rename(out)
        return
    old = out.with_name(f".{out.name}.old-{os.getpid()}")
    out.rename(old)
    partial.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _remove_leftovers(out: Path) -> None:
    """Remove what runs into the same folder left when they were killed."""
    for pattern in (f".{out.name}.partial-*", f".{out.name}.old-*"):
        for path in out.parent.glob(pattern):
            if not _is_running(int(path.name.rpartition("-")[2])):
                shutil.rmtree(path, ignore_errors=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":  # os.kill would end it there
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
