"""Unpack an archive that somebody else made: files and folders inside one folder, and nothing else."""

import lzma
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

MAX_BYTES = 4 << 30
"""Of all unpacked files: the largest image modules of TensorFlow Hub have about 1 GB."""
MAX_MEMBERS = 10_000

DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError),
    *(KeyError, ValueError, RuntimeError),  # of zip files: RuntimeError for unknown compression and encryption
)
"""What Python's readers of tar and zip archives raise for one that cannot be read."""

_Kind = Literal["file", "folder", "other"]


class _Member(NamedTuple):
    name: str
    kind: _Kind
    open: Callable[[], IO[bytes] | None]


def is_archive(path: Path) -> bool:
    """Whether a file is a tar archive, compressed or not, or a zip archive."""
    try:
        return tarfile.is_tarfile(path) or zipfile.is_zipfile(path)
    except (OSError, *DAMAGED):
        return False


def unpack(archive: Path, folder: Path, what: str) -> None:
    """Unpack a tar or zip archive into a new folder. Owners, times and permissions are not taken over.

    Args:
        what: what error messages call the archive.

    Raises:
        EdgeretrainError: it is no archive, or damaged; it holds absolute paths, `..`, links or devices; it is larger
            than MAX_BYTES or holds more than MAX_MEMBERS; it cannot be written. What is in `folder` then is of no use.
    """
    left, count = MAX_BYTES, 0
    try:
        for count, member in enumerate(_members(archive), start=1):
            if count > MAX_MEMBERS:
                raise _refused(what, f"holds more than {MAX_MEMBERS:,} files")
            left -= _write(member, folder, left, what)
    except OSError as error:  # a full disk; also what gzip says of damage
        raise _refused(what, f"cannot be unpacked ({error.strerror or error})") from error
    except DAMAGED as error:
        reason = (str(error).splitlines() or ["unreadable"])[0].rstrip(":")
        raise _refused(what, f"is damaged, or no archive that can be unpacked ({reason})") from error
    if not count:
        raise _refused(what, "is an empty archive")


def _members(archive: Path) -> Iterator[_Member]:
    if zipfile.is_zipfile(archive) and not tarfile.is_tarfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                yield _Member(entry.filename, _zip_kind(entry), partial(zipped.open, entry))
        return
    with tarfile.open(archive) as tar:
        for info in tar:
            kind: _Kind = "file" if info.isreg() else "folder" if info.isdir() else "other"
            yield _Member(info.name, kind, partial(tar.extractfile, info))
        assert tar.fileobj is not None
        tar.fileobj.read(1 << 20)  # to the end: there gzip keeps its checksum


def _zip_kind(entry: zipfile.ZipInfo) -> _Kind:
    mode = stat.S_IFMT(entry.external_attr >> 16)  # 0: written by a system without Unix modes
    if entry.is_dir():
        return "folder"
    return "file" if mode in (0, stat.S_IFREG) else "other"


def _write(member: _Member, folder: Path, limit: int, what: str) -> int:
    """Write one member below `folder`; the bytes it took."""
    parts = PurePosixPath(member.name.replace("\\", "/")).parts
    if not parts:  # "./", the archive's own root
        return 0
    if parts[0].startswith("/") or ".." in parts or ":" in parts[0]:
        raise _refused(what, f"holds a path that leaves its folder: {member.name!r}")
    if member.kind == "other":
        raise _refused(what, f"holds {member.name!r}, a link or a device")
    path = folder.joinpath(*parts)
    if member.kind == "folder":
        path.mkdir(parents=True, exist_ok=True)
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    content = member.open()
    assert content is not None
    written = 0
    with closing(content), path.open("wb") as file:
        while block := content.read(1 << 20):
            written += len(block)
            if written > limit:
                raise _refused(what, f"is larger than {MAX_BYTES >> 30} GiB when unpacked")
            file.write(block)
    return written


def _refused(what: str, reason: str) -> EdgeretrainError:
    return EdgeretrainError(f"{what}: {reason}. It was not unpacked.")
