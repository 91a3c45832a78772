"""A benchmark in the terminal: one row per model and thread count, and two benchmarks beside each other."""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgeretrain.benchmark.results import short_names
from edgeretrain.records.benchmark import Benchmark, ComparedModel, Comparison, DecidingFigures, NoFigures
from edgeretrain.report.table import plain

_MOST_NAMED = 3


def render_benchmark(benchmark: Benchmark) -> RenderableType:
    """Times in milliseconds, memory in MB (10^6 bytes), then machine and warnings.

    Models that failed have their reason in place of figures.
    """
    table = _table(
        "model", "thr.", "file\nMB", "init", "first", "median", "p90", "1/s", "photo to\nlabel", "memory\nMB"
    )
    names = _names([result.model for result in benchmark.results])
    for result in benchmark.measured:
        end_to_end = result.end_to_end_ms
        table.add_row(
            plain(names[result.model]),
            str(result.threads),
            _millions(result.bytes),
            _three(result.initialization_ms),
            _three(result.first_inference_ms),
            Text(_three(result.inference_ms.median), style="bold"),
            _three(result.inference_ms.p90),
            _three(result.throughput_per_second),
            "-" if end_to_end is None else _three(end_to_end.median),
            _megabytes(result.peak_memory_bytes),
        )
    failed = [
        Text.assemble(
            ("Failed: ", "red"), plain(names[failure.model]), f", {failure.threads} threads: ", plain(failure.error)
        )
        for failure in benchmark.failures
    ]
    return Group(*([table] if table.row_count else []), *failed, *_notes(benchmark, names))


def _notes(benchmark: Benchmark, names: dict[str, str]) -> Iterable[RenderableType]:
    environment = benchmark.environment
    yield Text(
        f"\nMilliseconds on {environment.machine}, {environment.cores} cores, {environment.runtime}. "
        "init: load and allocate; median, p90: the inference alone; photo to label: median from JPEG bytes."
    )
    for warning in benchmark.warnings:
        yield Text.assemble(("Warning: ", "yellow"), plain(warning))
    doubts: dict[str, list[str]] = {}
    notes: dict[str, list[str]] = {}
    for result in benchmark.measured:
        name = names[result.model]
        for warning in result.warnings:
            doubts.setdefault(warning, []).append(f"{name} ({result.threads})")
        note = result.end_to_end_note
        if note and name not in notes.setdefault(note, []):
            notes[note].append(name)
    for warning, named in doubts.items():
        yield Text.assemble(("Warning: ", "yellow"), plain(warning), " ", _listed(named, len(benchmark.measured)), ".")
    for note, named in notes.items():
        yield Text.assemble("Photo to label: ", plain(note), ". ", _listed(named, len(names)), ".")


def _listed(names: list[str], there_are: int) -> Text:
    """The first few of these names, or that it is all of them."""
    if len(names) == there_are and there_are > 1:
        return Text("All of them")
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return Text.assemble(plain(", ".join(names[:_MOST_NAMED])), more)


def render_comparison(comparison: Comparison) -> RenderableType:
    """Two benchmarks: median latency, size and peak memory, old and new and how many times the old one."""
    figures = [header for what in ("median\nms", "file\nMB", "memory\nMB") for header in (what, "new", "times")]
    table = _table("model", "thr.", *figures)
    names = _names([row.model for row in comparison.rows])
    for row in comparison.rows:
        table.add_row(plain(names[row.model]), str(row.threads), *_compared(row, comparison.factor))
    parts: list[RenderableType] = [table, Text("")]
    for difference in comparison.differences:
        parts.append(Text.assemble(("Warning: ", "yellow"), plain(difference), ": the times cannot be compared."))
    for where, missing in (("old", comparison.only_old), ("new", comparison.only_new)):
        parts += [Text.assemble("Only in the ", where, " results: ", plain(name)) for name in missing]
    parts += [Text.assemble(("Regression: ", "red"), plain(regression)) for regression in comparison.regressions]
    if not comparison.regressions:
        parts.append(Text(f"Nothing is more than {comparison.factor:g} times the old figure."))
    return Group(*parts)


def _compared(row: ComparedModel, factor: float) -> list[str | Text]:
    old, new, ratio = _shown(row.old), _shown(row.new), row.ratio
    ratios = (ratio.median_ms, ratio.bytes, ratio.peak_memory_bytes)
    cells = zip(old, new, (_times(times, factor) for times in ratios), strict=True)
    return [cell for figure in cells for cell in figure]


def _shown(figures: DecidingFigures | NoFigures) -> tuple[str, str, str]:
    if isinstance(figures, NoFigures):
        return "-", "-", "-"
    return _three(figures.median_ms), _millions(figures.bytes), _megabytes(figures.peak_memory_bytes)


def _names(models: Sequence[str]) -> dict[str, str]:
    """Path -> what stands in the table."""
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
