"""The loop that all browsers look at."""

import io
import threading
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.garden import TEXTURES

from edgeretrain.classifier import Classifier
from edgeretrain.serve.live import FEW_CLASSES, LiveView, shown_scores
from edgeretrain.stream.smoothing import Smoother
from edgeretrain.stream.sources import LiveSource
from serve.conftest import Serve
from serve.served import Page, TameCamera


@pytest.fixture
def page(serve: Serve) -> Page:
    """One of its own for each test: they pull its camera out."""
    return serve()


def test_bars_follow_what_the_camera_sees(page: Page) -> None:
    for label in ("stripes", "checks", "dots"):
        page.camera.show(label)
        state = page.until(lambda state, label=label: state.get("label") == label and state["score"] > 0.8)
        assert [name for name, _ in state["scores"]] == sorted(TEXTURES)  # the bars stand still
        assert state["score"] == dict(state["scores"])[label]
        assert state["problem"] is None
        assert state["history"][0]["label"] == label
    assert [entry["label"] for entry in state["history"]][:3] == ["dots", "checks", "stripes"]
    assert 0 < state["fps"] < 200
    assert 0 < state["latency_ms"] < 20_000


def test_the_picture_is_the_newest_frame(page: Page) -> None:
    page.camera.pixels = np.full((48, 64, 3), (200, 30, 40), np.uint8)
    seen = page.live.number
    page.until(lambda state: state["number"] > seen + 2)
    answer = page.ask("/frame")
    assert answer.headers["content-type"] == "image/jpeg"
    assert int(answer.headers["x-frame"]) > seen
    with Image.open(io.BytesIO(answer.body)) as image:
        assert image.size == (64, 48)
        assert np.abs(np.asarray(image).astype(int) - (200, 30, 40)).max() <= 3  # red stays red


def test_a_frame_is_encoded_once_for_all_who_ask(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    page.camera.pulled = True
    page.until(lambda state: state["problem"] is not None)
    while page.ask(f"/state?after={page.live.number}").json["number"] != page.live.number:
        pass  # the last frame may still be on its way
    made: list[int] = []

    def save(_: object, buffer: Any, *__: object, **___: object) -> None:
        made.append(1)
        buffer.write(b"jpeg")

    monkeypatch.setattr(Image.Image, "save", save)
    threads = [threading.Thread(target=page.live.jpeg) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert page.live.jpeg() == (page.live.number, b"jpeg")


def test_a_camera_that_is_pulled_out_is_told_and_so_is_its_return(page: Page) -> None:
    page.until(lambda state: state["number"] > 0)
    page.camera.pulled = True
    state = page.until(lambda state: state["problem"] is not None)
    assert "pulled out" in state["problem"]
    assert "Waiting for it to come back" in state["problem"]
    assert state["label"] in TEXTURES or state["label"] is None  # the last answer stays
    assert page.ask("/frame").status == 200
    page.camera.pulled = False
    back = page.until(lambda state: state["problem"] is None)
    page.until(lambda state: state["number"] > back["number"])
    assert page.camera.opened == 2


def test_pictures_that_cannot_be_used_are_told_and_uploads_go_on(page: Page) -> None:
    page.camera.pixels = np.zeros((48, 64), np.uint8)  # no colour: what a device must never hand out
    state = page.until(lambda state: state["problem"] is not None)
    assert "uint8 [height, width, 3]" in state["problem"]
    assert page.told == []
    assert page.ask("/setup").status == 200


def test_of_many_classes_the_best_are_shown(classifier: Classifier) -> None:
    class Many:
        labels = tuple(f"class {number:02d}" for number in range(40))

        def ranked(self, scores: Any, top_k: int) -> Any:
            return Classifier.ranked(self, scores, top_k)  # type: ignore[arg-type]

    scores = np.random.default_rng(1).dirichlet(np.ones(40)).astype(np.float32)
    shown = shown_scores(Many(), scores)  # type: ignore[arg-type]
    assert len(shown) == FEW_CLASSES
    assert [score for _, score in shown] == sorted((score for _, score in shown), reverse=True)
    assert shown[0][0] == f"class {scores.argmax():02d}"
    assert abs(shown[0][1] - scores.max()) < 1e-4
    assert len(shown_scores(classifier, np.array([0.5, 0.3, 0.2], np.float32))) == 3


def test_the_history_is_bounded(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeretrain.serve.live.HISTORY", 3)
    camera = TameCamera(fps=1000)
    with (
        LiveSource(camera.open, name="tame") as source,
        LiveView(classifier, source, Smoother(classifier.labels, seconds=0, hold=0)) as live,
    ):
        for turn in range(6):
            label = TEXTURES[turn % len(TEXTURES)]
            camera.show(label)
            while live.state().get("label") != label:
                time.sleep(0.001)
        assert [entry["label"] for entry in live.state()["history"]] == [TEXTURES[turn % 3] for turn in (5, 4, 3)]


def test_two_browsers_share_one_camera_and_one_model(serve: Serve) -> None:
    page = serve()
    numbers: list[list[int]] = [[], []]

    def look(mine: list[int]) -> None:
        while len(set(mine)) < 15:
            mine.append(page.ask(f"/state?after={mine[-1] if mine else 0}").json["number"])

    threads = [threading.Thread(target=look, args=(mine,)) for mine in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert page.camera.opened == 1
    for mine in numbers:
        assert mine == sorted(mine)
        assert len(set(mine)) > len(mine) / 2  # an answer is a newer one, unless there is none for a second
    assert numbers[0][-1] <= page.source.frames and numbers[1][-1] <= page.source.frames
