"""Accuracy against file size as coordinates for an inline SVG."""

import math
from dataclasses import dataclass

from edgeretrain.evaluation.intervals import wilson
from edgeretrain.records.training import Report
from edgeretrain.report.label_places import Offset, place_at, place_labels

WIDTH, HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 12, 38
_LETTER, _LINE = 7.2, 15
"""Room for a letter and a line of the labels, in the SVG's units: wide enough for any sans-serif at 12."""

_OFFSETS: list[Offset] = [(side, lines) for lines in (0, -1, 1, -2, 2, -3, 3) for side in ("start", "end")]


@dataclass(frozen=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True)
class Point:
    """A model: centre, ends of the interval, and where its name stands."""

    name: str
    title: str
    x: float
    y: float
    low: float
    high: float
    text_x: float
    text_y: float
    anchor: str


@dataclass(frozen=True)
class Chart:
    width: int
    height: int
    left: int
    right: int
    bottom: int
    sizes: list[Tick]
    accuracies: list[Tick]
    points: list[Point]


def size_chart(report: Report) -> Chart:
    """Lay out one point per model: x is the file size from 0, y is top-1 with its 95 % interval."""
    models = [
        (model.precision, model.bytes / 1e6, model.evaluation.top1, model.evaluation.photos) for model in report.models
    ]
    intervals = [wilson(top1, photos) for _, _, top1, photos in models]
    largest = max(size for _, size, _, _ in models)
    x_step = round_step(largest, 6)
    x_end = x_step * math.ceil(largest * 1.02 / x_step)
    least, most = min(low for low, _ in intervals) * 100, max(high for _, high in intervals) * 100
    y_step = round_step(most - least, 5)
    y_start, y_end = y_step * math.floor(least / y_step), y_step * math.ceil(most / y_step)
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM

    def x(size: float) -> float:
        return round(_LEFT + size / x_end * (right - _LEFT), 1)

    def y(share: float) -> float:
        return round(bottom - (100 * share - y_start) / (y_end - y_start) * (bottom - _TOP), 1)

    names, centres = [name for name, *_ in models], [(x(size), y(top1)) for _, size, top1, _ in models]
    places = place_labels(
        names,
        centres,
        (_LEFT, 0, WIDTH, bottom),
        letter=_LETTER,
        line=_LINE,
        offsets=_OFFSETS,
        kept_free=[
            (centre - 6, y(high), centre + 6, y(low))
            for (centre, _), (low, high) in zip(centres, intervals, strict=True)
        ],
    )
    points = []
    for (name, size, top1, _), (low, high), centre, place in zip(models, intervals, centres, places, strict=True):
        title = f"{name}: {size:.2f} MB, top-1 {100 * top1:.1f} %, 95 % interval {100 * low:.1f} to {100 * high:.1f} %"
        place = place or place_at(centre, _OFFSETS[0], _LINE)  # every model has its name
        points.append(Point(name, title, *centre, y(low), y(high), place.x, place.y, place.anchor))
    return Chart(
        WIDTH,
        HEIGHT,
        _LEFT,
        right,
        bottom,
        [Tick(x(size), f"{size:g}") for size in stepped(0, x_end, x_step)],
        [Tick(y(value / 100), f"{value:g}") for value in stepped(y_start, y_end, y_step)],
        points,
    )


def round_step(span: float, most: int) -> float:
    """The smallest round step that cuts the span into at most so many parts."""
    span = max(span, 1e-6)
    power = math.floor(math.log10(span / most))
    candidates = [factor * 10.0**exponent for exponent in range(power, power + 3) for factor in (1, 2, 5)]
    return next(step for step in candidates if span / step <= most)


def stepped(start: float, end: float, step: float) -> list[float]:
    """From start to end, both included: `stepped(0, 1, 0.5)` -> `[0, 0.5, 1]`."""
    return [round(start + index * step, 9) for index in range(round((end - start) / step) + 1)]
