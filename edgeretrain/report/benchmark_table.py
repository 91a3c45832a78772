"""A benchmark in the terminal: one row per model and thread count, and two benchmarks beside each other."""

from collections.abc import Iterable
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgeretrain.benchmark.results import short_names
from edgeretrain.report.table import plain

_MOST_NAMED = 3


def render_benchmark(results: dict[str, Any]) -> RenderableType:
    """What `benchmark` returned: times in milliseconds, memory in MB (10^6 bytes), then machine and warnings.

    Models that failed have their reason in place of figures.
    """
    table = _table(
        "model", "thr.", "file\nMB", "init", "first", "median", "p90", "1/s", "photo to\nlabel", "memory\nMB"
    )
    names = _names(results["results"])
    failed = []
    for result in results["results"]:
        name, threads = plain(names[result["model"]]), str(result["threads"])
        if "error" in result:
            failed.append(Text.assemble(("Failed: ", "red"), name, f", {threads} threads: ", plain(result["error"])))
            continue
        figures, end_to_end = result["inference_ms"], result["end_to_end_ms"]
        table.add_row(
            name,
            threads,
            _millions(result["bytes"]),
            *(_three(result[key]) for key in ("initialization_ms", "first_inference_ms")),
            Text(_three(figures["median"]), style="bold"),
            _three(figures["p90"]),
            _three(result["throughput_per_second"]),
            "-" if end_to_end is None else _three(end_to_end["median"]),
            _megabytes(result["peak_memory_bytes"]),
        )
    return Group(*([table] if table.row_count else []), *failed, *_notes(results, names))


def _notes(results: dict[str, Any], names: dict[str, str]) -> Iterable[RenderableType]:
    environment = results["environment"]
    yield Text(
        f"\nMilliseconds on {environment['machine']}, {environment['cores']} cores, {environment['runtime']}. "
        "init: load and allocate; median, p90: the inference alone; photo to label: median from JPEG bytes."
    )
    for warning in results["warnings"]:
        yield Text.assemble(("Warning: ", "yellow"), plain(warning))
    doubts: dict[str, list[str]] = {}
    notes: dict[str, list[str]] = {}
    for result in results["results"]:
        name = names[result["model"]]
        for warning in result.get("warnings", []):
            doubts.setdefault(warning, []).append(f"{name} ({result['threads']})")
        note = result.get("end_to_end_note")
        if note and name not in notes.setdefault(note, []):
            notes[note].append(name)
    measured = sum("error" not in result for result in results["results"])
    for warning, named in doubts.items():
        yield Text.assemble(("Warning: ", "yellow"), plain(warning), " ", _listed(named, measured), ".")
    for note, named in notes.items():
        yield Text.assemble("Photo to label: ", plain(note), ". ", _listed(named, len(names)), ".")


def _listed(names: list[str], there_are: int) -> Text:
    """The first few of these names, or that it is all of them."""
    if len(names) == there_are and there_are > 1:
        return Text("All of them")
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return Text.assemble(plain(", ".join(names[:_MOST_NAMED])), more)


def render_comparison(comparison: dict[str, Any]) -> RenderableType:
    """What `compare` returned: median latency, size and peak memory, old and new and how many times the old one."""
    figures = [header for what in ("median\nms", "file\nMB", "memory\nMB") for header in (what, "new", "times")]
    table = _table("model", "thr.", *figures)
    names = _names(comparison["rows"])
    for row in comparison["rows"]:
        old, new, ratio = row["old"], row["new"], row["ratio"]
        cells: list[str | Text] = []
        for key, shown in (("median_ms", _three), ("bytes", _millions), ("peak_memory_bytes", _megabytes)):
            cells += [shown(old.get(key)), shown(new.get(key)), _times(ratio[key], comparison["factor"])]
        table.add_row(plain(names[row["model"]]), str(row["threads"]), *cells)
    parts: list[RenderableType] = [table, Text("")]
    for difference in comparison["differences"]:
        parts.append(Text.assemble(("Warning: ", "yellow"), plain(difference), ": the times cannot be compared."))
    for key, where in (("only_old", "old"), ("only_new", "new")):
        parts += [Text.assemble("Only in the ", where, " results: ", plain(name)) for name in comparison[key]]
    parts += [Text.assemble(("Regression: ", "red"), plain(regression)) for regression in comparison["regressions"]]
    if not comparison["regressions"]:
        parts.append(Text(f"Nothing is more than {comparison['factor']:g} times the old figure."))
    return Group(*parts)


def _names(results: list[dict[str, Any]]) -> dict[str, str]:
    """Path -> what stands in the table."""
    models = [result["model"] for result in results]
    return {model: name.removesuffix(".tflite") for model, name in short_names(models).items()}


def _table(first: str, *headers: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def _three(value: float | None) -> str:
    """Three digits, small values to the fourth decimal: `0.0012`, `12.3`, `1,234`."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.4f}"


def _millions(value: int | None) -> str:
    return _three(None if value is None else value / 1e6)


def _megabytes(value: int | None) -> str:
    return "-" if value is None else f"{value / 1e6:.1f}"


def _times(ratio: float | None, factor: float) -> Text:
    return Text("-") if ratio is None else Text(f"{ratio:.2f}", style="red" if ratio > factor else "")
