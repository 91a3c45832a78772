"""Accuracy against size, and against latency, of many models, as coordinates for SVGs: the page's and `pareto.svg`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgeretrain.files.describe import one_line
from edgeretrain.records.sweep import Candidate, Sweep
from edgeretrain.report.chart import Tick, round_step, stepped
from edgeretrain.report.family_colours import colour_class
from edgeretrain.report.label_places import Box, Offset, place_labels
from edgeretrain.report.sweep_figures import COSTS, Cost, is_same, on_front, short_name

WIDTH, HEIGHT = 580, 400
LEFT, RIGHT, TOP, BOTTOM = 40, WIDTH - 14, 12, HEIGHT - 42
_LETTER, _LINE = 0.55, 1.25
"""Room for a letter and a line of a name, in sizes of its font: wide enough for any sans-serif."""

# A Pareto front leaves the room above and to the left of it empty, so names go there first.
_OFFSETS: list[Offset] = [("end", -0.75), ("end", -0.1), ("end", -1.3), ("start", -0.9), ("start", 0.9)]
_OFFSETS += [("start", -0.1), ("end", 0.9)]
_MORE_OFFSETS: list[Offset] = [
    (side, lines) for lines in (-2.1, 2.1, -3.3, 3.3, -4.5, 4.5) for side in ("end", "start")
]

SYMBOLS = {
    "float32": "M0-4.6A4.6 4.6 0 1 1 0 4.6A4.6 4.6 0 1 1 0-4.6Z",
    "float16": "M-4.2-4.2H4.2V4.2H-4.2Z",
    "dynamic": "M0-5.4L5.3 4H-5.3Z",
    "int8": "M0-6L6 0L0 6L-6 0Z",
}
"""A precision's symbol: circle, square, triangle, diamond; paths around (0, 0)."""


@dataclass(frozen=True)
class Dot:
    """A model.

    Attributes:
        row: its number in the sweep.
        colour: the CSS class that has its family's colour.
        symbol, whisker: its mark, around (0, 0), and its interval, as SVG paths.
        x, y: its centre.
        name: "" where it has none; then it has no place either.
    """

    row: int
    colour: str
    symbol: str
    x: float
    y: float
    whisker: str
    name: str
    text_x: float | None
    text_y: float | None
    anchor: str


@dataclass(frozen=True)
class Picture:
    """One scatter. `line` is the Pareto line as an SVG path; `limit` the budget's place on x, `asked` on y."""

    title: str
    unit: str
    xs: list[Tick]
    ys: list[Tick]
    dots: list[Dot]
    line: str
    limit: float | None
    asked: float | None


@dataclass(frozen=True)
class Scales:
    """What a picture shows: ends and ticks of both axes, in the figures' own units (MB or ms; percent)."""

    x_start: float
    x_end: float
    x_ticks: list[float]
    y_start: float
    y_end: float
    y_ticks: list[float]


def shown(sweep: Sweep, cost: Cost) -> list[tuple[int, Candidate, float]]:
    """The candidates that have the figure: number, candidate, and the figure as it is shown (MB, ms)."""
    rows = enumerate(sweep.candidates)
    if cost == "size":
        return [(row, candidate, candidate.bytes * 1e-6) for row, candidate in rows]
    return [(row, candidate, candidate.latency_ms) for row, candidate in rows if candidate.latency_ms]


def scales(values: Sequence[float], accuracies: Sequence[float]) -> Scales:
    """Axes that hold all the models: x logarithmic with ticks at 1, 2, 5, 10..., y linear in percent."""
    start, end = min(values) / 1.15, max(values) * 1.15
    powers = range(math.floor(math.log10(start)), math.ceil(math.log10(end)) + 1)
    ticks = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    inside = [tick for tick in ticks if start <= tick <= end]
    if len(inside) < 2:  # models of nearly one size: the round numbers around them
        start, end = max(tick for tick in ticks if tick <= start), min(tick for tick in ticks if tick >= end)
        inside = [tick for tick in ticks if start <= tick <= end]
    low, high = 100 * min(accuracies), 100 * max(accuracies)
    step = max(round_step(high - low, 6), 0.5)
    bottom, top = max(0.0, step * math.floor(low / step - 0.3)), min(100.0, step * math.ceil(high / step + 0.3))
    return Scales(start, end, inside, bottom, top, stepped(bottom, top, step))


def scales_of(sweep: Sweep, found: list[tuple[int, Candidate, float]]) -> Scales:
    """Axes for what `shown` found; they hold the whole interval of the pick, which always shows."""
    named = sweep.pick or sweep.nearest
    accuracies = [candidate.top1 for _, candidate, _ in found]
    accuracies += [end for _, candidate, _ in found if is_same(candidate, named) for end in candidate.interval]
    return scales([value for _, _, value in found], accuracies)


def pictures(sweep: Sweep, font_size: float = 12) -> dict[Cost, Picture]:
    """A picture against size, and one against latency where any was measured.

    Args:
        font_size: of the models' names, in the SVG's units.
    """
    return {cost: _picture(sweep, cost, found, font_size) for cost in COSTS if (found := shown(sweep, cost))}


def _picture(sweep: Sweep, cost: Cost, found: list[tuple[int, Candidate, float]], font_size: float) -> Picture:
    axes = scales_of(sweep, found)

    def x(value: float) -> float:
        share = math.log(value / axes.x_start) / math.log(axes.x_end / axes.x_start)
        return round(LEFT + share * (RIGHT - LEFT), 1)

    def y(percent: float) -> float:
        share = (percent - axes.y_start) / (axes.y_end - axes.y_start)
        return round(min(BOTTOM, max(TOP, BOTTOM - share * (BOTTOM - TOP))), 1)  # intervals may reach further

    centres = [(x(value), y(100 * candidate.top1)) for _, candidate, value in found]
    front = [on_front(candidate, cost) for _, candidate, _ in found]
    names = [short_name(candidate) if on else "" for (_, candidate, _), on in zip(found, front, strict=True)]
    named = sweep.pick or sweep.nearest
    first = next((index for index, (_, candidate, _) in enumerate(found) if is_same(candidate, named)), None)
    half = _LINE * font_size / 2
    kept_free: list[Box] = [(at_x - half, at_y - half, at_x + half, at_y + half) for at_x, at_y in centres]
    if first is not None:  # its interval always shows
        low, high = (y(100 * end) for end in found[first][1].interval)
        kept_free.append((centres[first][0] - 4, high, centres[first][0] + 4, low))
        names[first] = short_name(found[first][1])
    places = place_labels(
        names,
        centres,
        (LEFT, 0, WIDTH, BOTTOM),
        letter=_LETTER * font_size,
        line=_LINE * font_size,
        offsets=_OFFSETS,
        kept_free=kept_free,
        first=first,
        more_offsets=_MORE_OFFSETS,
    )
    dots = []
    for (row, candidate, _), (at_x, at_y), name, place in zip(found, centres, names, places, strict=True):
        low, high = candidate.interval
        dots.append(
            Dot(
                row,
                colour_class(candidate.architecture),
                SYMBOLS.get(candidate.precision, SYMBOLS["float32"]),
                at_x,
                at_y,
                whisker(at_x, axes, y(100 * low), y(100 * high), 100 * low, 100 * high),
                name if place else "",
                *(place or (None, None, "")),
            )
        )
    budget = sweep.budget
    size = None if budget.max_size is None else budget.max_size / 1e6
    limit = size if cost == "size" else budget.max_latency
    asked = None if budget.min_accuracy is None else 100 * budget.min_accuracy
    return Picture(
        "file size" if cost == "size" else "latency",
        "MB" if cost == "size" else "ms",
        [Tick(x(tick), f"{tick:g}") for tick in axes.x_ticks],
        [Tick(y(tick), f"{tick:g}") for tick in axes.y_ticks],
        dots,
        line_path([centre for centre, on in zip(centres, front, strict=True) if on]),
        x(limit) if limit and axes.x_start <= limit <= axes.x_end else None,
        y(asked) if asked is not None and axes.y_start <= asked <= axes.y_end else None,
    )


def whisker(x: float, axes: Scales, low: float, high: float, least: float, most: float) -> str:
    """An interval from y `low` to y `high`, with a bar at each end that the picture reaches."""
    path = f"M{x:g} {high:g}V{low:g}"
    for y, inside in ((high, most <= axes.y_end), (low, least >= axes.y_start)):
        path += f"M{x - 4:g} {y:g}h8" if inside else ""
    return path


def line_path(centres: Sequence[tuple[float, float]]) -> str:
    """The Pareto line: steps from the smallest model of the front to the largest. No model is above it."""
    if not centres:
        return ""
    first, *rest = sorted(centres, key=lambda centre: (centre[0], -centre[1]))
    return f"M{first[0]:g} {first[1]:g}" + "".join(f"H{x:g}V{y:g}" for x, y in rest)


def title_of(candidate: Candidate) -> str:
    """The details of a point, line by line."""
    low, high = candidate.interval
    right = round(candidate.top1 * candidate.test_photos)
    lines = [
        f"{candidate.preset} {candidate.precision}",
        f"top-1 {100 * candidate.top1:.1f} % ({right:,} of {candidate.test_photos:,} photos)",
        f"95 % interval {100 * low:.1f} to {100 * high:.1f} %",
        f"{candidate.bytes:,} bytes, {candidate.macs / 1e6:.1f} M MACs",
    ]
    if candidate.latency_ms is not None:
        spread = f", p90 {candidate.latency.inference_ms.p90:.2f}" if candidate.latency else ""
        lines.append(f"{candidate.latency_ms:.2f} ms{spread}")
    elif candidate.latency_error:
        lines.append("latency could not be measured")
    if weakest := candidate.weakest:
        lines.append(f"weakest class {weakest.label}, recall {100 * weakest.recall:.1f} %")
    return "\n".join(map(one_line, lines))  # an SVG with a control character in it does not open
