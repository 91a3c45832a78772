import io
from typing import Any

import pytest
from rich.console import Console

from edgeretrain.backbone.presets import PRESETS
from edgeretrain.sweep.budget import Budget
from report.plain import render_sweep_table
from report.sweep_sample import make_sweep

TWO = ("mobilenet_v2_100_224", "mobilenet_v2_035_128")


def as_text(sweep: dict[str, Any], width: int = 80) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(render_sweep_table(sweep))
    return file.getvalue()


@pytest.mark.parametrize("width", [80, 100])
def test_one_line_for_each_of_156_models(width: int) -> None:
    sweep = make_sweep(budget=Budget(max_size=100_000, min_accuracy=0.8))
    text = as_text(sweep, width)
    table = text[: text.index("Tested on")]
    models = [line for line in table.splitlines() if any(f" {preset} " in line for preset in PRESETS)]
    assert len(models) == 156
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…" not in text
    for line, candidate in zip(models, sweep["candidates"], strict=True):
        figures = line.removeprefix("~").split()
        assert figures[:5] == [
            candidate["preset"],
            candidate["precision"],
            f"{candidate['bytes'] / 1e6:.2f}",
            f"{100 * candidate['top1']:.1f}",
            "-".join(f"{100 * end:.1f}" for end in candidate["interval"]),
        ]
        assert figures[5] == f"{candidate['latency_ms']:.2f}"


def test_front_and_pick_are_marked_and_misses_are_told() -> None:
    sweep = make_sweep(TWO, ["float32", "int8"], budget=Budget(max_size=3_000_000, max_latency=5.0))
    for candidate, (size, latency) in zip(sweep["candidates"], [(1, 0), (0, 0), (0, 1), (1, 1)], strict=True):
        candidate["front"] = {"size": bool(size), "latency": bool(latency)}
    sweep["candidates"][0]["misses"] = [{"budget": "max_size", "by": 2.94}, {"budget": "max_latency", "by": 1.2}]
    sweep["pick"] = {"preset": TWO[1], "precision": "int8", "reason": "the smallest of them."}
    lines = [line for line in as_text(sweep).splitlines() if " mobilenet" in line[:14]]
    assert "size x2.94" in lines[0] and " size " in lines[0]
    assert lines[1].split()[-1] == f"{sweep['candidates'][1]['latency_ms']:.2f}"
    assert lines[2].rstrip().endswith(" ms")
    assert lines[3].rstrip().endswith(" both")
    assert [line[0] for line in lines[:4]] == [" ", " ", " ", ">"]
    text = " ".join(as_text(sweep).split())
    assert "latency x1.20" in text
    assert "Budget: at most 3,000,000 bytes, at most 5 ms (1 thread, ssh://pi@garden)." in text
    assert f"> Pick: {TWO[1]} int8. the smallest of them." in text
    assert "Warning: The CPU governor is ondemand" in text


def test_the_nearest_miss() -> None:
    text = " ".join(as_text(make_sweep(TWO, budget=Budget(max_size=1000))).split())
    assert "No model meets the budget. ~ Nearest: mobilenet_v2_035_128" in text
    assert "at most 1,000 allowed" in text


def test_without_latency_and_budget_there_are_no_columns_for_them() -> None:
    text = as_text(make_sweep(TWO, latency=False))
    assert "misses" not in text
    assert "Latency" not in text
    assert "Budget" not in text


def test_nothing_made() -> None:
    failed = [
        {"preset": "nasnet_mobile", "precision": None, "stage": "backbone", "reason": "nasnet_mobile: no weights."}
    ]
    text = as_text(make_sweep([], failed=failed, latency=False))
    assert text.splitlines() == ["No backbone: nasnet_mobile: no weights.", "No model was made."]


def test_reasons_are_no_markup_and_no_escape_codes() -> None:
    reason = "[red]x[/red] \x1b[31m"
    sweep = make_sweep(TWO, failed=[{"preset": "[b]", "precision": "int8", "stage": "retrain", "reason": reason}])
    sweep["latency"].update(where=reason, warnings=[reason])
    sweep["pick"]["reason"] = reason
    text = as_text(sweep)
    assert text.count("[red]x[/red] \\x1b[31m") == 4
    assert "Not retrained: [b] (int8): " in text
    assert "\x1b" not in text
