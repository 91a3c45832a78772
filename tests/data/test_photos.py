"""Folders of users' mess."""

import hashlib
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from support.class_photos import find_class_photos
from support.garden import jpeg, put

from edgeretrain.data import photos as photos_module
from edgeretrain.data.photos import Photo, PhotoSet, Skipped, find_photos
from edgeretrain.data.split import split_photos
from edgeretrain.errors import EdgeretrainError

needs_links = pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")


def names(photo_set: PhotoSet) -> list[str]:
    return [photo.name for photo in photo_set.photos]


def refusal(folder: Path, **options: bool) -> str:
    with pytest.raises(EdgeretrainError) as caught:
        find_photos(folder, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# Finding


def test_finds_labels_and_digests(garden: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    found = find_photos(garden, progress=lambda *step: seen.append(step))
    assert found.labels == ("rose", "tulip")
    assert len(found.photos) == 50
    assert found.skipped == found.warnings == ()
    first = found.photos[0]
    assert first == Photo(garden / "rose" / "r00.jpg", "rose/r00.jpg", "rose", hashlib.sha256(jpeg(0)).hexdigest())
    assert names(found) == sorted(names(found))
    assert seen[-1] == ("Checking photos", 50, 50)
    assert find_photos(str(garden)) == found


def test_users_mess(garden: Path) -> None:
    put(garden / "rose" / "IMG 0001.JPG", jpeg(200))
    put(garden / "rose" / "deep" / "er" / "Größe № 5 🌹.JPEG", jpeg(201))
    put(garden / "rose" / "a.jpg" / "folder called photo.png", jpeg(202, "PNG"))
    for extension, image_format in (
        ("webp", "WEBP"),
        ("bmp", "BMP"),
        ("GIF", "GIF"),
        ("tif", "TIFF"),
        ("TiFF", "TIFF"),
    ):
        put(garden / "tulip" / f"x.{extension}", jpeg(203 + len(extension), image_format))
    for ignored in (
        "rose/.hidden.jpg",
        "rose/.cache/a.jpg",
        "rose/._r00.jpg",
        "rose/__MACOSX/a.jpg",
        "rose/@eaDir/a.jpg",
        "__MACOSX/rose/a.jpg",
        ".git/a.jpg",
        "README.txt",
    ):
        put(garden / ignored, jpeg(300))
    for other in ("rose/Thumbs.db", "rose/desktop.ini", "rose/notes.txt", "tulip/README", "tulip/notes.txt"):
        put(garden / other, b"no photo")
    found = find_photos(garden)
    assert found.labels == ("rose", "tulip")
    assert set(names(found)) - {f"{c}/{c[0]}{n:02d}.jpg" for c in ("rose", "tulip") for n in range(25)} == {
        "rose/IMG 0001.JPG",
        "rose/deep/er/Größe № 5 🌹.JPEG",
        "rose/a.jpg/folder called photo.png",
        *(f"tulip/x.{extension}" for extension in ("webp", "bmp", "GIF", "tif", "TiFF")),
    }
    assert {photo.label for photo in found.photos if photo.name.startswith("rose/")} == {"rose"}
    assert not found.skipped
    assert found.warnings == ("Files that are no photos, not used: 5 (2 .txt, 1 .db, 1 .ini, 1 readme).",)


def test_labels_are_the_folder_names_exactly(garden: Path) -> None:
    (garden / "rose").rename(garden / "Rosé & friends, 2. Wahl")
    assert find_photos(garden).labels == ("Rosé & friends, 2. Wahl", "tulip")


@needs_links
def test_links_are_followed_but_never_in_a_circle(garden: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "far.jpg", jpeg(400))
    (garden / "lily").symlink_to(tmp_path / "elsewhere")
    (garden / "rose" / "link.jpg").symlink_to(tmp_path / "elsewhere" / "far.jpg")
    (garden / "rose" / "self").symlink_to(garden / "rose")
    (garden / "rose" / "up").symlink_to("..")
    (garden / "rose" / "root").symlink_to("/")
    (garden / "again").symlink_to(garden)
    (garden / "tulip" / "once").mkdir()
    put(garden / "tulip" / "once" / "z.jpg", jpeg(401))
    (garden / "tulip" / "twice").symlink_to(garden / "tulip" / "once")
    (garden / "tulip" / "loop").symlink_to("loop")
    found = find_photos(garden)
    assert found.labels == ("lily", "rose", "tulip")
    assert Counter(photo.label for photo in found.photos) == {"lily": 1, "rose": 26, "tulip": 26}
    assert (
        "The same photo is in 2 classes: lily/far.jpg, rose/link.jpg. It can belong to only one of them."
        in found.warnings
    )


@needs_links
def test_what_is_no_file_is_skipped(garden: Path) -> None:
    (garden / "rose" / "gone.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(garden / "rose" / "pipe.jpg")
    assert find_photos(garden).skipped == (
        Skipped("rose/gone.jpg", "a link that leads nowhere"),
        Skipped("rose/pipe.jpg", "not a regular file"),
    )


def test_name_that_is_not_utf8(garden: Path) -> None:
    try:
        with open(os.fsencode(garden / "rose") + b"/caf\xe9.jpg", "wb") as file:  # noqa: PTH123
            file.write(jpeg(500))
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    found = find_photos(garden)
    assert "rose/caf\\xe9.jpg" in names(found)
    json.dumps(names(found), ensure_ascii=False).encode("utf-8")
    odd = next(photo for photo in found.photos if "caf" in photo.name)
    assert odd.path.read_bytes() == jpeg(500)
    assert odd in sum(vars(split_photos(found)).values(), ())


def test_unreadable_photos_are_skipped_with_a_reason(garden: Path) -> None:
    put(garden / "rose" / "empty.jpg", b"")
    put(garden / "rose" / "page.png", b"<html>")
    put(garden / "tulip" / "head.jpg", jpeg(0)[:20])
    found = find_photos(garden)
    assert found.skipped == (
        Skipped("rose/empty.jpg", "empty file"),
        Skipped("rose/page.png", "a web page, not a photo. Download the file itself"),
        Skipped("tulip/head.jpg", "truncated or damaged file"),
    )
    assert len(found.photos) == 50
    message = refusal(garden, strict=True)
    assert message.startswith("3 photos are unreadable (rose/empty.jpg: empty file; rose/page.png: a web")


def test_strict_names_the_first_few_only(garden: Path) -> None:
    for number in range(9):
        put(garden / "rose" / f"empty{number}.jpg", b"")
    assert "rose/empty2.jpg: empty file; and 6 more)" in refusal(garden, strict=True)


def test_a_photo_that_may_not_be_read(garden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def guarded(self: Path, *args: object, **options: object) -> object:
        if self.name == "r03.jpg":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", guarded)
    assert find_photos(garden).skipped == (Skipped("rose/r03.jpg", "no permission to read it"),)


# Warnings


def test_copies_and_small_classes_are_warned_about(garden: Path) -> None:
    put(garden / "tulip" / "same.jpg", jpeg(3))
    put(garden / "rose" / "again1.jpg", jpeg(4))
    put(garden / "rose" / "again2.jpg", jpeg(4))
    for number in range(19):
        put(garden / "daisy" / f"{number}.jpg", jpeg(600 + number))
    put(garden / "loose.jpg", jpeg(700))
    assert find_photos(garden).warnings == (
        "Photos outside the class folders, not used: 1.",
        "The same photo is in 2 classes: rose/r03.jpg, tulip/same.jpg. It can belong to only one of them.",
        "Class 'daisy' has fewer than 20 photos (19). Add more for a reliable model.",
        "Class 'rose' contains exact copies of its own photos: 2.",
    )


def test_without_checks_the_classes_again(garden: Path) -> None:
    put(garden / "loose.jpg", jpeg(700))
    put(garden / "tulip" / "zero.jpg", b"")
    found = find_photos(garden)
    gone = [Skipped(f"rose/r{number:02d}.jpg", "truncated or damaged file") for number in range(6)]
    fewer = found.without(gone)
    assert len(fewer.photos) == 44
    assert fewer.skipped == (*gone, Skipped("tulip/zero.jpg", "empty file"))
    assert fewer.warnings == (
        "Photos outside the class folders, not used: 1.",
        "Class 'rose' has fewer than 20 photos (19). Add more for a reliable model.",
    )
    assert found.without([]) == found
    assert fewer.without(gone) == fewer
    with pytest.raises(EdgeretrainError, match=r"^7 photos are unreadable \(rose/r00.jpg: trunc"):
        found.without(gone, strict=True)
    whole_class = [Skipped(photo.name, "empty file") for photo in found.photos if photo.label == "rose"]
    with pytest.raises(EdgeretrainError, match=r"^The class 'rose' has no photo that can be read: all 25 were skipped"):
        found.without(whole_class)


# Refusals


def test_no_folder_and_a_file(garden: Path) -> None:
    assert refusal(garden / "nowhere") == f"There is no folder {garden / 'nowhere'}. Check the path."
    file = put(garden / "file.jpg", jpeg(1))
    assert refusal(file).startswith(f"{file} is a file. Give the folder")


def test_no_class_folders(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith(f"{tmp_path} has no sub-folders. Put the photos of each class into")
    for number in range(3):
        put(tmp_path / f"{number}.JPG", jpeg(number))
    assert refusal(tmp_path).startswith(f"{tmp_path} has photos (3) but no sub-folders. Put the photos")


def test_one_class_and_a_folder_too_high(garden: Path) -> None:
    message = refusal(garden.parent)
    assert f"{garden.parent} has one class folder only, 'garden'; a classifier needs two or more." in message
    assert message.endswith(f"It holds 2 folders itself: if these are the classes, give {garden}.")
    shutil.rmtree(garden / "tulip")
    assert refusal(garden).endswith("needs two or more. Put the photos of each class into a sub-folder of its own.")


def test_class_folders_without_photos(garden: Path) -> None:
    (garden / "lily").mkdir()
    put(garden / "moss" / "a.TXT", b"x")
    put(garden / "moss" / "b.txt", b"x")
    put(garden / "moss" / "readme", b"x")
    message = refusal(garden)
    assert "The class folder 'lily' is empty." in message
    assert "The class folder 'moss' has no photos, only other files (2 .txt, 1 readme)." in message


def test_class_without_readable_photos(garden: Path) -> None:
    put(garden / "lily" / "a.jpg", b"")
    put(garden / "lily" / "b.jpg", b"")
    assert refusal(garden).startswith(
        "The class 'lily' has no photo that can be read: all 2 were skipped (lily/a.jpg: empty file)."
    )


def test_all_unreadable(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"):
        put(tmp_path / name, b"")
    assert refusal(tmp_path).startswith(
        "None of the 4 photos can be read (a/1.jpg: empty file; a/2.jpg: empty file; b/1.jpg: empty file; and 1 more)."
    )


@pytest.mark.parametrize(
    "twin",
    ["Rose", "ROSE", "cafe\u0301", "CAF\u00c9", "ｶﾞstrasse"],
)
def test_class_names_that_collide(garden: Path, twin: str) -> None:
    original = {"cafe\u0301": "caf\u00e9", "CAF\u00c9": "cafe\u0301", "ｶﾞstrasse": "ｶﾞstraße"}.get(twin, "rose")
    put(garden / original / "a.jpg", jpeg(1))
    try:
        (garden / twin).mkdir()
    except FileExistsError:
        pytest.skip("this file system takes the two names for one")
    put(garden / twin / "b.jpg", jpeg(2))
    message = refusal(garden)
    assert repr(twin) in message and repr(original) in message and "differ only in case" in message


@pytest.mark.skipif(os.name == "nt", reason="Windows takes no such names")
@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\u2028b", "tail\n"])
def test_class_names_that_labels_txt_cannot_hold(garden: Path, name: str) -> None:
    put(garden / name / "a.jpg", jpeg(1))
    message = refusal(garden)
    assert repr(name) in message and "line break" in message


def test_class_name_that_is_not_utf8(garden: Path) -> None:
    try:
        os.mkdir(os.fsencode(garden) + b"/caf\xe9")  # noqa: PTH102
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    assert "the class name 'caf\\xe9' is not valid UTF-8" in refusal(garden)


def test_folder_without_permission(garden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = garden / "rose" / "locked"
    put(locked / "a.jpg", jpeg(1))
    real = os.scandir

    def guarded(path: Path) -> object:
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(photos_module.os, "scandir", guarded)
    assert refusal(garden) == f"The folder {locked} cannot be read: no permission."


@pytest.mark.skipif(
    "EDGERETRAIN_PHOTOS" not in os.environ, reason="EDGERETRAIN_PHOTOS (folder of flower_photos) not set"
)
def test_flower_photos() -> None:
    found = find_photos(Path(os.environ["EDGERETRAIN_PHOTOS"]) / "flower_photos")
    assert found.labels == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    assert not found.skipped
    digests = {photo.name.split("/")[1].split("_")[0]: photo.digest for photo in found.photos}
    for photo, copy in (("14889392928", "15066430311"), ("15069459615", "15072973261")):
        assert digests[photo] == digests[copy]


# The photos of one class


def test_a_class_from_its_folder_is_that_of_the_photos_folder(garden: Path) -> None:
    put(garden / "rose" / "deep" / "a.jpg", jpeg(200))
    put(garden / "rose" / "zero.jpg", b"")
    put(garden / "rose" / "notes.txt", b"x")
    put(garden / "rose" / ".hidden.jpg", jpeg(201))
    whole = find_photos(garden)
    seen: list[tuple[str, int, int]] = []
    photos, skipped = find_class_photos("rose", [garden / "rose"], progress=lambda *step: seen.append(step))
    assert photos == [photo for photo in whole.photos if photo.label == "rose"]
    assert tuple(skipped) == whole.skipped
    assert seen[-1] == ("Checking photos", 27, 27)


def test_a_class_from_photos_and_folders(garden: Path) -> None:
    odd = put(garden / "IMG_1", jpeg(202))  # a photo that is named is one, whatever it is called
    text = put(garden / "notes.txt", b"x")
    photos, skipped = find_class_photos("daisy", [odd, text, garden / "rose", garden / "tulip" / "t03.jpg"])
    assert [photo.name for photo in photos] == [
        "daisy/IMG_1", *(f"daisy/r{number:02d}.jpg" for number in range(25)), "daisy/t03.jpg"
    ]  # fmt: skip
    assert {photo.label for photo in photos} == {"daisy"}
    assert [photo.name for photo in skipped] == ["daisy/notes.txt"]


def test_sources_that_will_not_do(garden: Path) -> None:
    (garden / "empty").mkdir()
    for source, told in ((garden / "none.jpg", "There is no photo or folder"), (garden / "empty", "has no JPEG, PNG")):
        with pytest.raises(EdgeretrainError, match=told):
            find_class_photos("daisy", [garden / "rose", source])
