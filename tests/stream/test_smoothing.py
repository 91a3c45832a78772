"""The smoother against closed forms."""

import math

import numpy as np
import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.stream.smoothing import SmoothedPrediction, Smoother

A, B, C = np.eye(3, dtype=np.float32)
LABELS = ("a", "b", "c")


def fed(
    smoother: Smoother, scores: np.ndarray, start: float, end: float, fps: float
) -> list[tuple[float, SmoothedPrediction]]:
    """The same probabilities at so many frames a second, from start until before end."""
    times = start + np.arange(round((end - start) * fps)) / fps
    return [(time, smoother.add(scores, time)) for time in times.tolist()]


@pytest.mark.parametrize("fps", [3.0, 10.0, 97.0])
@pytest.mark.parametrize("seconds", [0.1, 0.5, 4.0])
def test_a_step_follows_the_exponential(fps: float, seconds: float) -> None:
    smoother = Smoother(LABELS, seconds=seconds, hold=0)
    smoother.add(A, 100)
    for time, smoothed in fed(smoother, B, 100 + 1 / fps, 102, fps):
        left = math.exp(-(time - 100) / seconds)
        assert smoothed.scores == pytest.approx([left, 1 - left, 0], abs=1e-6)


def test_it_does_not_depend_on_the_frame_rate() -> None:
    """After the same second, whatever the frames in between were: regular or not."""
    random = np.random.default_rng(0)
    ends = []
    for times in ([1.0], np.linspace(0, 1, 30), [*np.sort(random.uniform(0, 1, 11)).tolist(), 1.0]):
        smoother = Smoother(LABELS, seconds=0.7, hold=0)
        smoother.add(A, 0)
        ends.append([smoother.add(B, float(time)) for time in times][-1].scores)
    assert ends[0] == pytest.approx(ends[1], abs=1e-6) and ends[0] == pytest.approx(ends[2], abs=1e-6)


def test_probabilities_stay_probabilities() -> None:
    random = np.random.default_rng(1)
    smoother = Smoother(LABELS, seconds=0.3)
    for index in range(200):
        smoothed = smoother.add(random.dirichlet([1, 1, 1]).astype(np.float32), index / 20)
        assert smoothed.scores.sum() == pytest.approx(1, abs=1e-5) and smoothed.scores.min() >= 0
        assert smoothed.scores.dtype == np.float32


def test_zero_seconds_smooth_nothing() -> None:
    smoother = Smoother(LABELS, seconds=0, hold=0)
    assert [smoother.add(scores, 0).label for scores in (A, B, C, A)] == ["a", "b", "c", "a"]


def test_the_first_frame_counts_in_full_but_must_hold() -> None:
    assert Smoother(LABELS, hold=0).add(B, 5) == SmoothedPrediction("b", 1.0, pytest.approx(B), True)
    smoothed = Smoother(LABELS, hold=0.5).add(B, 5)
    assert (smoothed.label, smoothed.score, smoothed.changed) == (None, 1.0, False)


def test_when_the_label_changes() -> None:
    """After a step, b leads a from seconds * ln 2 on, and is the label hold seconds later."""
    smoother = Smoother(LABELS, seconds=0.5, hold=0.3)
    start = fed(smoother, A, 0, 2, 1000)
    after = fed(smoother, B, 2, 4, 1000)
    assert [time for time, smoothed in start if smoothed.changed] == pytest.approx([0.3], abs=0.0011)
    (changed,) = [time for time, smoothed in after if smoothed.changed]
    assert changed == pytest.approx(2 + 0.5 * math.log(2) + 0.3, abs=0.0031)
    assert {smoothed.label for time, smoothed in after if time >= changed} == {"b"}


def test_a_flicker_is_not_shown() -> None:
    smoother = Smoother(LABELS, seconds=0, hold=0.25)
    fed(smoother, A, 0, 1, 10)
    for index in range(50):  # b and c in turns, never for long enough
        smoothed = smoother.add((B, C)[index % 2], 1 + index / 10)
        assert (smoothed.label, smoothed.changed) == ("a", False)
    # the lead of b counts from its first frame in a row
    labels = [smoother.add(B, 6 + index / 10).label for index in range(5)]
    assert labels == ["a", "a", "a", "b", "b"]


def test_rejection() -> None:
    unsure = np.float32([0.5, 0.3, 0.2])
    smoother = Smoother(LABELS, seconds=0, hold=0.15, reject_below=0.6)
    fed(smoother, A, 0, 1, 10)
    smoothed = [prediction for _, prediction in fed(smoother, unsure, 1, 2, 10)]
    assert [prediction.label for prediction in smoothed] == ["a", "a", *[None] * 8]
    assert [prediction.changed for prediction in smoothed] == [False, False, True, *[False] * 7]
    assert smoothed[0].score == smoothed[-1].score == 0.5
    assert Smoother(LABELS, hold=0, reject_below=0.5).add(unsure, 0).label == "a"  # the limit itself is enough
    assert Smoother(LABELS, hold=0, reject_below=0).add(unsure, 0).label == "a"


def test_the_score_is_that_of_the_label() -> None:
    smoother = Smoother(LABELS, seconds=0, hold=1)
    fed(smoother, A, 0, 2, 10)
    assert smoother.add(np.float32([0.25, 0.75, 0]), 2) == SmoothedPrediction(
        "a", 0.25, pytest.approx([0.25, 0.75, 0]), False
    )


def test_after_a_gap_the_past_counts_for_nothing() -> None:
    smoother = Smoother(LABELS, seconds=0.5, hold=0)
    fed(smoother, A, 0, 10, 10)
    assert smoother.add(B, 60).scores == pytest.approx(B, abs=1e-6)


def test_time_that_goes_back_is_no_time() -> None:
    smoother = Smoother(LABELS, seconds=0.5, hold=0)
    smoother.add(A, 10)
    assert smoother.add(B, 9).scores == pytest.approx(A)


def test_what_was_handed_out_stays() -> None:
    smoother = Smoother(LABELS, seconds=0.5, hold=0)
    first = smoother.add(A, 0)
    smoother.add(B, 1)
    assert (first.scores == A).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": -1}, "--smooth and --hold must be 0 seconds or more, not -1 and 0.5"),
        ({"hold": -0.1}, "--smooth and --hold must be 0 seconds or more, not 0.5 and -0.1"),
        ({"seconds": math.nan}, "--smooth and --hold must be 0 seconds or more"),
        ({"hold": math.inf}, "--smooth and --hold must be 0 seconds or more"),
        ({"reject_below": 1.1}, "--reject-below must be from 0 to 1, not 1.1"),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, float], message: str) -> None:
    with pytest.raises(EdgeretrainError, match=message):
        Smoother(LABELS, **options)
