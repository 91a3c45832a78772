"""The benchmark in the terminal: what stands there, and what cannot disturb it."""

import io
from dataclasses import replace
from typing import Any

import pytest
from benchmark.made_up import failure, result, results
from rich.console import Console

from edgeretrain.benchmark import compare
from edgeretrain.report.benchmark_table import render_benchmark, render_comparison


def shown(renderable: Any) -> str:
    file = io.StringIO()
    Console(file=file, width=100, highlight=False).print(renderable)
    return file.getvalue()


def test_a_row_of_figures() -> None:
    text = shown(render_benchmark(results(result(throughput_per_second=1234.5))))
    (row,) = (line for line in text.splitlines() if line.startswith("model.int8"))
    assert row.split() == ["model.int8", "1", "2.70", "20.0", "15.0", "10.0", "11.0", "1,234", "20.0", "12.0"]
    assert "Raspberry Pi 4, 4 cores, ai_edge_litert 2.3.0" in text
    assert "Warning" not in text


def test_what_is_not_known_is_a_dash() -> None:
    text = shown(render_benchmark(results(result(end_to_end_ms=None, peak_memory_bytes=None))))
    assert text.split("model.int8")[1].split("\n")[0].split()[-2:] == ["-", "-"]


def test_failures_and_warnings() -> None:
    wide = [result(name, warnings=("Wide.",)) for name in ("a.tflite", "b.tflite")]
    benchmark = replace(results(*wide, failure("c.tflite")), warnings=("The CPU governor is ondemand.",))
    text = shown(render_benchmark(benchmark))
    assert "Failed: c, 1 threads: it crashed" in text
    assert "Warning: The CPU governor is ondemand." in text
    assert "Warning: Wide. All of them." in text
    only = shown(render_benchmark(results(failure())))
    assert "median " not in only.split("Failed")[0]  # no table without rows


@pytest.mark.parametrize(("count", "words"), [(2, "Wide. m0 (1), m1 (1)."), (5, "m0 (1), m1 (1), m2 (1) and 2 more.")])
def test_a_warning_names_a_few(count: int, words: str) -> None:
    doubtful = [result(f"m{number}.tflite", warnings=("Wide.",)) for number in range(count)]
    assert words in shown(render_benchmark(results(*doubtful, result("steady.tflite"))))


def test_names_are_never_markup_or_control_characters() -> None:
    text = shown(render_benchmark(results(result("run/[red]x\x1b[31m.tflite"), failure("[bold]y.tflite", error="[/]"))))
    assert "[red]x\\x1b[31m" in text and "[bold]y" in text and "[/]" in text


def test_old_beside_new() -> None:
    old = results(result(), result("gone.tflite"))
    new = results(result(median=15.0, bytes=1_350_000), result("added.tflite"))
    text = shown(render_comparison(compare(old, new)))
    (row,) = (line for line in text.splitlines() if line.startswith("model.int8"))
    assert row.split() == ["model.int8", "1", "10.0", "15.0", "1.50", "2.70", "1.35", "0.50", "12.0", "12.0", "1.00"]
    assert "Only in the old results: gone.tflite, 1 thread" in text
    assert "Only in the new results: added.tflite, 1 thread" in text
    assert "Regression: model.int8.tflite, 1 thread: median latency 1.50 times the old one" in text


def test_nothing_worse() -> None:
    comparison = compare(results(), results(failure(), runtime="other"), across=True)
    assert "the times cannot be compared" in shown(render_comparison(comparison))
    assert "Nothing is more than 1.2 times the old figure." in shown(render_comparison(compare(results(), results())))
