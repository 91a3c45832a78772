"""A red card is red, however the camera lays out its bytes."""

import io

import numpy as np
import pytest
from PIL import Image
from support.cameras import RED, red_card

from edgeretrain.errors import EdgeretrainError
from edgeretrain.stream.colour import opencv_layout, to_rgb

CARD = red_card()
FOUR = np.concatenate([CARD, np.full((48, 64, 1), 255, np.uint8)], axis=2)


@pytest.mark.parametrize(
    ("layout", "picture"),
    [("RGB", CARD), ("BGR", CARD[..., ::-1]), ("RGBX", FOUR), ("BGRX", FOUR[..., [2, 1, 0, 3]])],
)
def test_red_stays_red(layout: str, picture: np.ndarray) -> None:
    rgb = to_rgb(picture, layout, "camera")
    assert (rgb == CARD).all() and rgb.dtype == np.uint8 and rgb.flags.c_contiguous
    assert tuple(rgb[0, 0]) == RED


@pytest.mark.parametrize("layout", ["RGB", "BGR", "RGBX"])
def test_the_result_is_a_copy(layout: str) -> None:
    """The camera may write its next picture into the same memory."""
    picture = np.zeros((4, 4, len(layout)), np.uint8)
    rgb = to_rgb(picture, layout, "camera")
    picture[:] = 9
    assert not rgb.any()


def test_gray() -> None:
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for picture in (gray, gray[..., None]):
        assert opencv_layout(picture) == "GRAY"
        rgb = to_rgb(picture, "GRAY", "camera")
        assert rgb.shape == (3, 4, 3) and (rgb == gray[..., None]).all()


def test_yuyv_against_pillow() -> None:
    """Pillow's YCbCr is full range, a camera's is video range: the same colours, laid out by hand."""
    random = np.random.default_rng(0)
    colours = random.integers(0, 256, (6, 5, 3), np.uint8).repeat(2, axis=1)
    full = np.asarray(Image.fromarray(colours).convert("YCbCr")).astype(np.float64)
    luma = 16 + full[..., 0] * 219 / 255
    blue, red = (128 + (full[..., index] - 128) * 224 / 255 for index in (1, 2))
    picture = np.empty((6, 10, 2), np.uint8)
    picture[..., 0] = luma.round()
    picture[:, 0::2, 1], picture[:, 1::2, 1] = blue[:, ::2].round(), red[:, ::2].round()
    assert opencv_layout(picture) == "YUYV"
    assert np.abs(to_rgb(picture, "YUYV", "camera").astype(int) - colours).max() <= 4


def test_yuyv_black_white_and_red() -> None:
    for (y, u, v), rgb in {(16, 128, 128): (0, 0, 0), (235, 128, 128): (255,) * 3, (81, 90, 240): (255, 0, 0)}.items():
        picture = np.array([[[y, u], [y, v]]], np.uint8)
        assert np.abs(to_rgb(picture, "YUYV", "camera").astype(int) - rgb).max() <= 1


def test_the_bytes_of_a_jpeg() -> None:
    buffer = io.BytesIO()
    Image.fromarray(CARD).save(buffer, "JPEG", quality=95, subsampling=0)
    picture = np.frombuffer(buffer.getvalue(), np.uint8)[None]
    assert opencv_layout(picture) == "JPEG"
    assert np.abs(to_rgb(picture, "JPEG", "camera").astype(int) - CARD)[:, :28].max() <= 6
    with pytest.raises(EdgeretrainError, match="camera: its pictures are damaged"):
        to_rgb(picture[:, :300], "JPEG", "camera")


@pytest.mark.parametrize(
    ("picture", "told"),
    [
        (np.zeros((4, 4), np.uint16), r"GRAY, uint16 \[4, 4\]"),
        (np.zeros((4, 4, 5), np.uint8), r"5 channels, uint8 \[4, 4, 5\]"),
        (np.zeros((0, 4, 3), np.uint8), r"BGR, uint8 \[0, 4, 3\]"),
        (np.zeros((2, 2, 3, 3), np.uint8), r"uint8 \[2, 2, 3, 3\]"),
    ],
)
def test_what_cannot_be_used(picture: np.ndarray, told: str) -> None:
    with pytest.raises(EdgeretrainError, match=rf"^webcam: the format of its pictures is not supported \(.*{told}"):
        to_rgb(picture, opencv_layout(picture), "webcam")


def test_a_layout_that_is_unknown() -> None:
    with pytest.raises(EdgeretrainError, match=r"\(YUV420, uint8 \[72, 64\]\)"):
        to_rgb(np.zeros((72, 64), np.uint8), "YUV420", "camera")
    with pytest.raises(EdgeretrainError, match=r"\(RGB, uint8 \[48, 64, 4\]\)"):
        to_rgb(FOUR, "RGB", "camera")
