"""Bottlenecks are what the backbone gives, whether they come from it or from the cache."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeretrain.backbone import Backbone, find_backbone
from edgeretrain.data.photos import Photo, find_photos
from edgeretrain.data.pixels import load_pixels
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features import extract as bottlenecks_module
from edgeretrain.features.extract import compute_bottlenecks
from edgeretrain.features.inference import run_photos
from edgeretrain.tflite.runtime import Network, Runtime, load_runtime

pytest.importorskip("ai_edge_litert")


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return find_backbone("mobilenet_v2_100_224", "int8")


@pytest.fixture
def folder(textures: Path, tmp_path: Path) -> Path:
    """Eight photos, to be spoilt at will."""
    folder = tmp_path / "photos"
    for label in ("dots", "stripes"):
        (folder / label).mkdir(parents=True)
        for path in sorted((textures / label).iterdir())[:4]:
            shutil.copy(path, folder / label)
    return folder


@pytest.fixture
def photos(folder: Path) -> tuple[Photo, ...]:
    return find_photos(folder).photos


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many photos each call sent through the network."""
    counts: list[int] = []

    def counted(photos: Any, *arguments: Any, **options: Any) -> Any:
        counts.append(len(photos))
        return run_photos(photos, *arguments, **options)

    monkeypatch.setattr(bottlenecks_module, "run_photos", counted)
    return counts


def test_they_are_what_the_backbone_gives_the_second_time_too(
    photos: tuple[Photo, ...], backbone: Backbone, tmp_path: Path, runs: list[int]
) -> None:
    network = Network(backbone.path)
    expected = np.stack([network(load_pixels(photo.path, 224)) for photo in photos])
    for _ in range(2):
        found = compute_bottlenecks(photos, backbone, fit="squash", cache=tmp_path)
        assert found.values.dtype == np.float32
        assert (found.values == expected).all()
        assert found.skipped == ()
    backwards = compute_bottlenecks(photos[::-1], backbone, fit="squash", cache=tmp_path, workers=1)
    assert (backwards.values == expected[::-1]).all()
    assert runs == [8, 0, 0]


def test_neither_names_nor_folders_matter_to_the_cache(
    photos: tuple[Photo, ...], folder: Path, backbone: Backbone, tmp_path: Path, runs: list[int]
) -> None:
    first = compute_bottlenecks(photos, backbone, fit="squash", cache=tmp_path)
    moved = folder.rename(tmp_path / "elsewhere")
    for path in list(moved.rglob("*.*")):
        path.rename(path.with_name("renamed " + path.name))
    again = compute_bottlenecks(find_photos(moved).photos, backbone, fit="squash", cache=tmp_path)
    assert (again.values == first.values).all()
    assert runs == [8, 0]


def test_other_settings_have_bottlenecks_of_their_own(
    photos: tuple[Photo, ...], backbone: Backbone, tmp_path: Path, runs: list[int]
) -> None:
    settings: list[dict[str, Any]] = [
        {"fit": "squash"},
        {"fit": "crop"},
        {"fit": "squash", "flip": True},
        {"fit": "crop", "flip": True},
    ]
    values = [compute_bottlenecks(photos, backbone, cache=tmp_path, **one).values for one in settings]
    for index, one in enumerate(values):
        for other in values[:index]:
            assert (one != other).any()
    real = load_runtime()
    newer = Runtime(real.name, "99.0", real.interpreter)
    compute_bottlenecks(photos, backbone, fit="squash", cache=tmp_path, runtime=newer)
    other_backbone = find_backbone("mobilenet_v2_100_224", "dynamic")
    compute_bottlenecks(photos, other_backbone, fit="squash", cache=tmp_path)
    assert runs == [8] * 6
    assert len(list((tmp_path / "bottlenecks").glob("*.sqlite"))) == 6


def test_copies_are_run_once(folder: Path, backbone: Backbone, tmp_path: Path, runs: list[int]) -> None:
    original = next((folder / "dots").iterdir())
    for name in ("copy1", "copy2"):
        shutil.copy(original, folder / "stripes" / f"{name}{original.suffix}")
    photos = find_photos(folder).photos
    found = compute_bottlenecks(photos, backbone, fit="squash", cache=tmp_path).values
    assert runs == [8]
    own = find_photos(folder).photos
    same = [index for index, photo in enumerate(own) if photo.path.name == original.name or "copy" in photo.name]
    assert len(same) == 3
    assert (found[same] == found[same[0]]).all() and found[same[0]].any()


def test_photos_that_cannot_be_decoded_are_named_and_not_cached(
    folder: Path, backbone: Backbone, tmp_path: Path, runs: list[int]
) -> None:
    cut = folder / "dots" / "d01.jpeg"
    cut.write_bytes(cut.read_bytes()[:-300])
    shutil.copy(cut, folder / "stripes" / "same.jpeg")
    photos = find_photos(folder).photos
    for _ in range(2):
        found = compute_bottlenecks(photos, backbone, fit="squash", cache=tmp_path)
        assert [(one.name, one.reason) for one in found.skipped] == [
            ("dots/d01.jpeg", "truncated or damaged file"),
            ("stripes/same.jpeg", "truncated or damaged file"),
        ]
        bad = [index for index, photo in enumerate(photos) if photo.name in ("dots/d01.jpeg", "stripes/same.jpeg")]
        assert not found.values[bad].any()
        assert found.values.any(axis=1).sum() == len(photos) - 2
    assert runs == [8, 1]


def test_what_was_computed_before_a_failure_is_kept(
    photos: tuple[Photo, ...], backbone: Backbone, tmp_path: Path, runs: list[int]
) -> None:
    good = photos[7].path.read_bytes()
    photos[7].path.write_bytes(good + b"changed")
    with pytest.raises(EdgeretrainError, match="changed while"):
        compute_bottlenecks(photos, backbone, fit="squash", cache=tmp_path, workers=1)
    photos[7].path.write_bytes(good)
    compute_bottlenecks(photos, backbone, fit="squash", cache=tmp_path)
    assert runs == [8, 1]


def test_a_damaged_row_is_computed_again(
    photos: tuple[Photo, ...], backbone: Backbone, tmp_path: Path, runs: list[int]
) -> None:
    first = compute_bottlenecks(photos, backbone, fit="squash", cache=tmp_path).values
    (file,) = (tmp_path / "bottlenecks").glob("*.sqlite")
    with sqlite3.connect(file) as connection:
        connection.execute(
            "UPDATE bottlenecks SET vector = zeroblob(length(vector)) WHERE photo = ?",
            (bytes.fromhex(photos[2].digest),),
        )
    connection.close()
    assert (compute_bottlenecks(photos, backbone, fit="squash", cache=tmp_path).values == first).all()
    assert (compute_bottlenecks(photos, backbone, fit="squash", cache=tmp_path).values == first).all()
    assert runs == [8, 1, 0]


def test_progress_counts_each_photo_once(photos: tuple[Photo, ...], backbone: Backbone, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    step = "Bottlenecks mobilenet_v2_100_224 int8"
    compute_bottlenecks(photos[:3], backbone, fit="squash", cache=tmp_path, progress=lambda *one: told.append(one))
    assert told == [(step, done, 3) for done in range(4)]
    told.clear()
    compute_bottlenecks(photos, backbone, fit="squash", cache=tmp_path, progress=lambda *one: told.append(one))
    assert told == [(step, done, 8) for done in range(3, 9)]


def test_a_cache_that_cannot_be_written_is_an_error(
    photos: tuple[Photo, ...], backbone: Backbone, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeretrainError, match=r"cache cannot be written .*EDGERETRAIN_CACHE"):
        compute_bottlenecks(photos, backbone, fit="squash", cache=tmp_path / "file")
