"""Unpack an untrusted archive: only files and folders, all of them inside one folder.

Not tarfile's own extraction, which is safe only with a filter that early Python 3.10 and 3.11 lack.
"""

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Literal, NamedTuple

from edgeretrain.errors import EdgeretrainError
from edgeretrain.progress import Progress, silent

MAX_BYTES = 4 << 30
"""Of all unpacked files: the largest image modules of TensorFlow Hub have about 1 GB."""
MAX_MEMBERS = 10_000

DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError),
    *(KeyError, ValueError, RuntimeError),  # of zip files: RuntimeError for unknown compression and encryption
)
"""What Python's readers of tar and zip archives raise for one that cannot be read."""

_Kind = Literal["file", "folder", "other"]


class _Member(NamedTuple):
    name: str
    kind: _Kind
    size: int  # bytes; more are not read, whatever the archive holds
    open: Callable[[], IO[bytes] | None]


def is_archive(path: Path) -> bool:
    """Whether a file is a tar archive, compressed or not, or a zip archive."""
    try:
        return tarfile.is_tarfile(path) or zipfile.is_zipfile(path)
    except (OSError, *DAMAGED):
        return False


def unpack(
    archive: Path,
    folder: Path,
    what: str,
    *,
    keep: Callable[[PurePosixPath], PurePosixPath | None] = lambda path: path,
    max_bytes: int = MAX_BYTES,
    hint: str = "",
    step: str = "",
    progress: Progress = silent,
) -> None:
    """Unpack a tar or zip archive into a folder. Owners, times and permissions are not taken over.

    Args:
        what: what error messages call the archive.
        keep: maps a file's or folder's path in the archive to its path below `folder`; None: it is left out.
        max_bytes: of all files in the archive, unpacked.
        hint: ends the error message: what to do next.
        step: name of the step for `progress`, which counts bytes of the archive.

    Raises:
        EdgeretrainError: it is not an archive, or damaged; it holds absolute paths, `..`, links or devices; it is
            larger than `max_bytes` or holds more than MAX_MEMBERS; it cannot be written. `folder` may then hold a part
            of it.
    """

    def refused(reason: str) -> EdgeretrainError:
        return EdgeretrainError(" ".join(f"{what}: {reason}. It was not unpacked. {hint}".split()))

    left, count, done = max_bytes, 0, 0
    try:
        size = archive.stat().st_size
        with archive.open("rb") as file:
            for count, member in enumerate(_members(file), start=1):
                if count > MAX_MEMBERS:
                    raise refused(f"holds more than {MAX_MEMBERS:,} files")
                path, reason = _checked(member)
                if reason:
                    raise refused(reason)
                left -= member.size
                if left < 0:
                    raise refused(f"is larger than {max_bytes / (1 << 30):.2g} GiB when unpacked")
                if (target := keep(path)) is not None:
                    _write(member, folder.joinpath(*target.parts))
                if done < (position := file.tell()) < size:
                    done = position
                    progress(step, done, size)
        progress(step, size, size)
    except DAMAGED as error:
        reason = (str(error).splitlines() or ["unreadable"])[0].rstrip(":")
        raise refused(f"is damaged, or no archive that can be unpacked ({reason})") from error
    except OSError as error:  # a full disk; also what bz2 says of damage
        raise refused(f"cannot be unpacked ({error.strerror or error})") from error
    if not count:
        raise refused("is an empty archive")


def _members(archive: IO[bytes]) -> Iterator[_Member]:
    is_zip = zipfile.is_zipfile(archive)
    archive.seek(0)
    if is_zip and not _is_tar(archive):
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                yield _Member(entry.filename, _zip_kind(entry), entry.file_size, partial(zipped.open, entry))
        return
    with tarfile.open(fileobj=archive) as tar:
        for info in tar:
            kind: _Kind = "file" if info.isreg() else "folder" if info.isdir() else "other"
            yield _Member(info.name, kind, info.size if info.isreg() else 0, partial(tar.extractfile, info))
        assert tar.fileobj is not None
        while tar.fileobj.read(1 << 20):  # to the end: there gzip keeps its checksum
            pass


def _is_tar(archive: IO[bytes]) -> bool:
    is_tar = tarfile.is_tarfile(archive)
    archive.seek(0)
    return is_tar


def _zip_kind(entry: zipfile.ZipInfo) -> _Kind:
    mode = stat.S_IFMT(entry.external_attr >> 16)  # 0: written by a system without Unix modes
    if entry.is_dir():
        return "folder"
    return "file" if mode in (0, stat.S_IFREG) else "other"


def _checked(member: _Member) -> tuple[PurePosixPath, str]:
    """Where a member goes, and why it goes nowhere, or ""."""
    path = PurePosixPath(member.name.replace("\\", "/"))
    # A colon: on Windows C:name is a file of drive C, wherever in a path it stands.
    if path.is_absolute() or ".." in path.parts or any(mark in member.name for mark in ":\0"):
        return path, f"holds a path that leaves its folder: {member.name!r}"
    return path, f"holds {member.name!r}, a link or a device" if member.kind == "other" else ""


def _write(member: _Member, target: Path) -> None:
    if member.kind == "folder":
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    content = member.open()
    assert content is not None
    with closing(content), target.open("wb") as file:
        shutil.copyfileobj(content, file, 1 << 20)
