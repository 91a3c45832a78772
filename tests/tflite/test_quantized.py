"""real = scale * (q - zero_point), as the TFLite 8-bit quantization specification has it."""

import numpy as np
import pytest

from edgeretrain.tflite.quantized import Quantization


def test_real_numbers_of_integers() -> None:
    real = Quantization(0.5, -128).real(np.int8([-128, -126, 127]))
    assert real.dtype == np.float32 and real.tolist() == [0, 1, 127.5]
    assert Quantization(0.5, 128).real(np.uint8([0, 255])).tolist() == [-64, 63.5]


def test_nearest_integers() -> None:
    quantization = Quantization(0.5, -128)
    values = np.float32([-3, 0, 0.2, 0.3, 127.5, 200])
    nearest = quantization.nearest(values, np.int8)
    assert nearest.dtype == np.int8 and nearest.tolist() == [-128, -128, -128, -127, 127, 127]
    assert Quantization(1 / 255, 0).nearest(np.float32([-1, 0.503, 2]), np.uint8).tolist() == [0, 128, 255]
    assert values.tolist() == pytest.approx([-3, 0, 0.2, 0.3, 127.5, 200])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_there_and_back(dtype: type[np.integer]) -> None:
    ends = np.iinfo(dtype)
    integers = np.arange(ends.min, ends.max + 1).astype(dtype)
    for quantization in (Quantization(0.0078125, 3), Quantization(1.7, 0), Quantization(0.1, -5)):
        assert (quantization.nearest(quantization.real(integers), dtype) == integers).all()


def test_without_a_scale_numbers_stay_as_they_are() -> None:
    plain = Quantization(0.0, 0)
    assert plain.real(np.float32([0.25])).tolist() == [0.25]
    assert plain.nearest(np.float32([0.25]), np.float32).tolist() == [0.25]
    assert plain.nearest(np.float32([3, 255]), np.uint8).tolist() == [3, 255]
