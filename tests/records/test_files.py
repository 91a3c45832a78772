"""Records as files."""

import json
from pathlib import Path

import pytest

from edgeretrain.records.files import json_text, read_record
from edgeretrain.records.training import Report

PLAIN = json.loads(Path(__file__).with_name("fine_tuned_report.json").read_text("utf-8"))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    report = read_record(Report, write(tmp_path / "first.json", json.dumps(PLAIN)))
    assert report is not None
    text = json_text(report)
    assert json.loads(text) == {"schema": 1, **PLAIN}
    assert text.startswith('{\n "schema": 1,\n') and text.endswith("}\n")
    assert read_record(Report, write(tmp_path / "second.json", text)) == report


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        json.dumps({**PLAIN, "models": 3}),
        json.dumps({**PLAIN, "schema": 2}),
        json.dumps({**PLAIN, "fine_tuning": {**PLAIN["fine_tuning"], "options": {"epochs": 0}}}),
        "[" * 100_000,
    ],
)
def test_what_cannot_be_read_is_no_record(tmp_path: Path, text: str) -> None:
    assert read_record(Report, write(tmp_path / "report.json", text)) is None


def test_no_file(tmp_path: Path) -> None:
    assert read_record(Report, tmp_path / "report.json") is None
