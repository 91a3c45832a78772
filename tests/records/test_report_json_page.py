"""docs/reference/report-json.md against the records."""

import importlib.util
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from edgeretrain.records.benchmark import Benchmark
from edgeretrain.records.card import Card
from edgeretrain.records.json_form import alternatives, is_left_out, may_be_null, types_of
from edgeretrain.records.sweep import Sweep
from edgeretrain.records.training import Report

SCRIPT = Path(__file__).parents[2] / "docs" / "reference" / "make_report_json.py"


@pytest.fixture(scope="module")
def maker() -> Any:
    if not SCRIPT.exists():
        pytest.skip("there is no docs folder here (an installed package)")
    specification = importlib.util.spec_from_file_location("make_report_json", SCRIPT)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(maker: Any) -> None:
    assert maker.PAGE.read_text("utf-8") == maker.page(), "run python docs/reference/make_report_json.py"


@pytest.mark.parametrize("root", [Report, Sweep, Benchmark, Card])
def test_every_key_is_explained(maker: Any, root: type) -> None:
    """Each has a meaning, each number with a fraction a unit, and what may be null or absent says when."""
    faults = []
    for record in maker.records_of(root):
        meanings, hints = maker.meanings(record), types_of(record)
        assert meanings.keys() == hints.keys(), record
        for place in fields(record):
            text, unit = meanings[place.name]
            if float in alternatives(hints[place.name]) and not unit:
                faults.append(f"{record.__name__}.{place.name}: no unit")
            if is_left_out(place) != ("Absent: " in text):
                faults.append(f"{record.__name__}.{place.name}: when is it absent?")
            if (may_be_null(hints[place.name]) and not is_left_out(place)) != ("None: " in text):
                faults.append(f"{record.__name__}.{place.name}: when is it null?")
    assert faults == []


def test_the_page_names_the_keys_of_every_record(maker: Any) -> None:
    text = maker.page()
    for key in ("agreement_with_float32", "reject_below", "peak_memory_bytes", "held_out", "only_old", "best_epoch"):
        assert f"\n| `{key}` | " in text
    assert "| `top1` | number | 0 to 1 | share of photos whose label is the most probable class. |" in text
    assert "| `agreement_with_float32` | number or null | 0 to 1 |" in text
    assert "| `fine_tuning` | [FineTuningRecord](#finetuningrecord), or absent |" in text
