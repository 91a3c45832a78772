"""Threads that run photos: what they yield, what they raise, and that they end."""

import contextlib
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeretrain.backbone import find_backbone
from edgeretrain.data.photos import Photo, find_photos
from edgeretrain.data.pixels import load_pixels
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto
from edgeretrain.features import inference
from edgeretrain.features.inference import run_photos
from edgeretrain.tflite.runtime import Network
from edgeretrain.threads import available_cores

pytest.importorskip("ai_edge_litert")
PRESET = "mobilenet_v2_100_224"


@pytest.fixture(scope="module")
def model() -> Path:
    return find_backbone(PRESET, "int8").path


@pytest.fixture
def photos(textures: Path, tmp_path: Path) -> tuple[Photo, ...]:
    """Twelve photos, to be spoilt at will."""
    folder = tmp_path / "photos"
    for label in ("checks", "dots"):
        (folder / label).mkdir(parents=True)
        for path in sorted((textures / label).iterdir())[:6]:
            shutil.copy(path, folder / label)
    return find_photos(folder).photos


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert not set(threading.enumerate()) - before


def test_any_number_of_workers_gives_the_same(photos: tuple[Photo, ...], model: Path) -> None:
    network = Network(model)
    alone = {index: network(load_pixels(photo.path, 224)) for index, photo in enumerate(photos)}
    for workers in (1, 2, 5, 50, None):
        found = dict(run_photos(photos, [model], fit="squash", workers=workers))
        assert sorted(found) == list(range(12))
        for index, outcome in found.items():
            assert not isinstance(outcome, UnreadablePhoto)
            assert (outcome[0] == alone[index]).all()
    backwards = dict(run_photos(photos[::-1], [model], fit="squash", workers=2))
    for index, outcome in backwards.items():
        assert not isinstance(outcome, UnreadablePhoto)
        assert (outcome[0] == alone[11 - index]).all()


@pytest.mark.parametrize(("fit", "flip"), [("squash", True), ("crop", False), ("crop", True)])
def test_fit_and_flip(photos: tuple[Photo, ...], model: Path, fit: Any, flip: bool) -> None:
    network = Network(model)
    for index, outcome in run_photos(photos[:3], [model], fit=fit, flip=flip):
        pixels = load_pixels(photos[index].path, 224, fit)
        assert not isinstance(outcome, UnreadablePhoto)
        assert (outcome[0] == network(np.ascontiguousarray(pixels[:, ::-1]) if flip else pixels)).all()
        assert (outcome[0] != network(load_pixels(photos[index].path, 224))).any()


def test_several_models_share_one_decode(
    photos: tuple[Photo, ...], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []

    def counted(content: bytes, size: int, fit: Any) -> np.ndarray:
        decoded.append(size)
        return load_pixels(content, size, fit)

    monkeypatch.setattr(inference, "load_pixels", counted)
    other = find_backbone(PRESET, "dynamic").path
    for index, outcome in run_photos(photos[:4], [model, other], fit="squash"):
        assert not isinstance(outcome, UnreadablePhoto)
        assert (outcome[1] == Network(other)(load_pixels(photos[index].path, 224))).all()
    assert decoded == [224] * 4


def test_a_photo_that_cannot_be_decoded_stands_in_its_place(photos: tuple[Photo, ...], model: Path) -> None:
    spoilt = list(photos)
    content = photos[5].path.read_bytes()[:-300]
    photos[5].path.write_bytes(content)
    spoilt[5] = replace(photos[5], digest=find_photos(photos[5].path.parents[1]).photos[5].digest)
    photos[7].path.unlink()
    found = dict(run_photos(spoilt, [model], fit="squash", workers=3))
    assert len(found) == 12
    damaged, gone = found[5], found[7]
    assert isinstance(damaged, UnreadablePhoto) and isinstance(gone, UnreadablePhoto)
    assert (damaged.name, damaged.reason) == (photos[5].name, "truncated or damaged file")
    assert gone.name == photos[7].name and gone.reason.startswith("cannot be read (No such file")
    assert sum(isinstance(outcome, UnreadablePhoto) for outcome in found.values()) == 2


def test_a_photo_that_changed_meanwhile_is_an_error(photos: tuple[Photo, ...], model: Path) -> None:
    photos[6].path.write_bytes(photos[0].path.read_bytes())
    with pytest.raises(EdgeretrainError, match=rf"{photos[6].path.name}: this photo changed while .* Run it again\."):
        list(run_photos(photos, [model], fit="squash", workers=2))


def test_a_model_that_does_not_load_is_an_error(photos: tuple[Photo, ...], tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    with pytest.raises(EdgeretrainError, match=r"broken\.tflite: .* cannot load it"):
        list(run_photos(photos, [broken], fit="squash", workers=2))


def test_a_fault_in_a_worker_reaches_the_caller(
    photos: tuple[Photo, ...], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(inference, "load_pixels", failing)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        list(run_photos(photos, [model], fit="squash", workers=3))


def test_leaving_early_ends_the_threads(photos: tuple[Photo, ...], model: Path) -> None:
    many = photos * 20
    before = set(threading.enumerate())
    with contextlib.closing(run_photos(many, [model], fit="squash", workers=3)) as outcomes:
        next(outcomes)
        assert len(set(threading.enumerate()) - before) == 3
    assert not set(threading.enumerate()) - before


def test_leaving_early_starts_no_more_photos(
    photos: tuple[Photo, ...], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def counted(*_: object) -> tuple[np.ndarray]:
        started.append(1)
        return (np.zeros(1, np.float32),)

    monkeypatch.setattr(inference, "_run_photo", counted)
    with contextlib.closing(run_photos(photos * 1000, [model], fit="squash", workers=2)) as outcomes:
        next(outcomes)
    # The two workers' own, what waits in the queue of 32, and what they do while it is emptied.
    assert len(started) < 1000


def test_a_slow_reader_is_waited_for(photos: tuple[Photo, ...], model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The results that wait stay few, however many photos there are."""
    started: list[int] = []
    room = threading.Semaphore(0)

    def counted(photo: Photo, *_: object) -> tuple[np.ndarray]:
        started.append(1)
        room.release()
        return (np.zeros(1, np.float32),)

    monkeypatch.setattr(inference, "_run_photo", counted)
    with contextlib.closing(run_photos(photos * 100, [model], fit="squash", workers=2)) as outcomes:
        next(outcomes)
        while room.acquire(timeout=1):  # until the workers have stood still for a second
            pass
        assert 32 <= len(started) <= 40
        assert len(list(outcomes)) == 1199


def test_no_photos_load_no_network(tmp_path: Path) -> None:
    assert list(run_photos([], [tmp_path / "no such model"], fit="squash")) == []


def test_cores() -> None:
    assert available_cores() >= 1
