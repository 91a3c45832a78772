"""What fine-tuning did, in the terminal and on the page."""

import copy
import io
from typing import Any

import pytest
from rich.console import Console

from edgeretrain.report import render_page, render_tuned
from edgeretrain.report.tuned import distilled, training_curve, tuned_models, verdict

Report = dict[str, Any]
LOSSES = (0.61, 0.64, 0.52, 0.5, 0.53)


@pytest.fixture
def tuned(report: Report) -> Report:
    """`report` as if its models had been tuned: frozen, each had another photo wrong and one more."""
    report["fine_tuning"] = {
        "options": {"layers": 20, "epochs": 12, "learning_rate": 0.0003, "mirror": True},
        "best_epoch": 3,
        "history": [
            {
                "epoch": epoch,
                "training_loss": None if epoch == 0 else 0.9 - 0.1 * epoch,
                "validation_log_loss": loss,
                "validation_top1": 0.8 + 0.01 * epoch,
            }
            for epoch, loss in enumerate(LOSSES)
        ],
    }
    for model in report["models"]:
        before = copy.deepcopy(model["evaluation"])
        before["mistakes"] = [*before["mistakes"][1:], {"photo": "tulips/8.jpg"}, {"photo": "tulips/9.jpg"}]
        before["top1"] -= 1 / 30
        before["log_loss"], before["calibration_error"] = 0.375, 0.04
        model["frozen"] = {"bytes": model["bytes"] + 8, "head": model["head"], "evaluation": before}
    return report


@pytest.fixture
def in_vain(tuned: Report) -> Report:
    """The same, had no epoch been better than the frozen backbone."""
    tuned["fine_tuning"]["best_epoch"] = 0
    for one in tuned["fine_tuning"]["history"][1:]:
        one["validation_log_loss"] += 0.2
    for model in tuned["models"]:
        del model["frozen"]
    return tuned


def terminal(report: Report) -> str:
    file = io.StringIO()
    Console(file=file, width=80).print(render_tuned(report))
    return " ".join(file.getvalue().split())


def test_photos_won_and_lost(tuned: Report) -> None:
    assert [(one.precision, one.won, one.lost) for one in tuned_models(tuned)] == [
        ("float32", 2, 1),
        ("float16", 2, 1),
        ("dynamic", 2, 1),
        ("int8", 2, 1),
    ]


def test_in_the_terminal(tuned: Report) -> None:
    text = terminal(tuned)
    assert text.startswith(
        "Fine-tuned for 4 epochs of at most 12; best after epoch 3, where the validation log loss was 0.500 "
        "(frozen: 0.610)."
    )
    assert "float32 90.0 93.3 +2 -1 0.375 0.250" in text
    assert "int8 83.3 86.7 +2 -1 0.375 0.250" in text


def test_on_the_page(tuned: Report, read_page: Any) -> None:
    page = read_page(render_page(tuned, {}))
    rows = page.tables["tuned"][0]
    assert rows[2:][0] == ["float32", "90.0", "93.3", "+2 −1", "0.375", "0.250", "4.0", "2.1"]
    assert [row[0] for row in rows[2:]] == ["float32", "float16", "dynamic", "int8"]
    assert page.tables["epochs"][0][1:3] == [["0", "–", "0.6100", "80.0"], ["1", "0.8000", "0.6400", "81.0"]]
    assert len(page.tables["epochs"][0]) == 6
    assert "best after epoch 3" in page.text
    assert ["fine_tune.layers", "20"] in page.tables["card"][0]
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert "#tuned" in links
    assert len([tag for tag, _ in page.tags if tag == "polyline"]) == 2


def test_when_it_came_to_nothing(in_vain: Report, read_page: Any) -> None:
    told = (
        "Fine-tuning, 4 epochs of at most 12, did not beat the frozen backbone on the validation photos (log loss "
        "0.610, at best 0.700): these are the frozen models."
    )
    assert terminal(in_vain) == told
    page = read_page(render_page(in_vain, {}))
    assert told in " ".join(page.text.split())
    assert "tuned" not in page.tables


def test_what_was_distilled_from(tuned: Report, read_page: Any) -> None:
    assert distilled(tuned) == ""
    teachers = [{"preset": name, "sha256": "0" * 64} for name in ("mobilenet_v2_100_224", "my_own")]
    tuned["fine_tuning"]["distillation"] = {"backbones": teachers, "l2": 0.01, "validation_top1": 0.9137}
    told = (
        "It also learnt what mobilenet_v2_100_224 and my_own make of the training photos; a head on their bottlenecks "
        "has 91.4 % of the validation photos right."
    )
    assert told in terminal(tuned)
    assert told in " ".join(read_page(render_page(tuned, {})).text.split())


def test_without_fine_tuning_nothing_is_said(report: Report, read_page: Any) -> None:
    assert (verdict(report), tuned_models(report), training_curve(report)) == ("", [], None)
    page = read_page(render_page(report, {}))
    assert "ine-tun" not in page.text
    assert "polyline" not in [tag for tag, _ in page.tags]


def points(line: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (one.split(",") for one in line.split())]


def test_the_curve(tuned: Report) -> None:
    curve = training_curve(tuned)
    assert curve is not None
    validation, training = (points(line.points) for line in curve.lines)
    assert [line.name for line in curve.lines] == ["validation", "training"]
    assert (len(validation), len(training)) == (5, 4)
    assert validation[0][0] == curve.left
    assert validation[-1][0] == training[-1][0] == curve.right
    assert curve.best == validation[3]
    heights = [y for _, y in validation]
    assert sorted(range(5), key=lambda epoch: -heights[epoch]) == sorted(range(5), key=lambda epoch: LOSSES[epoch])
    assert all(0 <= y <= curve.bottom for _, y in validation + training)
    assert [tick.text for tick in curve.epochs] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("epochs", [1, 2, 9, 60, 1000])
def test_any_number_of_epochs_fits(tuned: Report, epochs: int) -> None:
    one = tuned["fine_tuning"]["history"][1]
    tuned["fine_tuning"]["history"][1:] = [{**one, "epoch": epoch} for epoch in range(1, epochs + 1)]
    tuned["fine_tuning"]["best_epoch"] = epochs
    curve = training_curve(tuned)
    assert curve is not None
    assert 2 <= len(curve.epochs) <= 9
    assert curve.best[0] == curve.right
    ends = [line.y for line in curve.lines]
    assert abs(ends[0] - ends[1]) >= 15
