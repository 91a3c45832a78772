"""The loop: newest frames only, one answer each, flat memory, cameras faster and slower than the model."""

import itertools
import multiprocessing
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cameras import counting, number
from support.garden import Run, texture

from edgeretrain.classifier import Classifier
from edgeretrain.stream.loop import ClassifiedFrame, classify_stream
from edgeretrain.stream.smoothing import Smoother
from edgeretrain.stream.sources import Frame, LiveSource

LABELS = ("a", "b")


class Model:
    """In place of a Classifier: takes a fixed time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.began: list[float] = []

    def probabilities(self, pixels: Any) -> np.ndarray:
        self.began.append(time.monotonic())
        time.sleep(self.seconds)
        return np.float32([0.25, 0.75])


def run_stream(model: Any, source: Any, count: int, **options: Any) -> list[ClassifiedFrame]:
    stream = classify_stream(model, source, Smoother(LABELS, hold=0), **options)
    return [classified for classified, _ in zip(stream, range(count), strict=False)]


def check(classified: list[ClassifiedFrame], model: Model) -> None:
    numbers = [number(frame.frame.pixels) for frame in classified]
    assert numbers == sorted(set(numbers))  # each frame once, in order
    # Taken after the frame before went into the model: never older than two inferences.
    for began, frame in zip(model.began, classified[1:], strict=False):
        assert frame.frame.taken >= began - 0.002  # began is noted a moment after the frame was handed out
    for frame in classified:
        assert 0 < frame.inference <= frame.latency


def test_a_camera_faster_than_the_model() -> None:
    model = Model(0.01)
    with counting(0.001) as source:
        classified = run_stream(model, source, 30)
        check(classified, model)
        assert source.frames > 2 * len(classified)  # most were passed over


def test_a_camera_slower_than_the_model() -> None:
    model = Model(0.001)
    with counting(0.02) as source:
        classified = run_stream(model, source, 20)
    check(classified, model)
    numbers = [number(frame.frame.pixels) for frame in classified]
    assert len(numbers) == 20
    assert 0 < classified[-1].fps < 60


def test_what_is_seen(run: Run) -> None:
    photo = texture("dots", 3)
    with Classifier(run.model("int8")) as classifier:
        (classified,) = classify_stream(classifier, [Frame(photo, 7.0, "video")], Smoother(classifier.labels, hold=0))
        assert (classified.scores == classifier.probabilities(photo)).all()
        assert (classified.smoothed.scores == classified.scores).all()
        assert classified.smoothed.label == classifier(photo, top_k=1)[0].label
        assert classified.frame.pixels is photo
        assert (classified.latency, classified.fps) == (classified.inference, 0)


def test_fewer_frames_on_request() -> None:
    began = time.monotonic()
    with counting(0.001) as source:
        classified = run_stream(Model(0), source, 6, max_fps=50)
    assert time.monotonic() - began >= 5 / 50
    for earlier, later in itertools.pairwise(classified):
        assert later.frame.taken - earlier.frame.taken >= 1 / 50  # and fresh: not one that lay about meanwhile


def test_stop() -> None:
    stop = threading.Event()
    with counting(0.001) as source:
        stream = classify_stream(Model(0), source, Smoother(LABELS), stop=stop)  # type: ignore[arg-type]
        next(stream)
        stop.set()
        assert list(stream) == []
    frames = [Frame(np.zeros((1, 1, 3), np.uint8), float(index), "video") for index in range(5)]
    stop.clear()
    answers = []
    for classified in classify_stream(Model(0), frames, Smoother(LABELS), stop=stop):  # type: ignore[arg-type]
        answers.append(classified)
        stop.set()
    assert len(answers) == 1


def test_stop_while_no_frame_comes() -> None:
    stop = threading.Event()
    with counting(0.0001, last=1) as source:
        stream = classify_stream(Model(0), source, Smoother(LABELS), stop=stop)  # type: ignore[arg-type]
        next(stream)
        threading.Timer(0.05, stop.set).start()
        assert list(stream) == []


class _Photos:
    """640 x 480 pictures, a new array each, as a camera gives them."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def read(self) -> np.ndarray:
        time.sleep(self.seconds)
        return np.full((480, 640, 3), 100, np.uint8)

    def close(self) -> None:
        pass


def grown(classifier: Any, seconds: float, count: int) -> int:
    """Bytes by which memory grew from a tenth of the frames to the last."""
    tracemalloc.start()
    try:
        first = 0
        with LiveSource(lambda: _Photos(seconds), name="camera") as source:
            stream: Iterator[ClassifiedFrame] = classify_stream(classifier, source, Smoother(classifier.labels))
            for index, classified in enumerate(stream):
                del classified
                if index == count // 10:
                    first = tracemalloc.get_traced_memory()[0]
                if index == count:
                    return tracemalloc.get_traced_memory()[0] - first
        raise AssertionError("unreachable")
    finally:
        tracemalloc.stop()


class Instant(Model):
    labels = LABELS

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(seconds)

    def probabilities(self, pixels: Any) -> np.ndarray:
        if self.seconds:
            time.sleep(self.seconds)
        return np.float32([0.5, 0.5])


FRAME = 480 * 640 * 3


@pytest.mark.parametrize(("camera", "model"), [(0.0, 0.001), (0.001, 0.0)], ids=["fast camera", "slow camera"])
def test_memory_stays_flat(camera: float, model: float) -> None:
    assert grown(Instant(model), camera, 300) < 3 * FRAME  # a queue would hold hundreds


def late_and_resident(model: Path, camera: float, count: int) -> tuple[int, list[int]]:
    """How many of `count` frames were answered late, and the process's bytes after every thousand."""
    late = 0
    resident = []
    with Classifier(model) as classifier, LiveSource(lambda: _Photos(camera), name="c") as source:
        before = 0.0
        for index, classified in enumerate(classify_stream(classifier, source, Smoother(classifier.labels))):
            # The two inferences are this one and the one before; what is left is waiting for the processor.
            late += classified.latency > 2 * max(classified.inference, before) + 0.005
            before = classified.inference
            if index % 1000 == 0:
                resident.append(int(Path("/proc/self/statm").read_text().split()[1]) * 4096)
            if index == count:
                break
    return late, resident


@pytest.mark.slow
@pytest.mark.parametrize(
    ("camera", "count"), [(0.003, 20_000), (0.02, 2_000)], ids=["faster than the model", "slower than the model"]
)
def test_memory_and_age_over_20000_frames(run: Run, camera: float, count: int) -> None:
    """20,000 frames of the camera through the real int8 model: resident memory, and how old each frame is.

    In a process of its own: what earlier tests have left in this one makes its memory grow.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        late, resident = process.submit(late_and_resident, run.model("int8"), camera, count).result()
    assert late <= count / 100, late
    assert resident[-1] - resident[1] < 8 * FRAME, resident
