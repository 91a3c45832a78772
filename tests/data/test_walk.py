"""One walk of photo trees: every part of the program takes the same photos of a folder."""

import os
from pathlib import Path

import pytest
from support.class_photos import find_class_photos
from support.garden import encoded, put, texture

from edgeretrain.benchmark.photos import find_given
from edgeretrain.cli.classify_source import Photos, parse_sources
from edgeretrain.data.photos import find_photos
from edgeretrain.data.walk import is_ignored_name, photo_files, walk
from edgeretrain.errors import EdgeretrainError
from edgeretrain.quantization.calibration import calibration_pixels
from edgeretrain.serve.photos_store import PhotosStore
from edgeretrain.stream.folder_camera import FolderCamera
from edgeretrain.stream.watch import WatchedFolder, photos_below

SIDE = 8


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One photo that counts, and four files that do not."""
    folder = tmp_path / "tree"
    for name in ("c.jpg", ".thumbs/a.jpg", "@eaDir/b.jpg", ".hidden.jpg"):
        put(folder / name, encoded(texture("dots", 1)))
    put(folder / "notes.txt", b"no photo")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path, _ in photo_files(folder))


def test_photo_files(tree: Path) -> None:
    assert names(tree) == ["c.jpg"]


def test_find_photos(tree: Path) -> None:
    put(tree.parent / "other" / "d.jpg", encoded(texture("dots", 2)))
    assert [photo.name for photo in find_photos(tree.parent).photos] == ["other/d.jpg", "tree/c.jpg"]


def test_find_class_photos(tree: Path) -> None:
    photos, skipped = find_class_photos("moss", [tree])
    assert [photo.name for photo in photos] == ["moss/c.jpg"]
    assert not skipped


def test_photos_below(tree: Path) -> None:
    assert photos_below(tree) == [tree / "c.jpg"]


def test_classify(tree: Path) -> None:
    assert parse_sources([str(tree)], False, []) == Photos([tree / "c.jpg"])


def test_watched_folder(tree: Path) -> None:
    watched = WatchedFolder(tree, lambda photo: photo.name, scan_seconds=0.01)
    for name in (".thumbs/a.jpg", "@eaDir/b.jpg", ".hidden.jpg", "notes.txt"):
        put(tree / name, encoded(texture("dots", 3)))
    put(tree / "new" / "z.jpg", encoded(texture("dots", 3)))
    put(tree / "c.jpg", encoded(texture("dots", 4), "PNG"))
    found = iter(watched)
    assert {next(found)[1], next(found)[1]} == {"c.jpg", "z.jpg"}


def test_folder_camera(tree: Path) -> None:
    other = encoded(texture("dots", 2), "PNG")
    put(tree / "c.jpg", other)
    camera = FolderCamera(tree, fps=1000)
    first, second = camera.read(), camera.read()  # the second round begins: there is one photo
    assert (first == second).all()


def test_benchmark(tree: Path) -> None:
    assert find_given([tree]) == [tree / "c.jpg"]


def test_calibration(tree: Path) -> None:
    assert len(list(calibration_pixels(tree, SIDE))) == 1


def test_counts_of_the_page(tree: Path) -> None:
    assert PhotosStore(tree.parent, []).counts() == {"tree": 1}


@pytest.mark.parametrize("name", [".hidden", "@eaDir", "__MACOSX", "$RECYCLE.BIN", "System Volume Information"])
def test_ignored_names(name: str) -> None:
    assert is_ignored_name(name)
    assert not is_ignored_name(f"my {name}")


def test_links_are_followed_and_loops_end(tree: Path) -> None:
    outside = tree.parent / "outside"
    put(outside / "deep" / "x.png", encoded(texture("dots", 2), "PNG"))
    (outside / "deep" / "back").symlink_to(outside)
    (tree / "linked").symlink_to(outside)
    (tree / "up").symlink_to(tree.parent)  # holds the tree: never entered
    (tree / "self").symlink_to("self")
    (tree / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(tree / "pipe.jpg")
    assert names(tree) == ["c.jpg", "linked/deep/x.png"]
    found = dict(walk(tree))
    assert found[tree / "gone.jpg"] is None
    assert found[tree / "self"] is None


def test_a_folder_that_leads_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(EdgeretrainError, match=r"cannot be read \(Too many levels of symbolic links\)"):
        list(photo_files(tmp_path / "loop"))


def test_the_order_is_that_of_the_names(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.jpg", "C.jpg", "2.jpg", "10.jpg"):
        put(tmp_path / name, b"")
    assert [path.name for path, _ in walk(tmp_path)] == ["10.jpg", "2.jpg", "C.jpg", "a.jpg", "b.jpg"]


def test_a_sub_folder_that_cannot_be_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = tree / "locked"
    put(locked / "a.jpg", b"")
    real = os.scandir

    def guarded(path: Path) -> object:
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)
    assert names(tree) == ["c.jpg"]
    with pytest.raises(EdgeretrainError, match=r"locked cannot be read: no permission\."):
        list(walk(tree))
    with pytest.raises(EdgeretrainError, match=r"locked cannot be read: no permission\."):
        list(photo_files(locked))
