"""One camera, one model, any number of browsers: the loop that all of them look at."""

import io
import threading
import time
from collections import deque
from typing import Any

from PIL import Image

from edgeretrain.classifier import Classifier
from edgeretrain.stream.loop import Seen, classify_stream
from edgeretrain.stream.smoothing import Smoother
from edgeretrain.stream.sources import LiveSource, Tell, untold

HISTORY = 20
"""Labels that the page remembers."""

FEW_CLASSES = 12
"""Up to this many, the bars stand still, in the order of the labels; of more, the best are shown."""

_JPEG_QUALITY = 92  # saved frames are trained on


class LiveView:
    """Classifies a camera's frames in a thread of its own and keeps what there is to show; use it as a `with`.

    Memory does not grow: it holds the newest frame, its JPEG once somebody asked for it, and the last HISTORY labels.
    """

    def __init__(
        self,
        classifier: Classifier,
        source: LiveSource,
        smoother: Smoother,
        *,
        max_fps: float | None = None,
        tell: Tell = untold,
    ) -> None:
        """Prepare; `source` must be open.

        Args:
            max_fps: look at fewer frames than the model could.
            tell: hears why the loop ended, if it ends by itself.
        """
        self._classifier, self._source, self._smoother, self._max_fps = classifier, source, smoother, max_fps
        self._tell = tell
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True, name="live")
        self._newest: tuple[int, Seen | None] = (0, None)
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
        """How many frames were looked at: the number of the newest one."""
        return self._newest[0]

    def state(self) -> dict[str, Any]:
        """What the page shows beside the picture; ready for JSON."""
        number, seen = self._newest
        state: dict[str, Any] = {"number": number, "problem": self._problem(), "history": list(self._history)}
        if seen is not None:
            held = seen.held
            state |= {
                "label": held.label,
                "score": round(held.score, 4),
                "scores": shown_scores(self._classifier, held.scores),
                "fps": round(seen.fps, 2),
                "latency_ms": round(1000 * seen.latency, 1),
            }
        return state

    def jpeg(self) -> tuple[int, bytes]:
        """The newest frame: its number, and its JPEG, made once for all who ask; number 0 when there is none yet."""
        with self._encoding:
            number, seen = self._newest
            if seen is not None and number != self._jpeg[0]:
                buffer = io.BytesIO()
                Image.fromarray(seen.frame.pixels).save(buffer, "JPEG", quality=_JPEG_QUALITY)
                self._jpeg = number, buffer.getvalue()
            return self._jpeg

    def _problem(self) -> str | None:
        if self._failure is not None:
            return self._failure
        lost = self._source.lost
        return None if lost is None else f"The camera gives no picture any more ({lost}). Waiting for it to come back."

    def _look(self) -> None:
        try:
            for seen in classify_stream(
                self._classifier, self._source, self._smoother, max_fps=self._max_fps, stop=self._stop
            ):
                if seen.held.changed:
                    self._history.appendleft(
                        {
                            "time": round(time.time() - seen.latency, 3),
                            "label": seen.held.label,
                            "score": round(seen.held.score, 4),
                        }
                    )
                self._newest = self._newest[0] + 1, seen
        except Exception as error:  # told on the page: uploads still work, and whoever looks should know
            self._failure = str(error) or type(error).__name__
            self._tell(self._failure)


def shown_scores(classifier: Classifier, scores: Any) -> list[tuple[str, float]]:
    """(label, probability) of the bars to draw, from probabilities float32 `[k]`."""
    if len(classifier.labels) <= FEW_CLASSES:
        return [(label, round(float(score), 4)) for label, score in zip(classifier.labels, scores, strict=True)]
    return [(one.label, round(one.score, 4)) for one in classifier.ranked(scores, FEW_CLASSES)]
