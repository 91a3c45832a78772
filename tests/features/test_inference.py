"""Threads that read photos and run networks: what they yield, what they raise, and that they end."""

import contextlib
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeretrain.backbone import find_backbone
from edgeretrain.data.photos import Photo, PhotoFile, find_photos, list_photos
from edgeretrain.data.pixels import load_pixels, load_pixels_at
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features import inference
from edgeretrain.features.inference import (
    InferenceModel,
    InferenceOutcome,
    ModelFailure,
    NetworkOutput,
    Plan,
    ReadPhoto,
    UnusablePhoto,
    run_photos,
)
from edgeretrain.tflite.runtime import Network
from edgeretrain.threads import available_cores

pytest.importorskip("ai_edge_litert")
PRESET = "mobilenet_v2_100_224"


@pytest.fixture(scope="module")
def model() -> InferenceModel:
    return InferenceModel(find_backbone(PRESET, "int8").path, 224)


@pytest.fixture
def folder(textures: Path, tmp_path: Path) -> Path:
    """Twelve photos, to be spoilt at will."""
    folder = tmp_path / "photos"
    for label in ("checks", "dots"):
        (folder / label).mkdir(parents=True)
        for path in sorted((textures / label).iterdir())[:6]:
            shutil.copy(path, folder / label)
    return folder


@pytest.fixture
def files(folder: Path) -> tuple[PhotoFile, ...]:
    return list_photos(folder).files


@pytest.fixture
def photos(folder: Path) -> tuple[Photo, ...]:
    return find_photos(folder).photos


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert not set(threading.enumerate()) - before


def vectors(outcomes: Iterable[InferenceOutcome]) -> dict[tuple[int, int], np.ndarray]:
    """The outputs by photo and model; each must come once, and after its photo."""
    found: dict[tuple[int, int], np.ndarray] = {}
    read: set[int] = set()
    for outcome in outcomes:
        match outcome:
            case ReadPhoto(index):
                assert index not in read
                read.add(index)
            case NetworkOutput(index, model, vector):
                assert index in read and (index, model) not in found
                found[index, model] = vector
            case other:
                raise AssertionError(other)
    return found


@pytest.mark.parametrize("workers", [1, 2, 5, 50, None])
def test_any_number_of_workers_gives_the_same(
    files: tuple[PhotoFile, ...], photos: tuple[Photo, ...], model: InferenceModel, workers: int | None
) -> None:
    network = Network(model.path)
    for given in (files, photos, files[::-1]):
        found = vectors(run_photos(given, [model], fit="squash", workers=workers))
        assert sorted(found) == [(index, 0) for index in range(12)]
        for index, file in enumerate(given):
            assert (found[index, 0] == network(load_pixels(file.path, 224))).all()


def test_a_photo_read_is_the_photo_found(files: tuple[PhotoFile, ...], photos: tuple[Photo, ...]) -> None:
    read = {outcome.index: outcome.photo for outcome in run_photos(files, [], fit="squash")}  # type: ignore[union-attr]
    assert tuple(read[index] for index in range(12)) == photos


@pytest.mark.parametrize(("fit", "flip"), [("squash", True), ("crop", False), ("crop", True)])
def test_fit_and_flip(files: tuple[PhotoFile, ...], model: InferenceModel, fit: Any, flip: bool) -> None:
    network = Network(model.path)
    for (index, _), vector in vectors(run_photos(files[:3], [InferenceModel(model.path, 224, flip)], fit=fit)).items():
        pixels = load_pixels(files[index].path, 224, fit)
        assert (vector == network(np.ascontiguousarray(pixels[:, ::-1]) if flip else pixels)).all()
        assert (vector != network(load_pixels(files[index].path, 224))).any()


def test_a_photo_is_opened_and_decoded_once_for_all_models(
    files: tuple[PhotoFile, ...], model: InferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    decoded: list[list[int]] = []
    read_photo = inference.read_photo

    def counted(content: bytes, sizes: Iterable[int], fit: Any) -> dict[int, np.ndarray]:
        decoded.append(sorted(sizes))
        return load_pixels_at(content, sizes, fit)

    monkeypatch.setattr(inference, "read_photo", lambda file: opened.append(file.name) or read_photo(file))
    monkeypatch.setattr(inference, "load_pixels_at", counted)
    dynamic = find_backbone(PRESET, "dynamic").path
    models = [model, InferenceModel(dynamic, 224), InferenceModel(dynamic, 224, flip=True)]
    plan = Plan((0, 1, 2), keep=(48,))
    kept = {}
    for outcome in run_photos(files[:4], models, fit="squash", plan=lambda _: plan):
        if isinstance(outcome, ReadPhoto):
            kept[outcome.index] = outcome.kept
        elif isinstance(outcome, NetworkOutput) and outcome.model == 1:
            expected = Network(dynamic)(load_pixels(files[outcome.index].path, 224))
            assert (outcome.vector == expected).all()
    assert sorted(opened) == sorted(file.name for file in files[:4])
    assert decoded == [[48, 224]] * 4
    for index, pixels in kept.items():
        assert list(pixels) == [48]
        assert (pixels[48] == load_pixels(files[index].path, 48)).all()


def test_chunks_change_nothing(
    files: tuple[PhotoFile, ...], model: InferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models take turns in each chunk; none is run twice on a photo, none is left out."""
    models = [model, InferenceModel(find_backbone(PRESET, "dynamic").path, 224)]
    whole = vectors(run_photos(files, models, fit="squash", workers=2))
    monkeypatch.setattr(inference, "_CHUNK_BYTES", 5 * 224 * 224 * 3)
    in_chunks = vectors(run_photos(files, models, fit="squash", workers=3))
    assert in_chunks.keys() == whole.keys() and len(whole) == 24
    assert all((in_chunks[key] == vector).all() for key, vector in whole.items())


def test_what_is_decoded_already_is_not_opened(photos: tuple[Photo, ...], model: InferenceModel) -> None:
    pixels = {photo.digest: load_pixels(photo.path, 224) for photo in photos[:6]}
    expected = [Network(model.path)(known) for known in pixels.values()]
    for photo in photos:
        photo.path.unlink()
    found = run_photos(photos[:6], [model], fit="squash", decoded=lambda digest, size: pixels[digest])
    assert all((vector == expected[index]).all() for (index, _), vector in vectors(found).items())
    nothing = run_photos(photos[6:], [model], fit="squash", plan=lambda _: Plan())
    assert vectors(nothing) == {}


def test_a_photo_that_cannot_be_read_is_skipped(files: tuple[PhotoFile, ...], model: InferenceModel) -> None:
    files[5].path.write_bytes(files[5].path.read_bytes()[:-300])
    files[6].path.write_bytes(b"no photo")
    files[7].path.unlink()
    skipped = {
        outcome.index: outcome
        for outcome in run_photos(files, [model], fit="squash", workers=3)
        if isinstance(outcome, UnusablePhoto)
    }
    assert {index: entry.reason for index, entry in skipped.items()} == {
        5: "truncated or damaged file",
        6: "not a JPEG, PNG, WebP, GIF, BMP or TIFF file",
        7: "no such file",
    }
    assert [skipped[index].digest is None for index in (5, 6, 7)] == [False, True, True]


def test_a_photo_that_changed_meanwhile_is_an_error(photos: tuple[Photo, ...], model: InferenceModel) -> None:
    photos[6].path.write_bytes(photos[0].path.read_bytes())
    with pytest.raises(EdgeretrainError, match=rf"{photos[6].path.name}: this photo changed while .* Run it again\."):
        list(run_photos(photos, [model], fit="squash", workers=2))


def test_a_model_that_does_not_load_stops_no_other(
    files: tuple[PhotoFile, ...], model: InferenceModel, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    outcomes = list(run_photos(files, [InferenceModel(broken, 224), model], fit="squash", workers=2))
    (failure,) = [outcome for outcome in outcomes if isinstance(outcome, ModelFailure)]
    assert failure.model == 0
    assert isinstance(failure.error, EdgeretrainError) and "broken.tflite" in str(failure.error)
    assert {outcome.model for outcome in outcomes if isinstance(outcome, NetworkOutput)} == {1}
    assert sum(isinstance(outcome, NetworkOutput) for outcome in outcomes) == 12


def test_a_fault_in_a_worker_reaches_the_caller(
    files: tuple[PhotoFile, ...], model: InferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(inference, "load_pixels_at", failing)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        list(run_photos(files, [model], fit="squash", workers=3))


def test_leaving_early_ends_the_threads(files: tuple[PhotoFile, ...], model: InferenceModel) -> None:
    before = set(threading.enumerate())
    with contextlib.closing(run_photos(files * 20, [model], fit="squash", workers=3)) as outcomes:
        next(outcomes)
        assert len(set(threading.enumerate()) - before) == 3
    assert not set(threading.enumerate()) - before


def test_leaving_early_starts_no_more_photos(
    files: tuple[PhotoFile, ...], model: InferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    read_photo = inference.read_photo
    monkeypatch.setattr(inference, "read_photo", lambda file: started.append(1) or read_photo(file))
    with contextlib.closing(run_photos(files * 40, [model], fit="squash", workers=2)) as outcomes:
        next(outcomes)
    # The two workers' own, what waits in the queue of 8, and what they do while it is emptied.
    assert len(started) < 240


def test_a_slow_reader_is_waited_for(
    files: tuple[PhotoFile, ...], model: InferenceModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The results that wait stay few, however many photos there are."""
    started: list[int] = []
    room = threading.Semaphore(0)
    read_photo = inference.read_photo

    def counted(file: PhotoFile) -> tuple[Photo, bytes]:
        started.append(1)
        room.release()
        return read_photo(file)

    monkeypatch.setattr(inference, "read_photo", counted)
    with contextlib.closing(run_photos(files * 10, [], fit="squash", workers=2)) as outcomes:
        next(outcomes)
        while room.acquire(timeout=1):  # until the workers have stood still for a second
            pass
        assert 8 <= len(started) <= 16
        assert len(list(outcomes)) == 119


def test_no_photos_load_no_network(tmp_path: Path) -> None:
    assert list(run_photos([], [InferenceModel(tmp_path / "no such model", 224)], fit="squash")) == []


def test_cores() -> None:
    assert available_cores() >= 1
