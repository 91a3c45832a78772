"""How fine-tuning went, as a drawing."""

from typing import Any

import pytest

from report.plain import training_curve

Report = dict[str, Any]


def points(line: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (one.split(",") for one in line.split())]


def test_the_curve(tuned: Report) -> None:
    curve = training_curve(tuned)
    assert curve is not None
    ((validation,), (training,)) = ([points(one) for one in line.points] for line in curve.lines)
    assert [line.name for line in curve.lines] == ["validation", "training"]
    assert (len(validation), len(training)) == (5, 4)
    assert validation[0][0] == curve.left
    assert validation[-1][0] == training[-1][0] == curve.right
    assert curve.best == [validation[3]]
    assert curve.mean is None
    heights = [y for _, y in validation]
    losses = [one["validation_log_loss"] for one in tuned["fine_tuning"]["trainings"][0]["history"]]
    assert sorted(range(5), key=lambda epoch: -heights[epoch]) == sorted(range(5), key=lambda epoch: losses[epoch])
    assert all(0 <= y <= curve.bottom for _, y in validation + training)
    assert [tick.text for tick in curve.epochs] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("epochs", [1, 2, 9, 60, 1000])
def test_any_number_of_epochs_fits(tuned: Report, epochs: int) -> None:
    (one,) = tuned["fine_tuning"]["trainings"]
    one["history"][1:] = [{**one["history"][1], "epoch": epoch} for epoch in range(1, epochs + 1)]
    one["best_epoch"] = epochs
    curve = training_curve(tuned)
    assert curve is not None
    assert 2 <= len(curve.epochs) <= 9
    assert curve.best[0][0] == curve.right
    ends = [line.y for line in curve.lines]
    assert abs(ends[0] - ends[1]) >= 15


def test_several_trainings(soup: Report) -> None:
    curve = training_curve(soup)
    assert curve is not None
    validation, training = ([points(one) for one in line.points] for line in curve.lines)
    assert [len(one) for one in validation] == [5, 2, 3]
    assert [len(one) for one in training] == [4, 1, 2]
    assert curve.best == [validation[0][3], validation[2][2]]
    assert curve.mean is not None
    assert curve.mean[1] > max(y for one in validation for _, y in one)  # lower is better, and further down


def test_in_vain_the_frozen_network_is_the_best(soup: Report) -> None:
    soup["fine_tuning"].update(averaged=[], validation_log_loss=0.61)
    curve = training_curve(soup)
    assert curve is not None
    assert [x for x, _ in curve.best] == [curve.left]
    assert curve.mean is None
