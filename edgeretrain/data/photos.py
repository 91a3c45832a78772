"""A folder of class folders: find the photos, check them, label them."""

import hashlib
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgeretrain.data.class_names import check_labels
from edgeretrain.data.jpeg_end import lacks_end_marker
from edgeretrain.data.photo_formats import UNSUPPORTED, looks_like_photo
from edgeretrain.data.pixels import check_header
from edgeretrain.data.walk import (
    file_status,
    folder_and_above,
    identity,
    is_no_photo_name,
    is_photo_name,
    list_folder,
    walk,
)
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto
from edgeretrain.files.describe import open_failure, printable
from edgeretrain.files.foreign import HEAD_BYTES
from edgeretrain.progress import Progress, silent

FEW_PHOTOS = 20
"""Below this many photos a class is warned about, as retrain.py does."""


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A file that may be a photo; it has not been opened yet.

    Attributes:
        name: path below the photos folder with slashes, such as `daisy/a.jpg`; always valid UTF-8.
        label: the name of its class folder.
    """

    path: Path
    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo whose header can be read.

    Attributes:
        name: path below the photos folder with slashes, such as `daisy/a.jpg`; always valid UTF-8.
        label: the name of its class folder.
        digest: SHA-256 of the file's bytes, hexadecimal.
        lacks_end: it is a JPEG without its end marker.
    """

    path: Path
    name: str
    label: str
    digest: str
    lacks_end: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A photo that is not used, and the reason; `name` as in `Photo`."""

    name: str
    reason: str


@dataclass(frozen=True)
class PhotoSet:
    """The photos of a folder.

    Attributes:
        labels: class folder names, sorted, exactly as they are; each has at least one photo.
        photos: sorted by name.
        skipped: sorted by name.
        warnings: one line each.
    """

    labels: tuple[str, ...]
    photos: tuple[Photo, ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the photos' names and contents, hexadecimal: the same for the same photos only."""
        lines = "".join(f"{photo.digest} {photo.name}\n" for photo in self.photos)
        return hashlib.sha256(lines.encode()).hexdigest()

    def without(self, skipped: Iterable[Skipped], *, strict: bool = False) -> "PhotoSet":
        """The same set without the photos that turned out unreadable when they were decoded.

        Raises:
            EdgeretrainError: a class has no photos left; or strict, and a photo was skipped.
        """
        more = {entry.name: entry for entry in skipped}
        all_skipped = sorted_skipped({*self.skipped, *more.values()})
        photos = tuple(photo for photo in self.photos if photo.name not in more)
        check_readable(self.labels, photos, all_skipped, strict)
        outdated = set(photo_warnings(self.labels, self.photos))
        kept = [warning for warning in self.warnings if warning not in outdated]
        return PhotoSet(self.labels, photos, all_skipped, (*kept, *photo_warnings(self.labels, photos)))


@dataclass(frozen=True)
class PhotoFolder:
    """The files of a folder of class folders.

    Attributes:
        labels: class folder names, sorted, exactly as they are; each holds at least one file.
        files: sorted by name.
        loose: photos beside the class folders, which belong to no class.
        others: files in the class folders that are no photos, counted by their ending.
    """

    labels: tuple[str, ...]
    files: tuple[PhotoFile, ...]
    loose: int
    others: tuple[tuple[str, int], ...] = ()

    def photo_set(self, photos: Iterable[Photo], skipped: Iterable[Skipped], *, strict: bool = False) -> "PhotoSet":
        """The set of those photos that could be read.

        Args:
            strict: a photo that was skipped is an error.

        Raises:
            EdgeretrainError: a class has no photo that can be read; or strict, and a photo was skipped.
        """
        in_order, left_out = sorted_photos(photos), sorted_skipped(skipped)
        check_readable(self.labels, in_order, left_out, strict)
        warnings = [f"Photos outside the class folders, not used: {self.loose}."] if self.loose else []
        if self.others:
            count = sum(count for _, count in self.others)
            warnings.append(f"Files that are no photos, not used: {count} ({_counts(self.others)}).")
        warnings += self._unsupported(left_out)
        return PhotoSet(self.labels, in_order, left_out, (*warnings, *photo_warnings(self.labels, in_order)))

    def _unsupported(self, skipped: Sequence[Skipped]) -> list[str]:
        """One line for each class and format that is not read, with the way out."""
        label_of = {file.name: file.label for file in self.files}
        sizes = Counter(label_of.values())
        counts = Counter(
            (label_of[entry.name], entry.reason)
            for entry in skipped
            if entry.reason in UNSUPPORTED and entry.name in label_of
        )
        return [
            f"Class {label!r}: {count} of its {sizes[label]} files cannot be used. Each is {reason}."
            for (label, reason), count in sorted(counts.items())
        ]


def sorted_photos(photos: Iterable[Photo]) -> tuple[Photo, ...]:
    """By name, then by path: names that are not valid UTF-8 may look the same."""
    return tuple(sorted(photos, key=lambda photo: (photo.name, str(photo.path))))


def sorted_skipped(skipped: Iterable[Skipped]) -> tuple[Skipped, ...]:
    """By name."""
    return tuple(sorted(skipped, key=lambda entry: entry.name))


def list_photos(folder: str | os.PathLike[str], *, least: int = 2) -> PhotoFolder:
    """List the photos of a folder that has one sub-folder for each class. Opens no photo.

    Files deeper inside a class folder belong to that class. Every file that is not ignored (see `walk.py`) may be a
    photo, whatever its name; only of files that are called like a text, a video or the like, the first bytes are read.

    Args:
        least: how many classes there must be. 1: it is a part of a data set, where empty class folders do not count.

    Raises:
        EdgeretrainError: no such folder; no class folders, or only one; class names that collide or that labels.txt
            cannot hold; a class without photos; a folder that cannot be read.
    """
    root = Path(folder)
    labels, loose = _class_folders(root, least)
    files: list[PhotoFile] = []
    empty: list[str] = []
    all_others: Counter[str] = Counter()
    for label in labels:
        paths, others = _files_in(root / label, root)
        all_others += others
        if not paths:
            empty.append(_nothing_in(label, others))
        files += [PhotoFile(path, printable(path.relative_to(root).as_posix()), label) for path in paths]
    if empty and least == 1 and files:
        there = {file.label for file in files}
        labels, empty = tuple(label for label in labels if label in there), []
    if empty:
        raise EdgeretrainError(f"{printable(root)}: {' '.join(empty)} Add photos, or remove the folder.")
    files.sort(key=lambda file: (file.name, str(file.path)))
    return PhotoFolder(labels, tuple(files), loose, _most_first(all_others))


def _files_in(folder: Path, root: Path | None = None) -> tuple[list[Path], Counter[str]]:
    """The files of a class that may be photos, and how many others there are, by their ending."""
    paths: list[Path] = []
    others: Counter[str] = Counter()
    for path, status in walk(folder, root=root):
        if is_no_photo_name(path) and not _begins_as_photo(path, status):
            others[path.suffix.lower() or path.name.lower()] += 1
        else:
            paths.append(path)
    return paths, others


def _begins_as_photo(path: Path, status: os.stat_result | None) -> bool:
    if status is None or not stat.S_ISREG(status.st_mode):
        return False
    try:
        with path.open("rb") as file:
            return looks_like_photo(file.read(HEAD_BYTES))
    except OSError:
        return False


def find_photos(folder: str | os.PathLike[str], *, strict: bool = False, progress: Progress = silent) -> PhotoSet:
    """List the photos of a folder (see `list_photos`) and read each once, for its digest and to check its header.

    Nothing is decoded, so damage further inside does not show (see `PhotoSet.without`). Memory holds one name and
    digest per photo.

    Args:
        strict: a photo that would be skipped is an error.

    Raises:
        EdgeretrainError: see `list_photos`; a class without readable photos.
    """
    listing = list_photos(folder)
    photos, skipped = read_all(listing.files, progress)
    return listing.photo_set(photos, skipped, strict=strict)


def list_class_photos(label: str, sources: Sequence[Path]) -> list[PhotoFile]:
    """The photos of one class, from several places. Opens no photo.

    Args:
        sources: folders, searched at any depth as in `list_photos`, and photos.

    Returns:
        the photos, each named `label/` and the path below its folder, or its own name. Names may repeat when there are
        several sources.

    Raises:
        EdgeretrainError: there is no such folder or photo, or a folder holds no photos.
    """
    files: list[PhotoFile] = []
    for source in sources:
        status = file_status(source)
        if status is None:
            raise EdgeretrainError(f"There is no photo or folder {printable(source)}. Check the path.")
        if not stat.S_ISDIR(status.st_mode):
            files.append(PhotoFile(source, printable(f"{label}/{source.name}"), label))
            continue
        paths, _ = _files_in(source)
        if not paths:
            raise EdgeretrainError(
                f"{printable(source)}: this folder has no JPEG, PNG, WebP, BMP, GIF or TIFF photos. Check the path."
            )
        names = [printable(f"{label}/{path.relative_to(source).as_posix()}") for path in paths]
        files += [PhotoFile(path, name, label) for path, name in zip(paths, names, strict=True)]
    return files


def read_all(files: Sequence[PhotoFile], progress: Progress) -> tuple[list[Photo], list[Skipped]]:
    """Read each file once, for its digest and to check its header: the photos, and what cannot be used."""
    photos: list[Photo] = []
    skipped: list[Skipped] = []
    for done, file in enumerate(files, start=1):
        try:
            photos.append(read_photo(file)[0])
        except UnreadablePhoto as error:
            skipped.append(Skipped(file.name, error.reason))
        progress("Checking photos", done, len(files))
    return photos, skipped


def read_photo(file: PhotoFile) -> tuple[Photo, bytes]:
    """Open a photo once: check its header, read its bytes, compute their SHA-256.

    Raises:
        UnreadablePhoto: there is no such file, it cannot be read, or its header is damaged.
    """
    path, name = file.path, file.name
    status = file_status(path)
    if status is None:
        raise UnreadablePhoto(name, "a link that leads nowhere" if path.is_symlink() else "no such file")
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would block
        raise UnreadablePhoto(name, "not a regular file")
    try:
        with path.open("rb") as opened:
            check_header(opened, name)  # first: a large file that is not a photo need not fit into memory
            opened.seek(0)
            content = opened.read()
    except OSError as error:
        raise UnreadablePhoto(name, open_failure(error)) from error
    digest = hashlib.sha256(content).hexdigest()
    return Photo(path, name, file.label, digest, lacks_end_marker(content)), content


def read_again(photo: Photo) -> bytes:
    """The bytes of a photo that was read before.

    Raises:
        UnreadablePhoto: it can no longer be read.
        EdgeretrainError: its content has changed.
    """
    current, content = read_photo(PhotoFile(photo.path, photo.name, photo.label))
    if current.digest != photo.digest:
        raise photo_changed(photo.path)
    return content


def photo_changed(photo: Path | str) -> EdgeretrainError:
    """The error for a photo, given by path or name, that is not the one that was read at the start of the run."""
    return EdgeretrainError(f"{photo}: this photo changed while edgeretrain was running. Run it again.")


def _class_folders(root: Path, least: int) -> tuple[tuple[str, ...], int]:
    """The labels, and how many photos lie beside the class folders."""
    shown = printable(root)
    status = file_status(root)
    if status is None:
        raise EdgeretrainError(f"There is no folder {shown}. Check the path.")
    if not stat.S_ISDIR(status.st_mode):
        raise EdgeretrainError(f"{shown} is a file. Give the folder that holds a sub-folder of photos for each class.")
    above = folder_and_above(root)
    folders: list[Path] = []
    loose = 0
    for path in list_folder(root):
        status = file_status(path)
        if status is not None and stat.S_ISDIR(status.st_mode):
            if identity(status) not in above:
                folders.append(path)
        elif is_photo_name(path):
            loose += 1
    if not folders:
        problem = f"{shown} has photos ({loose}) but no sub-folders" if loose else f"{shown} has no sub-folders"
        raise EdgeretrainError(f"{problem}. Put the photos of each class into a sub-folder named like the class.")
    if len(folders) < least:
        only = folders[0]
        statuses = map(file_status, list_folder(only))
        inside = sum(status is not None and stat.S_ISDIR(status.st_mode) for status in statuses)
        hint = (
            f"It holds {inside} folders itself: if these are the classes, give {printable(only)}."
            if inside > 1
            else "Put the photos of each class into a sub-folder of its own."
        )
        raise EdgeretrainError(
            f"{shown} has one class folder only, {printable(only.name)!r}; a classifier needs two or more. {hint}"
        )
    labels = tuple(sorted(path.name for path in folders))
    check_labels(labels, shown)
    return labels, loose


def _nothing_in(label: str, others: Counter[str]) -> str:
    if not others:
        return f"The class folder {label!r} is empty."
    return f"The class folder {label!r} has no photos, only other files ({_counts(_most_first(others))})."


def _most_first(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {printable(kind)}" for kind, count in counts)


def check_readable(labels: Iterable[str], photos: Iterable[Photo], skipped: Sequence[Skipped], strict: bool) -> None:
    first = "; ".join(f"{entry.name}: {entry.reason}" for entry in skipped[:3])
    more = f"; and {len(skipped) - 3} more" if len(skipped) > 3 else ""
    if strict and skipped:
        photos_are = "photo is" if len(skipped) == 1 else "photos are"
        raise EdgeretrainError(f"{len(skipped)} {photos_are} unreadable ({first}{more}). Replace or remove them.")
    counts = Counter(photo.label for photo in photos)
    if not counts:
        raise EdgeretrainError(f"None of the {len(skipped)} photos can be read ({first}{more}). Check the folder.")
    for label in labels:
        if not counts[label]:
            own = [entry for entry in skipped if f"/{label}/" in f"/{entry.name}"]
            raise EdgeretrainError(
                f"The class {label!r} has no photo that can be read: all {len(own)} were skipped "
                f"({own[0].name}: {own[0].reason}). Replace them, or remove the folder."
            )


def photo_warnings(labels: Iterable[str], photos: Sequence[Photo]) -> list[str]:
    """What is doubtful about the photos of a set, a line each."""
    same: defaultdict[str, list[Photo]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for photo in photos:
        same[photo.digest].append(photo)
        counts[photo.label] += 1
    copies: Counter[str] = Counter()
    warnings = []
    for twins in same.values():
        own = Counter(photo.label for photo in twins)
        copies.update({label: count - 1 for label, count in own.items()})
        if len(own) > 1:
            names = ", ".join(photo.name for photo in twins)
            warnings.append(f"The same photo is in {len(own)} classes: {names}. It can belong to only one of them.")
    unended = [photo.name for photo in photos if photo.lacks_end]
    if unended:
        some = ", ".join(unended[:3]) + (", ..." if len(unended) > 3 else "")
        warnings.append(f"JPEGs that lack their end marker, used all the same: {len(unended)} ({some}).")
    for label in labels:
        if copies[label]:
            warnings.append(f"Class {label!r} contains exact copies of its own photos: {copies[label]}.")
        if counts[label] < FEW_PHOTOS:
            warnings.append(
                f"Class {label!r} has fewer than {FEW_PHOTOS} photos ({counts[label]}). Add more for a reliable model."
            )
    return warnings
