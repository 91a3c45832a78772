"""What fine-tuning did, in the terminal and on the page."""

import io
from typing import Any

import pytest
from rich.console import Console

from report.plain import distilled, render_page, render_tuned, training_curve, tuned_models, verdict

Report = dict[str, Any]


@pytest.fixture
def in_vain(tuned: Report) -> Report:
    """The same, had no epoch been better than the frozen backbone."""
    told = tuned["fine_tuning"]
    (one,) = told["trainings"]
    told["averaged"], one["best_epoch"], told["validation_log_loss"] = [], 0, 0.61
    for record in one["history"][1:]:
        record["validation_log_loss"] += 0.2
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


def test_several_trainings_in_the_terminal(soup: Report) -> None:
    assert terminal(soup).startswith(
        "Fine-tuned 3 times for 1 to 4 epochs of at most 12; the weights of 2 of these trainings, after their best "
        "epochs (3 and 2), were averaged: the validation log loss was 0.470 (frozen: 0.610; each alone: 0.500 and "
        "0.510)."
    )
    soup["fine_tuning"].update(averaged=[2], validation_log_loss=0.51)
    assert terminal(soup).startswith(
        "Fine-tuned 3 times for 1 to 4 epochs of at most 12; best after epoch 2 of training 3, where the validation "
        "log loss was 0.510 (frozen: 0.610)."
    )


def test_several_trainings_on_the_page(soup: Report, read_page: Any) -> None:
    page = read_page(render_page(soup, {}))
    rows = page.tables["epochs"][0]
    assert rows[0][:2] == ["Training", "Epoch"]
    assert [row[:2] for row in rows[1:]] == [
        *(["1", str(epoch)] for epoch in range(5)),
        *(["2", "0"], ["2", "1"], ["3", "0"], ["3", "1"], ["3", "2"]),
    ]
    assert [number for number, row in enumerate(chosen_rows(page)) if row] == [4, 10]
    assert "7 epochs; epoch 0 is the frozen backbone" in page.text
    assert len([tag for tag, _ in page.tags if tag == "polyline"]) == 6
    assert "Validation log loss of the averaged weights: 0.470" in page.text


def chosen_rows(page: Any) -> list[bool]:
    """Of each row of the table of epochs, whether it is marked."""
    start = next(index for index, (tag, told) in enumerate(page.tags) if told.get("class") == "epochs")
    return [told.get("class") == "chosen" for tag, told in page.tags[start:] if tag == "tr"][:11]


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
    tuned["fine_tuning"]["distillation"] = {"backbones": teachers, "l2": 0.01, "validation_log_loss": 0.3}
    tuned["fine_tuning"]["distillation"]["validation_top1"] = 0.9137
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
