"""Frames, and `LiveSource`: the newest frame of a camera, however slow its reader is."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edgeretrain.data.pixels import Pixels
from edgeretrain.errors import EdgeretrainError

Notify = Callable[[str], None]
"""Called with a message for the user, such as that a camera was lost. May be called from another thread."""

FIRST_FRAME_SECONDS = 10.0
"""How long a camera that was opened may take to its first picture. Some webcams need 3 s for their exposure."""

_BACK_OFF = (0.5, 10.0)  # seconds before a lost camera is tried again: at first, at most


def ignore(_: str) -> None:
    """The `Notify` that does nothing."""


@dataclass(frozen=True)
class Frame:
    """One picture of a stream.

    Attributes:
        pixels: uint8 `[h, w, 3]`, RGB.
        taken: seconds: of `time.monotonic()` for a camera, from its beginning for a video.
        name: of the source.
    """

    pixels: Pixels
    taken: float
    name: str


class CameraLost(Exception):
    """A camera that worked before sends no more pictures; its text is the short reason."""


class Device(Protocol):
    """A camera that is open. Used by one thread."""

    def read(self) -> Pixels:
        """Wait for the next picture: uint8 `[h, w, 3]`, RGB.

        Raises:
            CameraLost: none will come; the camera must be opened again.
            EdgeretrainError: its pictures cannot be used.
        """
        ...

    def close(self) -> None:
        """Release the camera. Not an error when it is unplugged."""
        ...


class LiveSource:
    """The newest frame of a camera.

    A thread takes every picture and keeps one, the last: memory does not grow and no frame waits in a queue, however
    slow its reader is. A camera that is lost (unplugged, say) is opened again as soon as that works.

    >>> with LiveSource(lambda: FolderCamera("photos"), name="photos") as source:
    ...     frame = source.newest(timeout=1)
    """

    def __init__(
        self,
        open_device: Callable[[], Device],
        *,
        name: str,
        notify: Notify = ignore,
        patience: float = FIRST_FRAME_SECONDS,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            open_device: opens the camera; raises EdgeretrainError when that does not work.
            name: stands in messages and frames.
            notify: called once when the camera is lost, and once when it is back.
            patience: seconds that the first picture may take.
        """
        self.name = name
        self._open_device = open_device
        self._notify = notify
        self._patience = patience
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._frames = 0
        self._lost: str | None = None
        self._failure: Exception | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "LiveSource":
        """Open the camera and wait for its first picture.

        Raises:
            EdgeretrainError: there is no such camera, it is busy, or no picture comes.
        """
        device = self._open_device()
        self._thread = threading.Thread(target=self._grab, args=(device,), daemon=True, name="camera")
        self._thread.start()
        try:
            with self._changed:
                came = self._changed.wait_for(lambda: self._frames or self._failure, self._patience)
            if self._failure is not None:
                raise self._failure
            if not came:
                raise EdgeretrainError(
                    f"{self.name}: it was opened, but sent no picture within {self._patience:g} s. "
                    "Unplug it and plug it in again, or end the program that uses it."
                )
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread, which closes the camera. A camera that hangs is left behind after 2 s."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2)

    @property
    def lost(self) -> str | None:
        """Why no pictures come at the moment; None while they do."""
        return self._lost

    @property
    def frames(self) -> int:
        """How many pictures the camera has given so far."""
        return self._frames

    def newest(self, timeout: float = 0.5, *, since: float = 0.0) -> Frame | None:
        """The newest frame, if it was not handed out before; else the next one.

        Args:
            timeout: seconds to wait for one.
            since: only a frame taken then or later, `time.monotonic()`.

        Returns:
            None when the time is over.

        Raises:
            EdgeretrainError: the camera's pictures cannot be used.
        """

        def there() -> bool:
            return self._failure is not None or (self._newest is not None and self._newest.taken >= since)

        with self._changed:
            self._changed.wait_for(there, timeout)
            if self._failure is not None:
                raise self._failure
            frame = self._newest
            if frame is None or frame.taken < since:
                return None
            self._newest = None
            return frame

    def _grab(self, device: Device) -> None:
        current: Device | None = device
        delay = _BACK_OFF[0]
        try:
            while not self._stop.is_set():
                if current is None:
                    if self._stop.wait(delay):
                        return
                    delay = min(2 * delay, _BACK_OFF[1])
                    try:
                        current = self._open_device()
                    except EdgeretrainError:  # not yet
                        continue
                try:
                    pixels = current.read()
                except CameraLost as error:
                    current.close()
                    current = None
                    self._lose(str(error))
                else:
                    self._keep(pixels)
                    delay = _BACK_OFF[0]
        except Exception as error:  # carried to the thread that asks for frames
            with self._changed:
                self._failure = error
                self._changed.notify_all()
        finally:
            if current is not None:
                current.close()

    def _keep(self, pixels: Pixels) -> None:
        with self._changed:
            # The time is taken in here: a frame is never older than the moment when the last one was handed out.
            self._newest = Frame(pixels, time.monotonic(), self.name)
            self._frames += 1
            self._changed.notify_all()
        if self._lost is not None:
            self._lost = None
            self._notify(f"{self.name}: it is back.")

    def _lose(self, reason: str) -> None:
        if not self._frames:
            raise EdgeretrainError(
                f"{self.name}: it was opened, but sends no picture ({reason}). Another program may be using it: end "
                "that program, or unplug the camera and plug it in again."
            )
        if self._lost is None:
            self._lost = reason
            self._notify(f"{self.name}: no more pictures ({reason}). Waiting for it to come back.")
