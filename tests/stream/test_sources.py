"""The newest frame wins, none is handed out twice, and a camera that goes comes back."""

import threading
import time

import pytest
from support.cameras import CountingDevice, counting, number

from edgeretrain.errors import EdgeretrainError
from edgeretrain.stream import sources
from edgeretrain.stream.sources import CameraLost, LiveSource


def test_a_slow_reader_gets_the_newest() -> None:
    with counting(0.001) as source:
        for _ in range(5):
            time.sleep(0.02)
            before = source.frames
            frame = source.newest(60)
            assert frame is not None and frame.name == "counter"
            assert before <= number(frame.pixels) <= source.frames


def test_no_frame_twice() -> None:
    with counting(0.005) as source:
        seen = [frame for _ in range(20) if (frame := source.newest(1))]
    numbers = [number(frame.pixels) for frame in seen]
    assert len(numbers) == 20 and numbers == sorted(set(numbers))
    assert [frame.taken for frame in seen] == sorted(frame.taken for frame in seen)


def test_a_frame_was_taken_after_the_one_before_was_handed_out() -> None:
    with counting(0.0005) as source:
        handed = 0.0
        for _ in range(100):
            frame = source.newest(1)
            assert frame is not None and frame.taken >= handed
            handed = time.monotonic()
            time.sleep(0.001)


def test_no_frame_in_time() -> None:
    go_on = threading.Event()

    class Halting(CountingDevice):
        def read(self):  # type: ignore[no-untyped-def]
            assert self.given != 1 or go_on.wait(60)
            return super().read()

    with LiveSource(lambda: Halting(0.001), name="x") as source:
        assert source.newest(60) is not None
        assert source.newest(0.01) is None
        go_on.set()
        assert source.newest(60) is not None


def test_since_takes_no_older_frame() -> None:
    with counting(0.002) as source:
        since = time.monotonic() + 0.05
        frame = source.newest(1, since=since)
        assert frame is not None and frame.taken >= since
        assert source.newest(0.01, since=time.monotonic() + 60) is None


def test_closing_ends_the_thread_and_the_device() -> None:
    device = CountingDevice(0.001)
    before = set(threading.enumerate())
    with LiveSource(lambda: device, name="x"):
        assert not device.closed
        assert len(set(threading.enumerate()) - before) == 1
    assert device.closed
    assert not set(threading.enumerate()) - before


def test_a_camera_that_cannot_be_opened() -> None:
    def busy() -> CountingDevice:
        raise EdgeretrainError("camera: busy.")

    with pytest.raises(EdgeretrainError, match=r"^camera: busy\.$"), LiveSource(busy, name="camera"):
        pass


def test_a_camera_without_pictures() -> None:
    with (
        pytest.raises(EdgeretrainError, match=r"^camera: it was opened, but sent no picture within 0\.05 s\."),
        LiveSource(lambda: CountingDevice(1), name="camera", patience=0.05),
    ):
        pass
    device = CountingDevice(0, last=0)
    with (
        pytest.raises(EdgeretrainError, match=r"sends no picture \(that was the last\)\. Another program"),
        LiveSource(lambda: device, name="camera"),
    ):
        pass
    assert device.closed


def test_a_camera_that_goes_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_BACK_OFF", (0.002, 0.01))
    opened: list[CountingDevice] = []
    told: list[str] = []

    def open_device() -> CountingDevice:
        if 1 <= len(opened) < 5:  # away for a while; then it opens, but gives nothing at first
            opened.append(CountingDevice(0, last=0))
            if len(opened) < 4:
                raise EdgeretrainError("no such camera")
            return opened[-1]
        opened.append(CountingDevice(0.001, last=10 if not opened else 10**9))
        return opened[-1]

    with LiveSource(open_device, name="camera", notify=told.append) as source:
        deadline = time.monotonic() + 10
        while len(told) < 2 and time.monotonic() < deadline:
            source.newest(0.05)
        assert source.lost is None
        assert source.newest(1) is not None
    assert told == [
        "camera: no more pictures (that was the last). Waiting for it to come back.",
        "camera: it is back.",
    ]
    assert len(opened) == 6 and opened[0].closed and opened[3].closed and opened[4].closed


def test_the_back_off_grows_and_ends_with_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_BACK_OFF", (0.001, 0.004))
    waits: list[float] = []
    opened: list[CountingDevice] = []

    def open_device() -> CountingDevice:
        if opened:
            raise EdgeretrainError("gone")
        opened.append(CountingDevice(0, last=1))
        return opened[0]

    source = LiveSource(open_device, name="camera")
    wait = source._stop.wait

    def noted(seconds: float) -> bool:
        waits.append(seconds)
        return wait(seconds)

    monkeypatch.setattr(source._stop, "wait", noted)
    with source:
        while len(waits) < 5:
            time.sleep(0.001)
        assert source.lost == "that was the last"
    assert waits[:5] == [0.001, 0.002, 0.004, 0.004, 0.004]


def test_pictures_that_cannot_be_used_end_it() -> None:
    entered = threading.Event()

    class Odd(CountingDevice):
        def read(self):  # type: ignore[no-untyped-def]
            if self.given == 3:
                assert entered.wait(60)  # the first picture must have arrived
                raise EdgeretrainError("odd pictures.")
            return super().read()

    with LiveSource(lambda: Odd(0.001), name="camera") as source:
        entered.set()
        with pytest.raises(EdgeretrainError, match="odd"):
            for _ in range(100):
                source.newest(1)


def test_pictures_that_cannot_be_used_from_the_first() -> None:
    class Odd(CountingDevice):
        def read(self):  # type: ignore[no-untyped-def]
            raise EdgeretrainError("odd pictures.")

    device = Odd(0)
    with pytest.raises(EdgeretrainError, match="odd"), LiveSource(lambda: device, name="camera"):
        pass
    assert device.closed


def test_lost_is_not_an_error_of_the_user() -> None:
    assert not issubclass(CameraLost, EdgeretrainError)
