"""One camera, one model, any number of browsers: the loop that serves all of them."""

import io
import threading
import time
from collections import deque
from typing import Any

from PIL import Image

from edgeretrain.classifier import Classifier
from edgeretrain.stream.loop import ClassifiedFrame, classify_stream
from edgeretrain.stream.smoothing import Smoother
from edgeretrain.stream.sources import LiveSource, Notify, ignore

HISTORY = 20
"""Labels that the page remembers."""

FEW_CLASSES = 12
"""Up to this many, all bars are shown, in the order of the labels; of more classes, the best ones."""

_JPEG_QUALITY = 92  # saved frames are trained on


class LiveView:
    """Classifies a camera's frames in a thread of its own and keeps the newest result; use it as a `with`.

    Memory does not grow: it holds the newest frame, its JPEG once it was requested, and the last HISTORY labels.
    """

    def __init__(
        self,
        classifier: Classifier,
        source: LiveSource,
        smoother: Smoother,
        *,
        max_fps: float | None = None,
        notify: Notify = ignore,
    ) -> None:
        """Prepare; `source` must be open.

        Args:
            max_fps: limit; default as many frames as the model can.
            notify: called with the reason if the loop ends by itself.
        """
        self._classifier, self._source, self._smoother, self._max_fps = classifier, source, smoother, max_fps
        self._notify = notify
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="live")
        self._newest: tuple[int, ClassifiedFrame | None] = (0, None)
        self._history: deque[dict[str, Any]] = deque(maxlen=HISTORY)
        self._failure: str | None = None
        self._encoding = threading.Lock()
        self._jpeg: tuple[int, bytes] = (0, b"")

    def __enter__(self) -> "LiveView":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)

    @property
    def number(self) -> int:
        """How many frames were classified: the number of the newest one."""
        return self._newest[0]

    def state(self) -> dict[str, Any]:
        """What the page shows beside the picture; ready for JSON."""
        number, classified = self._newest
        state: dict[str, Any] = {"number": number, "problem": self._problem(), "history": list(self._history)}
        if classified is not None:
            smoothed = classified.smoothed
            state |= {
                "label": smoothed.label,
                "score": round(smoothed.score, 4),
                "scores": shown_scores(self._classifier, smoothed.scores),
                "fps": round(classified.fps, 2),
                "latency_ms": round(1000 * classified.latency, 1),
            }
        return state

    def jpeg(self) -> tuple[int, bytes]:
        """Number and JPEG of the newest frame, encoded once for all requests; number 0 when there is none yet."""
        with self._encoding:
            number, classified = self._newest
            if classified is not None and number != self._jpeg[0]:
                buffer = io.BytesIO()
                Image.fromarray(classified.frame.pixels).save(buffer, "JPEG", quality=_JPEG_QUALITY)
                self._jpeg = number, buffer.getvalue()
            return self._jpeg

    def _problem(self) -> str | None:
        if self._failure is not None:
            return self._failure
        lost = self._source.lost
        return None if lost is None else f"The camera sends no more pictures ({lost}). Waiting for it to come back."

    def _run(self) -> None:
        try:
            for classified in classify_stream(
                self._classifier, self._source, self._smoother, max_fps=self._max_fps, stop=self._stop
            ):
                if classified.smoothed.changed:
                    self._history.appendleft(
                        {
                            "time": round(time.time() - classified.latency, 3),
                            "label": classified.smoothed.label,
                            "score": round(classified.smoothed.score, 4),
                        }
                    )
                self._newest = self._newest[0] + 1, classified
        except Exception as error:  # shown on the page: uploads still work
            self._failure = str(error) or type(error).__name__
            self._notify(self._failure)


def shown_scores(classifier: Classifier, scores: Any) -> list[tuple[str, float]]:
    """(label, probability) of the bars to draw, from probabilities float32 `[k]`."""
    if len(classifier.labels) <= FEW_CLASSES:
        return [(label, round(float(score), 4)) for label, score in zip(classifier.labels, scores, strict=True)]
    return [(prediction.label, round(prediction.score, 4)) for prediction in classifier.ranked(scores, FEW_CLASSES)]
