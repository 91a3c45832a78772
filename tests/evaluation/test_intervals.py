import math

import pytest

from edgeretrain.evaluation.intervals import wilson


@pytest.mark.parametrize(
    ("top1", "photos", "low", "high"),
    [
        # Published: R. G. Newcombe, Stat. Med. 17, 1998, table I, method 3.
        (81 / 263, 263, 0.2553, 0.3662),
        (15 / 148, 148, 0.0624, 0.1605),
        (0.0, 20, 0.0, 0.1611),
        (1 / 29, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_equals_published_intervals(top1, photos, low, high):
    assert wilson(top1, photos) == pytest.approx((low, high), abs=6e-5)


def test_wilson_is_where_the_score_test_says_five_percent():
    low, high = wilson(0.9, 50)
    for bound in (low, high):
        assert abs(0.9 - bound) / math.sqrt(bound * (1 - bound) / 50) == pytest.approx(1.959963985)


def test_wilson_stays_between_0_and_1():
    assert wilson(1.0, 30)[1] == 1.0
    assert wilson(0.0, 30)[0] == 0.0
    assert wilson(0.0, 0) == (0.0, 1.0)
