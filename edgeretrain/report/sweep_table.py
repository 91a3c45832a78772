"""A sweep in the terminal: one line a model, the Pareto front and the pick marked, then what is missing and why."""

from collections.abc import Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgeretrain.records.sweep import Candidate, ChosenModel, Sweep
from edgeretrain.report.sweep_figures import budget_text, failures, is_same, miss_text
from edgeretrain.report.table import plain
from edgeretrain.report.text import count, percent


def render_sweep_table(sweep: Sweep) -> RenderableType:
    """All models in the sweep's order. Fits 80 columns, but for names of presets longer than today's.

    Accuracies are percent; MB are millions of bytes; ms are the median of the inference. The 95 % interval is Wilson's
    (see intervals.wilson): models whose intervals overlap widely cannot be told apart with these test photos.
    """
    return Group(*([_table(sweep)] if sweep.candidates else []), *_notes(sweep))


def _table(sweep: Sweep) -> Table:
    timed = any(candidate.latency_ms is not None for candidate in sweep.candidates)
    limited = bool(budget_text(sweep))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)
    table.add_column("", no_wrap=True)
    table.add_column("preset", no_wrap=True)
    table.add_column("precision", no_wrap=True)
    for header in ("MB", "top-1\n%", "95 %\ninterval", *(["ms"] if timed else [])):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("Pareto\nfront", no_wrap=True)
    if limited:
        table.add_column("misses")
    for candidate in sweep.candidates:
        picked, nearest = is_same(candidate, sweep.pick), is_same(candidate, sweep.nearest)
        row = [
            ">" if picked else "~" if nearest else "",
            plain(candidate.preset),
            candidate.precision,
            f"{candidate.bytes / 1e6:.2f}",
            percent(candidate.top1),
            "-".join(percent(end) for end in candidate.interval),
            *([_milliseconds(candidate.latency_ms)] if timed else []),
            _front(candidate),
            *(["\n".join(map(miss_text, candidate.misses))] if limited else []),
        ]
        table.add_row(*row, style="bold" if picked else "dim" if candidate.misses else "")
    return table


def _milliseconds(latency: float | None) -> str:
    return "-" if latency is None else f"{latency:.2f}" if latency < 99.995 else f"{latency:.0f}"


def _front(candidate: Candidate) -> str:
    size, latency = candidate.front.size, candidate.front.latency
    return "both" if size and latency else "size" if size else "ms" if latency else ""


def _notes(sweep: Sweep) -> Iterable[RenderableType]:
    photos, latency = sweep.photos, sweep.latency
    budget = budget_text(sweep)
    if sweep.candidates:
        yield Text(
            f"\nTested on {count(photos.testing, 'photo')} that no model was trained on. A model is on the "
            "Pareto front if none that is as small (size) or as fast (ms) is more accurate."
        )
    if latency is not None:
        threads = count(sweep.budget.threads, "thread")
        yield Text.assemble("Latency: median inference, ", threads, ", ", plain(latency.where), ".")
        for warning in latency.warnings:
            yield Text.assemble(("Warning: ", "yellow"), plain(warning))
    for what, reason, models in failures(sweep):
        yield Text.assemble((f"{what[0].upper()}{what[1:]}: ", "red"), plain(", ".join(models)), ": ", plain(reason))
    if budget:
        yield Text(f"Budget: {budget}.")
    if sweep.pick is not None:
        yield _verdict("> Pick: ", sweep.pick)
    elif sweep.nearest is not None:
        yield _verdict("No model meets the budget. ~ Nearest: ", sweep.nearest)
    else:
        yield Text("No model was made.", style="bold")


def _verdict(start: str, named: ChosenModel) -> Text:
    return Text.assemble((f"{start}{named.preset} {named.precision}", "bold"), ". ", plain(named.reason))
