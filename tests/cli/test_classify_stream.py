"""`edgeretrain classify` on cameras, videos and watched folders, as a user runs it."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.cameras import Webcam, opencv, plug
from support.garden import put

from cli.conftest import Run, command
from edgeretrain.cli.classify_stream import Screen
from edgeretrain.stream import sources

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2 and pseudo-terminals")


def scene(photo_folder: Path, label: str) -> np.ndarray:
    """A photo of a class as OpenCV would give it: uint8 `[h, w, 3]`, B, G, R."""
    return np.ascontiguousarray(np.array(Image.open(photo_folder / label / "1.png"))[..., ::-1])


@pytest.fixture
def webcam(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photo_folder: Path) -> Webcam:
    world = plug(monkeypatch, tmp_path / "devices", {"video0": ("webcam", 0)})
    world.picture = scene(photo_folder, "grass")
    show = Screen.show

    def noted(screen: Screen, *seen: Any, **options: Any) -> None:
        show(screen, *seen, **options)
        world.shown += 1

    monkeypatch.setattr(Screen, "show", noted)
    return world


class During:
    """Does something to a stream while a command runs in this process, and then stops it as Ctrl-C would."""

    def __init__(self, steps: Callable[[], None], stop: int) -> None:
        self._thread = threading.Thread(target=self._run, args=(steps, stop))
        self._thread.start()

    def _run(self, steps: Callable[[], None], stop: int) -> None:
        try:
            steps()
        finally:
            os.kill(os.getpid(), stop)

    def end(self) -> None:
        self._thread.join()


@pytest.fixture
def stream(cli: Run, run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Run classify on a stream in this process until the steps are done."""
    monkeypatch.setattr(sources, "_BACK_OFF", (0.01, 0.05))
    # pytest in a shell's background is deaf to Ctrl-C; a user's command is not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def run(*arguments: Any, steps: Callable[[], None], stop: int = signal.SIGINT) -> Any:
        during = During(steps, stop)
        try:
            return cli("classify", run_folder / "model.int8.tflite", *arguments)
        finally:
            during.end()

    yield run
    signal.signal(signal.SIGINT, before)


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)


QUICK = ("--smooth", 0, "--hold", 0, "--reject-below", 0)
SUMMARY = re.compile(
    r"[\d,]+ frames in [\d.]+ s \([\d.]+ a second\), latency \d+ ms on average and \d+ ms at most; "
    r"the label changed (\d+) times\."
)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_camera_in_plain_lines(stream: Any, webcam: Webcam, photo_folder: Path, stop: int, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.touch()

    def steps() -> None:
        until(lambda: notes.read_text().split() == ["grass"])
        webcam.picture = scene(photo_folder, "bricks")
        until(lambda: notes.read_text().split() == ["grass", "bricks"])

    say = f"{sys.executable} -c 'import sys; open(sys.argv[1], \"a\").write(sys.argv[2] + chr(10))' {notes} {{label}}"
    ended = stream("camera", *QUICK, "--on-label", say, steps=steps, stop=stop)
    assert ended.code == 0
    lines = [line.split() for line in ended.out.splitlines()]
    assert [label for _, label, _ in lines] == ["grass", "bricks"]
    assert re.fullmatch(r"\d\d:\d\d:\d\d  grass \d+\.\d%", ended.out.splitlines()[0])
    (summary,) = ended.err.splitlines()
    told = SUMMARY.fullmatch(summary)
    assert told is not None and told[1] == "2"
    assert notes.read_text().split() == ["grass", "bricks"]


def test_a_camera_in_json_lines(stream: Any, webcam: Webcam, photo_folder: Path) -> None:
    def steps() -> None:
        until(lambda: webcam.shown >= 3)

    ended = stream("camera", *QUICK, "--json", "-k", 1, "--quiet", steps=steps)
    assert (ended.code, ended.err) == (0, "")
    lines = [json.loads(line) for line in ended.out.splitlines()]
    assert len(lines) >= 2
    assert [line["changed"] for line in lines] == [True, *[False] * (len(lines) - 1)]
    for line in lines:
        assert line["label"] == "grass" and line["predictions"] == [
            {"label": "grass", "score": pytest.approx(line["score"], abs=1e-6)}
        ]
        assert abs(line["time"] - time.time()) < 600 and line["latency_ms"] > 0 and line["fps"] >= 0


def test_nothing_known_and_hold(stream: Any, webcam: Webcam) -> None:
    def steps() -> None:
        before = webcam.shown
        until(lambda: webcam.shown >= before + 3)

    ended = stream("camera", "--hold", 0, "--reject-below", 1, "--json", steps=steps)
    assert {json.loads(line)["label"] for line in ended.out.splitlines()} == {None}
    ended = stream("camera", "--hold", 60, "--reject-below", 0, steps=steps)
    assert ended.out == "" and "the label changed 0 times" in ended.err


def test_a_camera_that_is_unplugged_is_told_once_and_comes_back(stream: Any, webcam: Webcam) -> None:
    def steps() -> None:
        until(lambda: webcam.shown >= 3)
        webcam.plugged = False
        until(lambda: len(webcam.opened) > 4)
        before, webcam.plugged = webcam.shown, True
        until(lambda: webcam.shown >= before + 3)

    ended = stream("camera", *QUICK, steps=steps)
    assert ended.code == 0
    assert ended.err.splitlines()[:-1] == [
        "camera: no more pictures (it sends nothing). Waiting for it to come back.",
        "camera: it is back.",
    ]
    assert len(ended.out.splitlines()) == 1  # the same scene: the label did not change


def test_cameras_that_cannot_be_used(cli: Run, run_folder: Path, webcam: Webcam, tmp_path: Path) -> None:
    given = ("classify", run_folder / "model.int8.tflite")
    cli(*given, "camera:1").fails("camera:1: there is no such camera; found: /dev/video0")
    cli(*given, "camera:/dev/none").fails("there is no device /dev/none")
    webcam.silent = True
    cli(*given, "camera").fails("camera: it was opened, but sends no picture", "Another program may be using it")
    webcam.silent, webcam.picture = False, np.zeros((4, 4), np.uint16)
    cli(*given, "camera").fails("camera: the format of its pictures is not supported (GRAY, uint16 [4, 4])")
    cli(*given, "camera", "--on-label", "say '").fails("cannot be parsed", "Check the quotes")


def test_a_missing_command_is_told_and_the_stream_goes_on(stream: Any, webcam: Webcam) -> None:
    def steps() -> None:
        until(lambda: webcam.shown >= 3)

    ended = stream("camera", *QUICK, "--on-label", "no-such-command {label}", steps=steps)
    assert ended.code == 0
    assert ended.err.splitlines()[0] == (
        "The command no-such-command '{label}': it cannot be run (No such file or directory). This is "
        "reported only once."
    )
    assert len(ended.out.splitlines()) == 1


def test_a_video(cli: Run, run_folder: Path, photo_folder: Path, tmp_path: Path) -> None:
    """A second of each class; in video time, however fast it runs."""
    cv2 = opencv()
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20, (48, 48))
    for label in ("grass", "bricks"):
        for _ in range(40):
            writer.write(scene(photo_folder, label))
    writer.release()
    given = ("classify", run_folder / "model.int8.tflite", path, "--reject-below", 0)
    ended = cli(*given)
    assert ended.code == 0 and ended.err.startswith("80 frames in ")
    lines = [line.split() for line in ended.out.splitlines()]
    assert [line[2] for line in lines] == ["grass", "bricks"]
    # hold 0.5 s; then 0.5 ln 2 s until the second class leads (scores are not quite 0 and 1), and 0.5 s again
    assert [float(line[0]) for line in lines] == pytest.approx([0.5, 2.85], abs=0.3)
    frames = [
        json.loads(line) for line in cli(*given, "--json", "--every", 8, *QUICK, "-q").succeeds().out.splitlines()
    ]
    assert [frame["time"] for frame in frames] == pytest.approx([0.4 * index for index in range(10)], abs=0.01)
    assert [frame["label"] for frame in frames] == ["grass"] * 5 + ["bricks"] * 5


def test_a_video_that_is_none(cli: Run, run_folder: Path, tmp_path: Path) -> None:
    opencv()
    path = put(tmp_path / "clip.mp4", b"nothing" * 100)
    cli("classify", run_folder / "model.int8.tflite", path).fails("clip.mp4: this video cannot be decoded", "ffmpeg")


def test_without_opencv(cli: Run, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setitem(sys.modules, "picamera2", None)
    given = ("classify", run_folder / "model.int8.tflite")
    cli(*given, "camera").fails("Reading a camera needs OpenCV", "opencv-python-headless", "python3-picamera2")
    cli(*given, put(tmp_path / "clip.mp4", b"x")).fails("Reading a video needs OpenCV", "python3-opencv")


# Processes of their own


@pytest.fixture
def started(run_folder: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start classify in a process of its own, heeding Ctrl-C as a user's would."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: Any, **options: Any) -> "subprocess.Popen[str]":
        given = command("classify", run_folder / "model.int8.tflite", *arguments)
        process = subprocess.Popen(
            given, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None, **options
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_watched_folder(started: Any, photo_folder: Path, tmp_path: Path, stop: int) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    good = (photo_folder / "grass" / "1.png").read_bytes()
    put(folder / "old.png", good)
    process = started(folder, "--watch", "--json", "--reject-below", 0, **PIPES)
    assert process.stderr.readline() == f"Watching {folder} for new photos. Stop with Ctrl-C.\n"
    half = folder / "slow.png"
    half.write_bytes(good[: len(good) // 2])
    put(folder / "sub" / ".upload", good).rename(folder / "sub" / "new.png")
    answer = json.loads(process.stdout.readline())
    assert answer["photo"] == str(folder / "sub" / "new.png") and answer["rejected"] is False
    assert answer["predictions"][0]["label"] == "grass"
    half.write_bytes(good)
    assert json.loads(process.stdout.readline())["photo"] == str(half)
    process.send_signal(stop)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_terminal_has_one_live_line(started: Any, photo_folder: Path, tmp_path: Path) -> None:
    """With OpenCV's fake in the child, through a site of its own; the line is drawn over and over."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import pathlib, sys\n"
        f"sys.path += {[str(Path(__file__).parents[1])]!r}\n"
        "import pytest, numpy\n"
        "from support import cameras\n"
        f"devices = pathlib.Path({str(tmp_path / 'devices')!r})\n"
        "world = cameras.plug(pytest.MonkeyPatch(), devices, {'video0': ('webcam', 0)})\n"
        f"world.picture = numpy.load({str(tmp_path / 'scene.npy')!r})\n"
    )
    np.save(tmp_path / "scene.npy", scene(photo_folder, "grass"))
    ours, theirs = pty.openpty()
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")]), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "70"}
    process = started("camera", *QUICK, stdout=theirs, stderr=subprocess.PIPE, env=environment)
    os.close(theirs)
    drawn = b""
    while drawn.count(b"\r") < 4:
        drawn += os.read(ours, 1000)
    process.send_signal(signal.SIGTERM)
    with_end = drawn
    try:
        while block := os.read(ours, 1000):
            with_end += block
    except OSError:  # how a pseudo-terminal ends on Linux
        pass
    _, err = process.communicate(timeout=30)
    os.close(ours)
    assert process.returncode == 0
    lines = with_end.decode().replace("\r\n", "\n").rstrip("\n").split("\r")[1:]
    assert len(lines) >= 4
    assert all(len(line) == 69 and line.startswith("grass  [####") for line in lines), lines
    assert re.search(r"\] +\d+\.\d%  +\d+\.\d fps  +\d+ ms *$", lines[-1])
    assert with_end.endswith(b"\n")
    assert SUMMARY.fullmatch(err.strip())


def test_a_reader_that_goes_away_ends_it(started: Any, photo_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    process = started(folder, "--watch", **PIPES)
    process.stderr.readline()
    process.stdout.close()
    put(folder / "new.png", (photo_folder / "grass" / "1.png").read_bytes())
    assert process.wait(30) == 1
    assert process.stderr.read() == ""
    process.stdout = None
