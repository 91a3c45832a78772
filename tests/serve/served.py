"""A page that is really served, on a port of its own, from a camera that does as it is told."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from support.garden import TEXTURES, texture

from edgeretrain.classifier import Classifier
from edgeretrain.data.pixels import Pixels
from edgeretrain.errors import EdgeretrainError
from edgeretrain.serve.address import listen
from edgeretrain.serve.app import AppResources, make_app
from edgeretrain.serve.auth import Guard
from edgeretrain.serve.live import LiveView
from edgeretrain.serve.photos_store import PhotosStore
from edgeretrain.serve.server import run
from edgeretrain.stream.smoothing import Smoother
from edgeretrain.stream.sources import CameraLost, Device, LiveSource

TOKEN = "correct-horse-battery"
SECONDS = 20  # that anything may take


class TameCamera:
    """A device that shows one texture until it is told to show another, or pulled out."""

    def __init__(self, fps: float = 20) -> None:
        self.pixels: Pixels = texture(TEXTURES[0], 0)
        self.pulled = False
        self.opened = 0
        self._pause = 1 / fps

    def open(self) -> "TameCamera":
        if self.pulled:
            raise EdgeretrainError("there is no camera")
        self.opened += 1
        return self

    def read(self) -> Pixels:
        time.sleep(self._pause)
        if self.pulled:
            raise CameraLost("pulled out")
        return self.pixels.copy()

    def close(self) -> None:
        """Nothing is open."""

    def show(self, label: str, number: int = 0) -> None:
        self.pixels = texture(label, number)


@dataclass(frozen=True)
class Answer:
    """What the server said; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def refuses(self, status: int, *words: str) -> str:
        """Check that it is refused with these words; the message."""
        assert self.status == status, self
        message = str(self.json["error"])
        assert message.endswith("."), message
        for word in words:
            assert word in message, message
        return message


class Page:
    """A served page and what is behind it."""

    def __init__(self, port: int, live: LiveView, camera: TameCamera, source: LiveSource) -> None:
        self.port, self.live, self.camera, self.source = port, live, camera, source
        self.told: list[str] = []
        self.requests: list[str] = []

    def ask(self, path: str, body: Any = None, method: str | None = None, own: bool = True, **headers: Any) -> Answer:
        """One request over a connection of its own; `own`: as our page's script makes it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if own:
            sent.setdefault("X-Edgeretrain", "1")
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def cookie(self, token: str = TOKEN) -> str:
        """What a browser sends once it was shown the token."""
        return self.ask(f"/?token={token}", own=False).headers["set-cookie"].split(";")[0]

    def until(self, holds: Any) -> dict[str, Any]:
        """The first state of which that holds."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            state: dict[str, Any] = self.ask("/state").json
            if holds(state):
                return state
        raise AssertionError(f"never, lastly {state}")


@contextmanager
def served(
    classifier: Classifier,
    *,
    token: str | None = None,
    photos: Path | None = None,
    host: str = "127.0.0.1",
    device: Device | None = None,
) -> Iterator[Page]:
    """Serve until the end of the `with`; then nothing of it may be left.

    Args:
        device: in place of the tame camera.
    """
    before = set(threading.enumerate())
    camera, stop = TameCamera(), threading.Event()
    with ExitStack() as stack:
        listening = listen(host, 0)
        stack.enter_context(listening.socket)
        source = stack.enter_context(LiveSource(lambda: device or camera.open(), name="tame"))
        live = stack.enter_context(LiveView(classifier, source, Smoother(classifier.labels, seconds=0.05, hold=0.05)))
        page = Page(listening.port, live, camera, source)
        resources = AppResources(
            classifier,
            live,
            model="model.int8.tflite",
            store=None if photos is None else PhotosStore(photos, classifier.labels),
            notify=page.told.append,
        )
        guard = Guard(token, host=host, port=listening.port)
        app = make_app(resources, guard, log_request=page.requests.append)
        thread = threading.Thread(target=run, args=(app, listening), kwargs={"stop": stop})
        thread.start()
        try:
            end = time.monotonic() + SECONDS
            while not live.number:
                assert time.monotonic() < end
                time.sleep(0.01)
            yield page
        finally:
            stop.set()
            thread.join(SECONDS)
    # The pool's idle workers end by themselves.
    left = [
        thread for thread in set(threading.enumerate()) - before if thread.is_alive() and "AnyIO" not in thread.name
    ]
    assert not left, left


def noise(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
