import numpy as np
import pytest

from edgeretrain.head.rejection import HIGHEST, KEPT, reject_below


def three(top: float) -> list[float]:
    return [top, (1 - top) * 0.6, (1 - top) * 0.4]


def test_all_but_five_percent_of_the_rightly_classified_pass() -> None:
    random = np.random.default_rng(0)
    top = random.uniform(0.4, 0.6, 1000).astype(np.float32)
    probabilities = np.array([three(one) for one in top], np.float32)
    threshold = reject_below(probabilities, np.zeros(1000, np.int64))
    assert (top >= threshold).mean() == pytest.approx(KEPT, abs=0.005)


def test_wrongly_classified_photos_have_no_say() -> None:
    probabilities = np.array([three(0.48), three(0.46), three(0.41)], np.float32)
    assert reject_below(probabilities, np.array([0, 0, 1])) == pytest.approx(0.46, abs=0.0011)


def test_it_is_never_above_the_score_it_lets_pass() -> None:
    score = np.float32(0.45004)
    assert 0.449 < reject_below(np.array([three(score)], np.float32), np.array([0])) <= score


def test_what_is_more_probable_than_all_others_together_is_never_rejected() -> None:
    probabilities = np.array([three(0.99), three(0.995)], np.float32)
    assert reject_below(probabilities, np.array([0, 0])) == HIGHEST == 0.5


@pytest.mark.parametrize("count", [0, 3])
def test_nothing_right_rejects_nothing(count: int) -> None:
    assert reject_below(np.tile(np.array([[0.9, 0.1]], np.float32), (count, 1)), np.ones(count, np.int64)) == 0.0
