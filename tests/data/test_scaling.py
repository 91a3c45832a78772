"""How a network wants its pixels: read from text, applied, and written as text again."""

from typing import Any

import numpy as np
import pytest

from edgeretrain.data.scaling import Scaling, parse_scaling
from edgeretrain.errors import EdgeretrainError

PIXELS = np.array([[[0, 0, 0], [255, 255, 255], [10, 20, 30]]], np.uint8)
IMAGENET = "123.675,116.28,103.53/58.395,57.12,57.375"


@pytest.mark.parametrize(
    ("text", "black", "white", "uniform"),
    [
        ("-1..1", -1.0, 1.0, True),
        ("0..1", 0.0, 1.0, True),
        ("0..255", 0.0, 255.0, True),
        ("-0.5..0.5", -0.5, 0.5, True),
        ("127.5/127.5", -1.0, 1.0, True),
        ("128/128", -1.0, 127 / 128, True),
        ("1,1,1/2,2,2", -0.5, 127.0, True),
        (IMAGENET, [-2.1179, -2.0357, -1.8044], [2.2489, 2.4286, 2.6400], False),  # as torchvision documents it
        ("0/1,2,4", 0.0, [255.0, 127.5, 63.75], False),
    ],
)
def test_black_and_white(text: str, black: Any, white: Any, uniform: bool) -> None:
    scaling = parse_scaling(text)
    scaled = scaling(PIXELS)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled[0, 0], np.broadcast_to(black, 3), atol=1e-4)
    np.testing.assert_allclose(scaled[0, 1], np.broadcast_to(white, 3), atol=1e-4)
    assert scaling.uniform == uniform


@pytest.mark.parametrize("text", ["-1..1", "0..1", "0..255", "-1..0.992188", IMAGENET])
def test_it_is_shown_as_it_is_given(text: str) -> None:
    assert str(parse_scaling(text)) == text
    np.testing.assert_allclose(parse_scaling(str(parse_scaling(text)))(PIXELS), parse_scaling(text)(PIXELS), atol=1e-5)


def test_the_same_by_range_and_by_mean() -> None:
    np.testing.assert_allclose(Scaling.between(-1, 1)(PIXELS), Scaling.normalized((127.5,), (127.5,))(PIXELS))


@pytest.mark.parametrize(
    "text", ["", "1", "1..0", "0..0", "a..b", "0..1..2", "1/0", "1,2/3", "1/-1", "1/2/3", "nan..1"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(EdgeretrainError, match=r"--scale .* is not known.*--scale=-1\.\.1"):
        parse_scaling(text)


@pytest.mark.tensorflow
@pytest.mark.parametrize("text", ["-1..1", "0..1", "0..255", "-100..155", IMAGENET, "0/1,2,4"])
def test_tensorflow_computes_the_same(text: str) -> None:
    tf = pytest.importorskip("tensorflow")
    scaling = parse_scaling(text)

    traced = tf.function(scaling.of_tensor)
    np.testing.assert_array_equal(traced(tf.constant(PIXELS.astype(np.float32))).numpy(), scaling(PIXELS))
