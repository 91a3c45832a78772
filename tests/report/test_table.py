import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from report.plain import render_evaluation, render_table


def as_text(renderable, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def row(text, start):
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [start])


def test_figures_equal_the_report(report):
    text = as_text(render_table(report))
    assert row(text, "float32") == ["float32", "8,912,345", "93.3", "78.7-98.2", "100.0", "-", "90.0", "daisy"]
    assert row(text, "int8") == ["int8", "2,793,112", "86.7", "70.3-94.7", "100.0", "86.7", "80.0", "roses"]
    assert row(text, "dynamic")[2:] == ["90.0", "74.4-96.5", "100.0", "93.3", "90.0", "daisy"]


def test_says_what_was_tested_skipped_and_warned(report):
    text = " ".join(as_text(render_table(report)).split())
    assert "Tested on 30 photos" in text
    assert "(243 for training, 30 for validation, 3 classes)" in text
    assert "Skipped 1 photo: daisy/broken.jpg: truncated or damaged file" in text
    assert "Warning: daisy/a.jpg and roses/b.jpg are the same photo." in text


def test_many_skipped_photos_are_counted_not_listed(report):
    report["photos"]["skipped"] = [{"photo": f"daisy/{n}.jpg", "reason": "empty file"} for n in range(1200)]
    text = as_text(render_table(report))
    assert "Skipped 1,200 photos:" in text
    assert "and 1,197 more, all in report.json." in text
    assert text.count("empty file") == 3


def test_nothing_skipped_says_nothing(report):
    report["photos"]["skipped"] = []
    assert "Skipped" not in as_text(render_table(report))


def test_labels_are_no_markup_and_no_escape_codes(make_report):
    labels = ["[red]daisy[/red]", "\x1b[31mroses", "a\u202egpj.tulips"]
    text = as_text(render_evaluation(make_report(labels)["models"][0]["evaluation"]))
    assert "[red]daisy[/red]" in text
    assert "\\x1b[31mroses" in text
    assert "a\\u202egpj.tulips" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize("label", ["x" * 300, "薔薇" * 80, "a long name of a class that goes on and on, really"])
def test_long_labels_leave_every_figure_in_80_columns(make_report, label):
    made = make_report([label + " 1", label + " 2", label + " 3"])
    made["photos"].update(skipped=[], warnings=[])
    text = as_text(render_table(made))
    assert row(text, "int8")[:7] == ["int8", "2,793,112", "86.7", "70.3-94.7", "100.0", "86.7", "80.0"]
    text += as_text(render_evaluation(made["models"][3]["evaluation"]))
    assert max(cell_len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "…" in text


def test_evaluation_shows_classes_and_matrix(report):
    text = as_text(render_evaluation(report["models"][3]["evaluation"]))
    assert "30 photos: top-1 86.7 % (95 % interval 70.3-94.7), top-3 100.0 %," in text
    assert "log loss 0.250, calibration error 2.1 %, same answer as float32 86.7 %." in text
    assert row(text, "roses") == ["roses", "10", "100.0", "80.0"]
    assert row(text, "2") == ["2", "roses", ".", "8", "2"]
    assert row(text, "3") == ["3", "tulips", "1", ".", "9"]


def test_a_class_that_was_never_predicted_has_no_precision(make_report):
    never = {"float32": {(1, number): 0 for number in range(10)}}
    text = as_text(render_evaluation(make_report(mistakes=never)["models"][0]["evaluation"]))
    assert row(text, "roses") == ["roses", "10", "-", "0.0"]


def test_twelve_classes_of_thousands_of_photos_fit_into_80_columns(make_report):
    labels = [f"a class with a long name {n}" for n in range(12)]
    wrong = {"int8": {(row, 0): (row + 1) % 12 for row in range(12)}}
    text = as_text(render_evaluation(make_report(labels, wrong, per_class=900)["models"][0]["evaluation"]))
    assert len(re.findall(r"\b899\b", text)) == 12
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80


def test_above_twelve_classes_the_most_confused_pairs_stand_instead(make_report):
    labels = [f"class {n:02d}" for n in range(13)]
    wrong = {"int8": {(3, 0): 4, (3, 1): 4, (7, 2): 1}}
    text = as_text(render_evaluation(make_report(labels, wrong)["models"][0]["evaluation"]))
    assert "Most confused, 2 of 2 pairs" in text
    lines = [line.split() for line in text.splitlines() if line.split()[1:2] in (["20.0"], ["10.0"])]
    assert lines == [["2", "20.0", "class", "03", "class", "04"], ["1", "10.0", "class", "07", "class", "01"]]
    assert "true class" not in text
