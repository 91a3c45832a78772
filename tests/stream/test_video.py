"""Real videos, written and read by OpenCV; without it, what is said of that."""

import sys
from pathlib import Path

import numpy as np
import pytest
from support.cameras import RED, opencv, red_card
from support.garden import encoded, put

from edgeretrain.errors import EdgeretrainError
from edgeretrain.stream.video import VideoFile, is_video


def write_video(path: Path, frames: list[np.ndarray], fps: float = 10) -> Path:
    """A motion JPEG of uint8 `[h, w, 3]` RGB pictures."""
    cv2 = opencv()
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """20 frames, 2 s: each brighter than the one before."""
    return write_video(tmp_path / "video.avi", [np.full((48, 64, 3), 10 * index, np.uint8) for index in range(20)])


def shades(video: VideoFile) -> list[int]:
    with video:
        return [round(float(frame.pixels.mean()) / 10) for frame in video]


def test_every_frame_in_order(video: Path) -> None:
    told: list[str] = []
    assert shades(VideoFile(video, notify=told.append)) == list(range(20))
    assert told == []
    with VideoFile(str(video)) as opened:
        frames = list(opened)
    assert [frame.taken for frame in frames] == pytest.approx([index / 10 for index in range(20)], abs=0.001)
    assert {frame.name for frame in frames} == {str(video)}
    assert frames[0].pixels.shape == (48, 64, 3) and frames[0].pixels.dtype == np.uint8


def test_each_n_th_frame(video: Path) -> None:
    assert shades(VideoFile(video, every=6)) == [0, 6, 12, 18]
    with VideoFile(video, every=6) as opened:
        assert [frame.taken for frame in opened] == pytest.approx([0, 0.6, 1.2, 1.8], abs=0.001)
    assert shades(VideoFile(video, every=100)) == [0]
    with pytest.raises(EdgeretrainError, match="--every must be at least 1, not 0"):
        VideoFile(video, every=0)


def test_red_is_red(tmp_path: Path) -> None:
    with VideoFile(write_video(tmp_path / "red.avi", [red_card()] * 3)) as opened:
        for frame in opened:
            assert np.abs(frame.pixels[:, :24].astype(int) - RED).max() <= 8
            assert frame.pixels[:, -24:].max() <= 8


def test_a_name_with_a_number_is_no_sequence_of_pictures(video: Path, tmp_path: Path) -> None:
    renamed = video.rename(tmp_path / "clip-001.avi")
    assert len(shades(VideoFile(renamed))) == 20


def test_a_video_that_was_cut_off(video: Path) -> None:
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 3 // 4])
    told: list[str] = []
    found = shades(VideoFile(video, notify=told.append))
    assert found[:5] == list(range(5)) and 5 <= len(found) < 18
    assert told == [f"{video}: the video ends after {len(found)} of 20 frames. It is cut off or damaged there."]


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100, b"RIFF\x10\0\0\0AVI LIST" + bytes(500)])
def test_what_cannot_be_decoded(tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    opencv()
    path = put(tmp_path / "video.avi", content)
    with pytest.raises(EdgeretrainError, match=rf"^{path}: this video cannot be decoded: .*ffmpeg"), VideoFile(path):
        pass
    assert capfd.readouterr().err == ""


def test_no_such_video(tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match=r"none\.mp4: no such file\. Check"), VideoFile(tmp_path / "none.mp4"):
        pass


def test_without_opencv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    path = put(tmp_path / "video.avi", b"RIFF")
    with pytest.raises(EdgeretrainError, match="Reading a video needs OpenCV: pip install opencv-python-headless"):
        VideoFile(path).__enter__()


def test_what_is_a_video(tmp_path: Path) -> None:
    assert is_video(Path("none.mp4")) and is_video(Path("A.MOV"))
    heads = {
        b"RIFF\0\0\0\0AVI LIST": True,
        b"\0\0\0\x20ftypisom": True,
        b"\0\0\0\x14ftypqt  ": True,
        b"\x1a\x45\xdf\xa3\x01\0": True,
        b"\0\0\0\x20ftypheic": False,
        b"\0\0\0\x20ftypavif": False,
        b"RIFF\0\0\0\0WEBPVP8 ": False,
        encoded(red_card()): False,
        b"": False,
    }
    for number, (head, answer) in enumerate(heads.items()):
        assert is_video(put(tmp_path / f"file{number}", head)) is answer, head
    assert not is_video(tmp_path)
    assert not is_video(tmp_path / "none.jpg")
    assert not is_video(Path("a\0b"))
