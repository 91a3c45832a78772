"""Photos of a folder, and those that appear in it: also while they are still being written."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.garden import encoded, put, texture

from edgeretrain.data.pixels import load_pixels
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto
from edgeretrain.stream.watch import WatchedFolder, photos_below

PHOTO = encoded(texture("dots", 1))
OTHER = encoded(texture("dots", 2), "PNG")


def watched(
    folder: Path,
    count: int,
    change: Callable[[], object],
    *,
    patience: float = 5.0,
    read: Callable[[Path], object] | None = None,
) -> list[tuple[str, str]]:
    """Names and outcomes of the first photos that a watched folder gives after a change."""
    watch = WatchedFolder(folder, read or (lambda path: load_pixels(path, 8)), scan_seconds=0.01, patience=patience)
    change()
    seen = []
    for path, answer in watch:
        told = answer.reason if isinstance(answer, UnreadablePhoto) else "read"
        seen.append((path.relative_to(folder).as_posix(), told))
        if len(seen) == count:
            break
    return seen


def test_photos_below(tmp_path: Path) -> None:
    for name in ("b.jpg", "a/z.PNG", "a/deep/er/y.webp", "c.TIFF"):
        put(tmp_path / name, PHOTO)
    for name in (".hidden.jpg", ".git/a.jpg", "__MACOSX/a.jpg", "@eaDir/a.jpg", "notes.txt", "a/labels.csv"):
        put(tmp_path / name, PHOTO)
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    names = [path.relative_to(tmp_path).as_posix() for path in photos_below(tmp_path)]
    assert names == ["a/deep/er/y.webp", "a/z.PNG", "b.jpg", "c.TIFF"]


def test_a_folder_without_photos(tmp_path: Path) -> None:
    put(tmp_path / "readme.txt", b"")
    with pytest.raises(EdgeretrainError, match=r"there are no photos in this folder .* --watch"):
        photos_below(tmp_path)
    with pytest.raises(EdgeretrainError, match=r"cannot be read \(No such file or directory\)"):
        photos_below(tmp_path / "none")
    with pytest.raises(EdgeretrainError, match=r"cannot be read \(Not a directory\)"):
        photos_below(tmp_path / "readme.txt")


def test_new_photos_only(tmp_path: Path) -> None:
    put(tmp_path / "old.jpg", PHOTO)

    def change() -> None:
        put(tmp_path / "new.jpg", PHOTO)
        put(tmp_path / "sub" / "new.png", OTHER)
        put(tmp_path / "new.txt", PHOTO)

    assert sorted(watched(tmp_path, 2, change)) == [("new.jpg", "read"), ("sub/new.png", "read")]


def test_they_come_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    def change() -> None:
        for index, name in enumerate("cab"):
            os.utime(put(tmp_path / f"{name}.jpg", PHOTO), (1000 + index, 1000 + index))

    assert [name for name, _ in watched(tmp_path, 3, change)] == ["c.jpg", "a.jpg", "b.jpg"]


def test_a_photo_that_is_still_being_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "slow.png"

    def write() -> None:
        with path.open("wb", buffering=0) as file:
            for start in range(0, len(OTHER), len(OTHER) // 10):
                file.write(OTHER[start : start + len(OTHER) // 10])
                time.sleep(0.03)  # longer than between two looks: it stands still now and then

    writer = threading.Thread(target=write)
    assert watched(tmp_path, 1, writer.start) == [("slow.png", "read")]
    writer.join()


def test_a_photo_that_stays_unreadable_is_told_after_a_while(tmp_path: Path) -> None:
    def change() -> None:
        put(tmp_path / "cut.png", OTHER[: len(OTHER) // 2])
        put(tmp_path / "empty.jpg", b"")
        put(tmp_path / "good.jpg", PHOTO)

    seen = watched(tmp_path, 3, change, patience=0.2)
    assert seen[0] == ("good.jpg", "read")  # not held up by the others
    assert sorted(seen[1:]) == [("cut.png", "truncated or damaged file"), ("empty.jpg", "empty file")]


def test_it_is_told_once_and_read_when_it_is_finished_after_all(tmp_path: Path) -> None:
    path = put(tmp_path / "x.jpg", PHOTO)
    watch = WatchedFolder(tmp_path, lambda path: load_pixels(path, 8), scan_seconds=0.01, patience=0.05)
    path.write_bytes(OTHER[:500])
    answers = iter(watch)
    assert isinstance(next(answers)[1], UnreadablePhoto)
    path.write_bytes(OTHER)
    assert not isinstance(next(answers)[1], UnreadablePhoto)


def test_atomic_renames_and_replacements(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    folder = tmp_path / "folder"
    put(folder / "known.jpg", PHOTO)
    put(folder / ".half.jpg", PHOTO)

    def change() -> None:
        put(outside / "a.jpg", PHOTO).rename(folder / "moved-in.jpg")
        put(outside / "b.jpg", PHOTO).replace(folder / "known.jpg")
        (folder / ".half.jpg").rename(folder / "whole.jpg")

    names = {"moved-in.jpg", "known.jpg", "whole.jpg"}
    assert {name for name, told in watched(folder, 3, change) if told == "read"} == names


def test_removed_photos_are_forgotten(tmp_path: Path) -> None:
    """Also one that vanishes between the look and the reading."""
    put(tmp_path / "sub" / "old.jpg", PHOTO)

    def read(path: Path) -> object:
        if path.name == "fleeting.jpg":
            path.unlink(missing_ok=True)
        return load_pixels(path, 8)

    def change() -> None:
        put(tmp_path / "fleeting.jpg", PHOTO)
        put(tmp_path / "stays.jpg", PHOTO)
        (tmp_path / "sub" / "old.jpg").unlink()
        (tmp_path / "sub").rmdir()

    assert watched(tmp_path, 1, change, read=read) == [("stays.jpg", "read")]

    watch = WatchedFolder(tmp_path, lambda path: load_pixels(path, 8), scan_seconds=0.01)
    stamp = (tmp_path / "stays.jpg").stat()
    answers = iter(watch)
    (tmp_path / "stays.jpg").unlink()
    put(tmp_path / "one.jpg", PHOTO)
    assert next(answers)[0].name == "one.jpg"
    put(tmp_path / "stays.jpg", PHOTO)  # the same again, even to its time
    os.utime(tmp_path / "stays.jpg", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert next(answers)[0].name == "stays.jpg"


def test_the_folder_itself_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(EdgeretrainError, match=r"The folder .*folder cannot be read"):
        watched(folder, 1, folder.rmdir)
    with pytest.raises(EdgeretrainError, match="cannot be read"):
        WatchedFolder(folder, load_pixels)  # type: ignore[arg-type]


def test_stop(tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    assert list(WatchedFolder(tmp_path, str, stop=stop)) == []
    stop.clear()
    watch = WatchedFolder(tmp_path, str, stop=stop, scan_seconds=0.01)
    for name in "ab":
        put(tmp_path / f"{name}.jpg", PHOTO)
    for _ in watch:
        stop.set()
    assert stop.is_set()


def test_other_errors_go_through(tmp_path: Path) -> None:
    def read(_: Path) -> object:
        raise EdgeretrainError("closed.")

    with pytest.raises(EdgeretrainError, match="closed"):
        watched(tmp_path, 1, lambda: put(tmp_path / "a.jpg", PHOTO), read=read)
