"""What `teach` changed, in the terminal and on the page."""

import io
from typing import Any

import pytest
from rich.console import Console

from report.plain import changes, known_classes, render_page, render_taught

Report = dict[str, Any]


@pytest.fixture
def taught(report: Report) -> Report:
    """`report` as if daisy and <b>roses</b> had been there before and tulips were new."""
    for number, model in enumerate(report["models"]):
        model["known"] = {
            "photos": 16,
            "top1_before": 0.9375,
            "top1_after": 0.875 - number / 16,
            "classes": [
                {"label": "daisy", "photos": 10, "recall_before": 0.9, "recall_after": 0.8},
                {"label": "<b>roses</b>", "photos": 6, "recall_before": 1.0, "recall_after": 1 - number / 6},
            ],
        }
    report["taught"] = {"added": {"tulips": 102, "MIXED case": 1}, "removed": {"weeds [red]": 40}}
    return report


def terminal(report: Report) -> str:
    file = io.StringIO()
    Console(file=file, width=100).print(render_taught(report))
    return file.getvalue()


def test_what_was_changed(taught: Report) -> None:
    assert changes(taught) == "added tulips (102 photos), MIXED case (1 photo); removed weeds [red] (40 photos)"
    del taught["taught"]
    for model in taught["models"]:
        del model["known"]
    assert changes(taught) == ""
    assert known_classes(taught) == []


def test_the_terminal(taught: Report) -> None:
    lines = [line.split() for line in terminal(taught).splitlines()]
    assert "Added tulips (102 photos), MIXED case (1 photo); removed weeds [red] (40 photos)." in terminal(taught)
    assert ["daisy", "10", *["90.0", ">", "80.0"] * 4] in lines
    everything = ["93.8", ">", "87.5", "93.8", ">", "81.2", "93.8", ">", "75.0", "93.8", ">", "68.8"]
    assert ["all", "16", *everything] in lines
    assert max(map(len, terminal(taught).splitlines())) <= 100


def test_the_page(taught: Report, read_page: Any) -> None:
    page = read_page(render_page(taught, {}))
    before_after, *_ = page.tables["figures"]
    assert before_after[2:] == [
        ["daisy", "10", *["90.0", "80.0"] * 4],
        ["<b>roses</b>", "6", "100.0", "100.0", "100.0", "83.3", "100.0", "66.7", "100.0", "50.0"],
        ["All", "16", "93.8", "87.5", "93.8", "81.2", "93.8", "75.0", "93.8", "68.8"],
    ]
    assert "Added tulips (102 photos), MIXED case (1 photo); removed weeds [red] (40 photos)." in page.text


def test_a_retrain_has_no_such_section(report: Report, read_page: Any) -> None:
    page = read_page(render_page(report, {}))
    assert "What was taught" not in page.text
    assert len(page.tables["figures"]) == 1
