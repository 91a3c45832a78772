"""Photos saved from the page: where they may go, and that none is ever lost or overwritten."""

import errno
import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.garden import encoded, jpeg, put

from edgeretrain.data.photos import find_photos
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto
from edgeretrain.serve.photos_store import BadClassName, PhotosStore
from serve.served import noise

LABELS = ("daisy", "roses")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tmp_path / "photos"


@pytest.fixture
def store(photos: Path) -> PhotosStore:
    return PhotosStore(photos, LABELS)


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_photos_go_byte_for_byte_where_retrain_finds_them(store: PhotosStore, photos: Path) -> None:
    saved = {store.save(label, jpeg(seed)): jpeg(seed) for seed, label in enumerate((*LABELS, "tulips", "rosé 🌹"))}
    found = find_photos(photos)
    assert found.labels == tuple(sorted(("daisy", "roses", "rosé 🌹", "tulips")))
    assert {photo.name: photo.path.read_bytes() for photo in found.photos} == saved
    assert not found.skipped
    assert store.counts() == {"daisy": 1, "roses": 1, "rosé 🌹": 1, "tulips": 1}


@pytest.mark.parametrize(
    ("kind", "suffix"), [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp"), ("BMP", ".bmp"), ("TIFF", ".tiff")]
)
def test_the_suffix_is_of_what_it_is(store: PhotosStore, kind: str, suffix: str) -> None:
    assert store.save("daisy", encoded(noise(1), kind)).endswith(suffix)


def test_classes_are_those_of_the_model_and_of_the_folder(store: PhotosStore, photos: Path) -> None:
    assert store.counts() == {"daisy": 0, "roses": 0}
    put(photos / "tulips" / "a.JPG", jpeg(1))
    put(photos / "tulips" / "notes.txt", b"")
    put(photos / "tulips" / ".b.jpg", jpeg(1))
    put(photos / ".hidden" / "a.jpg", jpeg(1))
    put(photos / "@eaDir" / "a.jpg", jpeg(1))
    put(photos / "loose.jpg", jpeg(1))
    assert store.counts() == {"daisy": 0, "roses": 0, "tulips": 1}


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", ".", "..", "../roses", "/etc", "a/b", "a\\b", "..\\roses", "daisy/../../x", "%2e%2e/..", "~/x/y"),
        *(
            ".hidden",
            "@eaDir",
            "__MACOSX",
            "CON:",
            "a\0b",
            "a\nb",
            "a\u2028b",
            "a\x1b[31m",
            "\udcff",
            "x" * 101,
            "é" * 60,
        ),
        *("what?", "dot."),
    ],
)
def test_other_names_are_refused_and_leave_nothing(store: PhotosStore, photos: Path, name: str) -> None:
    with pytest.raises(BadClassName, match="cannot be the name of a class"):
        store.save(name, jpeg(1))
    assert files(photos.parent) == ["photos"]


@pytest.mark.parametrize("name", ["Daisy", "DAISY", "Tu\u0301lips", "T\u00faLIPS"])
def test_a_class_is_not_written_in_two_ways(store: PhotosStore, photos: Path, name: str) -> None:
    store.save("t\u00falips", jpeg(1))
    if name == "Tu\u0301lips":
        store.save("tu\u0301lips", jpeg(2))  # the same name in Unicode's other spelling is the same class
        assert [path for path in files(photos) if "/" not in path] == ["t\u00falips"]
    with pytest.raises(BadClassName, match="differs from it only in case"):
        store.save(name, jpeg(3))


def test_labels_that_lead_elsewhere_are_not_followed(photos: Path) -> None:
    store = PhotosStore(photos, ("../outside", "..", "/absolute", "daisy"))
    assert store.counts() == {"daisy": 0}
    with pytest.raises(BadClassName):
        store.save("../outside", jpeg(1))


def test_a_damaged_photo_is_not_saved(store: PhotosStore, photos: Path) -> None:
    whole = encoded(noise(1))
    for content in (b"", b"text", whole[: len(whole) // 2]):
        with pytest.raises(UnreadablePhoto):
            store.save("tulips", content)
    assert files(photos) == []


def test_a_full_disk_leaves_nothing_behind(store: PhotosStore, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save("daisy", jpeg(1))
    before = files(photos)
    write = Path.write_bytes

    def half(path: Path, content: bytes) -> int:
        write(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "write_bytes", half)
    for label in ("daisy", "a new class"):
        with pytest.raises(EdgeretrainError, match="No space left on device"):
            store.save(label, jpeg(2))
    assert files(photos) == before


def test_no_photo_is_overwritten(store: PhotosStore, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(["00000000", "00000000", "00000000", "11111111"])
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(numbers))
    monkeypatch.setattr(time, "strftime", lambda _: "20261121-220436")
    assert store.save("daisy", jpeg(1)) == "daisy/20261121-22043_nohash_00000000.jpg"
    assert store.save("daisy", jpeg(2)) == "daisy/20261121-22043_nohash_11111111.jpg"
    assert (photos / "daisy/20261121-22043_nohash_00000000.jpg").read_bytes() == jpeg(1)


def test_many_at_once(store: PhotosStore, photos: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        saved = list(pool.map(lambda seed: store.save(("new", "daisy")[seed % 2], jpeg(seed)), range(64)))
    assert len(set(saved)) == 64
    assert [(photos / name).read_bytes() for name in saved] == [jpeg(seed) for seed in range(64)]
    assert store.counts() == {"daisy": 32, "new": 32, "roses": 0}


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    put(tmp_path / "file", b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "photos", tmp_path / "a\0b"):
        with pytest.raises(EdgeretrainError, match="Choose another --photos"):
            PhotosStore(folder, LABELS)
