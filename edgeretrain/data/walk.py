"""The only walk of photo folders: which files count as photos.

Retraining, evaluation, calibration, benchmark, `classify` and watched folders all see the same photos of a folder.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath

from edgeretrain.data.photo_formats import RAW_EXTENSIONS
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.describe import printable

EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".mpo", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
    | {".avif", ".heic", ".heif", ".hif"}
)
"""Of photos, in lower case."""

UNREAD_EXTENSIONS = RAW_EXTENSIONS | {".jxl", ".jp2", ".j2k", ".jpx", ".jpf", ".psd"}
"""Of photos that cannot be read, in lower case: they are named with the reason."""

NO_PHOTO_EXTENSIONS = frozenset(
    {".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".md", ".rst", ".htm", ".html", ".pdf"}
    | {".ini", ".cfg", ".toml", ".db", ".log", ".py", ".ipynb", ".sh", ".bat", ".exe", ".lnk", ".url", ".svg"}
    | {".doc", ".docx", ".xls", ".xlsx", ".npy", ".npz", ".pkl", ".mat", ".h5", ".tflite", ".zip", ".tar", ".rar"}
    | {".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".3gp", ".mp3", ".wav", ".m4a", ".aae", ".xmp", ".thm"}
)
"""Of files that lie beside photos and are none, in lower case."""

NO_PHOTO_NAMES = frozenset({"readme", "license", "licence", "notice", "makefile", "checksums", "sha256sums", "md5sums"})
"""The same, of files without an extension."""

LEFT_BEHIND = frozenset({"__macosx", "@eadir", "$recycle.bin", "system volume information"})
"""Folders created by archivers and network drives, in lower case."""


def is_photo_name(path: PurePath) -> bool:
    """Whether a file of this name is taken for a photo, be it in a format that cannot be read."""
    return path.suffix.lower() in EXTENSIONS or path.suffix.lower() in UNREAD_EXTENSIONS


def is_no_photo_name(path: PurePath) -> bool:
    """Whether a file of this name is known to be no photo. Any other file of a class folder is tried as one."""
    return path.suffix.lower() in NO_PHOTO_EXTENSIONS or path.name.lower() in NO_PHOTO_NAMES


def is_ignored_name(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or left behind by an archiver or a network drive."""
    return name.startswith(".") or name.lower() in LEFT_BEHIND


def photo_files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every photo of a folder at any depth and the status of its file, as `walk` finds them, in no particular order.

    Only regular files; sub-folders that cannot be read are left out.

    Raises:
        EdgeretrainError: the folder itself cannot be read.
    """
    for path, status in walk(folder, skip_unreadable=True):
        if status is not None and stat.S_ISREG(status.st_mode) and is_photo_name(path):
            yield path, status


def walk(
    top: Path, *, root: Path | None = None, skip_unreadable: bool = False
) -> Iterator[tuple[Path, os.stat_result | None]]:
    """Every file of a folder at any depth, and its status.

    Ignored names are left out. Links are followed; no folder is entered twice, and never one that holds `root`.

    Args:
        root: the folder that the tree belongs to; default `top`.
        skip_unreadable: leave out sub-folders that cannot be read, such as one that is removed at this moment.

    Yields:
        the path, and the status of what it leads to: None for a link that leads nowhere.

    Raises:
        EdgeretrainError: a folder cannot be read.
    """
    entered = folder_and_above(top if root is None else root)
    if (status := file_status(top)) is not None:
        entered.add(identity(status))
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            paths = list_folder(folder)
        except EdgeretrainError:
            if skip_unreadable and folder != top:
                continue
            raise
        for path in paths:
            status = file_status(path)
            if status is None or not stat.S_ISDIR(status.st_mode):
                yield path, status
            elif identity(status) not in entered:
                entered.add(identity(status))
                waiting.append(path)


def list_folder(folder: Path) -> list[Path]:
    """The files and folders in a folder that are not ignored, sorted by name.

    Raises:
        EdgeretrainError: it cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except PermissionError as error:
        raise EdgeretrainError(f"The folder {printable(folder)} cannot be read: no permission.") from error
    except OSError as error:
        raise EdgeretrainError(
            f"The folder {printable(folder)} cannot be read ({error.strerror}). Check the path."
        ) from error
    return [folder / name for name in names if not is_ignored_name(name)]


def sub_folders(folder: Path) -> list[Path]:
    """The folders in a folder that are not ignored, sorted by name; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if not is_ignored_name(entry.name) and entry.is_dir())
    except OSError:
        return []
    return [folder / name for name in names]


def file_status(path: Path) -> os.stat_result | None:
    """The status of what a path or link leads to; None when it leads nowhere."""
    try:
        return path.stat()
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None


def identity(status: os.stat_result) -> tuple[int, int]:
    """The same for the same file or folder, whatever its path."""
    return status.st_dev, status.st_ino


def folder_and_above(folder: Path) -> set[tuple[int, int]]:
    """Identities of a folder and of all that hold it."""
    real = Path(os.path.realpath(folder))  # unlike Path.resolve, takes a link that leads to itself
    statuses = [file_status(path) for path in (real, *real.parents)]
    return {identity(status) for status in statuses if status is not None}
