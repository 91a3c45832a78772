"""Bottlenecks are what the backbone gives, whether they come from it or from the cache."""

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeretrain.backbone import Backbone, find_backbone
from edgeretrain.data import pixels as pixels_module
from edgeretrain.data.photos import Photo, PhotoFile, find_photos, list_photos
from edgeretrain.data.pixel_store import pixel_store
from edgeretrain.data.pixels import load_pixels
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.extract import Column, Extraction, Extractor, _Meter
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
def files(folder: Path) -> tuple[PhotoFile, ...]:
    return list_photos(folder).files


@pytest.fixture
def column(backbone: Backbone) -> Column:
    return Column(backbone)


class Runs:
    """Counts how often any network runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._count = 0
        run = Network.__call__

        def counted(network: Network, pixels: Any) -> Any:
            self._count += 1
            return run(network, pixels)

        monkeypatch.setattr(Network, "__call__", counted)

    def since(self) -> int:
        """The runs since this was last asked."""
        count, self._count = self._count, 0
        return count


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(monkeypatch)


@pytest.fixture
def extractor(tmp_path: Path) -> Extractor:
    return Extractor("squash", tmp_path)


def test_they_are_what_the_backbone_gives_the_second_time_too(
    files: tuple[PhotoFile, ...], photos: tuple[Photo, ...], column: Column, extractor: Extractor, runs: Runs
) -> None:
    network = Network(column.backbone.path)
    expected = np.stack([network(load_pixels(file.path, 224)) for file in files])
    assert runs.since() == 8
    for again in (False, True):
        extraction = extractor.extract(files, [column])
        assert extraction == Extraction(photos, (), (), {})
        values = extractor.features(photos, column)
        assert values.dtype == np.float32
        assert (values == expected).all()
        assert runs.since() == (0 if again else 8)
    assert (replace(extractor, workers=1).features(photos[::-1], column) == expected[::-1]).all()
    assert runs.since() == 0


def test_what_was_not_extracted_is_made_when_it_is_asked_for(
    photos: tuple[Photo, ...], column: Column, extractor: Extractor, runs: Runs
) -> None:
    some = extractor.features(photos[:5], column)
    every = extractor.features(photos, column)
    assert (every[:5] == some).all()
    assert runs.since() == 8
    assert extractor.features([], column).shape == (0, 1280)


def test_one_pass_serves_all_columns(
    files: tuple[PhotoFile, ...], extractor: Extractor, runs: Runs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    decoded: list[str] = []
    decode = pixels_module._decode
    monkeypatch.setattr(pixels_module, "_decode", lambda *given: decoded.append(given[1]) or decode(*given))
    backbones = [find_backbone("mobilenet_v2_100_224", precision) for precision in ("int8", "dynamic", "float32")]
    columns = [Column(backbone, flip) for backbone in backbones for flip in (False, True)]
    photos = extractor.extract(files, columns).photos
    assert (len(decoded), runs.since()) == (8, 48)
    together = [extractor.features(photos, column) for column in columns]
    assert (len(decoded), runs.since()) == (8, 0)
    apart = Extractor("squash", tmp_path / "apart")
    for column, values in zip(columns, together, strict=True):
        assert (apart.features(photos, column) == values).all()


def test_only_what_is_wanted_is_made_and_only_what_is_missing(
    files: tuple[PhotoFile, ...], photos: tuple[Photo, ...], backbone: Backbone, extractor: Extractor, runs: Runs
) -> None:
    columns = [Column(backbone), Column(backbone, flip=True)]
    extractor.extract(files[:3], columns[:1])
    assert runs.since() == 3
    extractor.extract(files, columns, wanted=lambda photo, column: not column.flip or photo.label == "dots")
    assert runs.since() == 5 + 4
    extractor.features(photos, columns[1])
    assert runs.since() == 4


def test_pixels_are_kept_for_later(
    files: tuple[PhotoFile, ...], column: Column, extractor: Extractor, runs: Runs, tmp_path: Path
) -> None:
    with pixel_store(tmp_path) as store:
        photos = extractor.extract(files, [column], store=store, stored=lambda photo: photo.label == "dots").photos
        for photo in photos:
            pixels = store.get(photo.digest, 224)
            if photo.label == "dots":
                assert pixels is not None and (pixels == load_pixels(photo.path, 224)).all()
            else:
                assert pixels is None
        assert runs.since() == 8
        for photo in photos:
            photo.path.unlink()
        other = replace(extractor, cache=tmp_path / "other", decoded=store.get)
        dots = [photo for photo in photos if photo.label == "dots"]
        assert (other.features(dots, column) == extractor.features(dots, column)).all()
    assert not list(tmp_path.glob(".pixels*"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_for_pixels(
    files: tuple[PhotoFile, ...], column: Column, extractor: Extractor, tmp_path: Path
) -> None:
    with Path("/dev/full").open("w+b", buffering=0) as full, pixel_store(tmp_path) as store:
        store._files[224] = full
        with pytest.raises(EdgeretrainError, match=r"decoded test photos cannot be written.*Free some room"):
            extractor.extract(files, [column], store=store)
    with pytest.raises(EdgeretrainError, match=r": cannot be written .*--out"), pixel_store(files[0].path):
        pass


def test_neither_names_nor_folders_matter_to_the_cache(
    photos: tuple[Photo, ...], folder: Path, column: Column, extractor: Extractor, runs: Runs, tmp_path: Path
) -> None:
    first = extractor.features(photos, column)
    moved = folder.rename(tmp_path / "elsewhere")
    for path in list(moved.rglob("*.*")):
        path.rename(path.with_name("renamed " + path.name))
    again = extractor.features(find_photos(moved).photos, column)
    assert (again == first).all()
    assert runs.since() == 8


def test_other_settings_have_bottlenecks_of_their_own(
    photos: tuple[Photo, ...], backbone: Backbone, tmp_path: Path, runs: Runs
) -> None:
    fits: tuple[Any, ...] = ("squash", "crop")
    values = [
        Extractor(fit, tmp_path).features(photos, Column(backbone, flip)) for fit in fits for flip in (False, True)
    ]
    for index, own in enumerate(values):
        for other in values[:index]:
            assert (own != other).any()
    real = load_runtime()
    newer = Runtime(real.name, "99.0", real.interpreter)
    Extractor("squash", tmp_path, newer).features(photos, Column(backbone))
    Extractor("squash", tmp_path).features(photos, Column(find_backbone("mobilenet_v2_100_224", "dynamic")))
    assert runs.since() == 8 * 6
    assert len(list((tmp_path / "bottlenecks").glob("*.sqlite"))) == 6


def test_copies_are_run_once(folder: Path, column: Column, extractor: Extractor, runs: Runs) -> None:
    original = next((folder / "dots").iterdir())
    for name in ("copy1", "copy2"):
        shutil.copy(original, folder / "stripes" / f"{name}{original.suffix}")
    photos = extractor.extract(list_photos(folder).files, [column]).photos
    assert len(photos) == 10
    assert runs.since() == 8
    values = extractor.features(photos, column)
    same = [index for index, photo in enumerate(photos) if photo.path.name == original.name or "copy" in photo.name]
    assert len(same) == 3
    assert (values[same] == values[same[0]]).all() and values[same[0]].any()


def test_photos_that_cannot_be_decoded_are_named_and_not_cached(
    folder: Path, column: Column, extractor: Extractor, runs: Runs
) -> None:
    cut = folder / "dots" / "d01.jpeg"
    cut.write_bytes(cut.read_bytes()[:-300])
    shutil.copy(cut, folder / "stripes" / "same.jpeg")
    (folder / "stripes" / "empty.jpeg").write_bytes(b"")
    for again in (False, True):
        found = extractor.extract(list_photos(folder).files, [column])
        assert [(entry.name, entry.reason) for entry in found.skipped] == [
            ("dots/d01.jpeg", "truncated or damaged file"),
            ("stripes/empty.jpeg", "empty file"),
            ("stripes/same.jpeg", "truncated or damaged file"),
        ]
        assert [photo.name for photo in found.undecodable] == ["dots/d01.jpeg", "stripes/same.jpeg"]
        assert len(found.photos) == 7
        assert runs.since() == (0 if again else 7)
    with pytest.raises(EdgeretrainError, match=r"dots/d01\.jpeg: this photo changed"):
        extractor.features(found.undecodable, column)


def test_what_was_computed_before_a_failure_is_kept(
    photos: tuple[Photo, ...], column: Column, extractor: Extractor, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeretrain.features.inference._CHUNK_BYTES", 4 * 224 * 224 * 3)
    good = photos[7].path.read_bytes()
    photos[7].path.write_bytes(good + b"changed")
    with pytest.raises(EdgeretrainError, match="changed while"):
        extractor.features(photos, column)
    assert runs.since() == 4
    photos[7].path.write_bytes(good)
    extractor.features(photos, column)
    assert runs.since() == 4


def test_a_backbone_that_fails_does_not_stop_the_others(
    files: tuple[PhotoFile, ...], photos: tuple[Photo, ...], column: Column, extractor: Extractor, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    bad = Column(Backbone(broken, "broken", "int8", 224, {}))
    extraction = extractor.extract(files, [bad, column], tolerant=True)
    assert list(extraction.failures) == [bad]
    assert extraction.photos == photos
    assert len(extractor.features(photos, column)) == 8
    for make in (lambda: extractor.features(photos, bad), lambda: extractor.extract(files, [column, bad])):
        with pytest.raises(EdgeretrainError, match=r"broken\.tflite"):
            make()


def test_a_damaged_row_is_computed_again(
    photos: tuple[Photo, ...], column: Column, extractor: Extractor, runs: Runs
) -> None:
    first = extractor.features(photos, column)
    (file,) = (extractor.cache / "bottlenecks").glob("*.sqlite")
    with sqlite3.connect(file) as connection:
        connection.execute(
            "UPDATE bottlenecks SET vector = zeroblob(length(vector)) WHERE photo = ?",
            (bytes.fromhex(photos[2].digest),),
        )
    connection.close()
    assert (extractor.features(photos, column) == first).all()
    assert (extractor.features(photos, column) == first).all()
    assert runs.since() == 8 + 1


def test_a_cache_that_keeps_nothing_is_an_error(
    photos: tuple[Photo, ...], column: Column, extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeretrain.features.cache.BottleneckCache.add", lambda *_: None)
    with pytest.raises(EdgeretrainError, match="does not keep what is written to it"):
        extractor.features(photos, column)


def test_progress_counts_each_photo_once(
    files: tuple[PhotoFile, ...], backbone: Backbone, extractor: Extractor
) -> None:
    shown: list[tuple[str, int, int]] = []
    loud = replace(extractor, progress=lambda *step: shown.append(step))
    loud.extract(files[:3], [Column(backbone)])
    loud.extract(files, [Column(backbone), Column(backbone, flip=True)])
    counts = [done for _, done, total in shown if total == 3]
    assert counts == sorted(set(counts)) and (counts[0], counts[-1]) == (0, 3)
    counts = [done for _, done, total in shown if total == 8]
    assert counts == sorted(set(counts)) and (counts[0], counts[-1]) == (0, 8)
    assert {step for step, _, _ in shown} == {"Bottlenecks"}


def test_a_dear_backbone_counts_for_more() -> None:
    shown: list[int] = []
    cheap, dear = (Backbone(Path(name), name, "int8", 224, {}) for name in ("mobilenet_v1_025_128", "nasnet_mobile"))
    meter = _Meter(lambda _, done, __: shown.append(done), 1000, [Column(cheap), Column(dear)])
    for _ in range(1000):
        meter.read((0, 1))
        meter.ran(0)
    assert shown[-1] < 120
    for _ in range(1000):
        meter.ran(1)
    assert shown[-1] == 1000


def test_a_cache_that_cannot_be_written_is_an_error(
    files: tuple[PhotoFile, ...], column: Column, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeretrainError, match=r"cache cannot be written .*EDGERETRAIN_CACHE"):
        Extractor("squash", tmp_path / "file").extract(files, [column])
