"""Frames -> model -> smoothing -> what to show: the loop behind `edgeretrain classify camera`."""

import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeretrain.classifier import Classifier
from edgeretrain.stream.smoothing import SmoothedPrediction, Smoother
from edgeretrain.stream.sources import Frame, LiveSource

_WAIT_SECONDS = 0.25  # between two checks of `stop` while no frame comes
_FRAMES_FOR_SPEED = 30


@dataclass(frozen=True)
class ClassifiedFrame:
    """A frame that went through the model.

    Attributes:
        scores: of this frame alone, float32 `[k]`.
        smoothed: label and probabilities after smoothing.
        inference: seconds that resizing and the model took.
        latency: seconds from the picture to this answer; of a video, the same as `inference`.
        fps: frames a second, over the last 30.
    """

    frame: Frame
    scores: npt.NDArray[np.float32]
    smoothed: SmoothedPrediction
    inference: float
    latency: float
    fps: float


def classify_stream(
    classifier: Classifier,
    source: LiveSource | Iterable[Frame],
    smoother: Smoother,
    *,
    max_fps: float | None = None,
    stop: threading.Event | None = None,
) -> Iterator[ClassifiedFrame]:
    """Classify a stream until it ends or `stop` is set.

    From a camera, always the newest frame is taken, and none twice. So a frame was taken after the previous one went
    into the model: it is never older than two inferences.

    Args:
        source: an open camera, or frames that all count, such as a `VideoFile`.
        max_fps: limit for a camera; default as many as the model can.

    Raises:
        EdgeretrainError: the source's pictures cannot be used.
    """
    stop = stop or threading.Event()
    live = isinstance(source, LiveSource)
    picked: deque[float] = deque(maxlen=_FRAMES_FOR_SPEED + 1)
    for frame in _live_frames(source, max_fps, stop) if isinstance(source, LiveSource) else source:
        if stop.is_set():
            return
        began = time.monotonic()
        picked.append(began)
        scores = classifier.probabilities(frame.pixels)
        smoothed = smoother.add(scores, frame.taken)
        ended = time.monotonic()
        fps = (len(picked) - 1) / (began - picked[0]) if began > picked[0] else 0.0
        yield ClassifiedFrame(frame, scores, smoothed, ended - began, ended - (frame.taken if live else began), fps)


def _live_frames(source: LiveSource, max_fps: float | None, stop: threading.Event) -> Iterator[Frame]:
    due = -math.inf
    while not stop.is_set():
        frame = source.newest(_WAIT_SECONDS, since=due)
        if frame is not None:
            if max_fps is not None:
                due = time.monotonic() + 1 / max_fps
            yield frame
