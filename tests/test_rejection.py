import numpy as np
import pytest

from edgeretrain.rejection import KEPT, reject_below


def test_all_but_five_percent_of_the_rightly_classified_pass() -> None:
    random = np.random.default_rng(0)
    top = random.uniform(0.5, 1, 1000).astype(np.float32)
    probabilities = np.stack([top, 1 - top], axis=1)
    labels = np.zeros(1000, np.int64)
    threshold = reject_below(probabilities, labels)
    assert (top >= threshold).mean() == pytest.approx(KEPT, abs=0.002)


def test_wrongly_classified_photos_have_no_say() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.51, 0.49]], np.float32)
    assert reject_below(probabilities, np.array([0, 0, 1])) == pytest.approx(0.8, abs=0.001)


def test_it_is_never_above_the_score_it_lets_pass() -> None:
    score = np.float32(0.70004)
    assert reject_below(np.array([[score, 1 - score]], np.float32), np.array([0])) <= score


@pytest.mark.parametrize("count", [0, 3])
def test_nothing_right_rejects_nothing(count: int) -> None:
    assert reject_below(np.tile(np.array([[0.9, 0.1]], np.float32), (count, 1)), np.ones(count, np.int64)) == 0.0
