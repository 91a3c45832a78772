"""Accuracy against file size as coordinates for an inline SVG."""

import math
from dataclasses import dataclass

from edgeretrain.report.figures import Report, wilson

WIDTH, HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 12, 38
_LETTER, _LINE = 7.2, 15
"""Room for a letter and a line of the labels, in the SVG's units: wide enough for any sans-serif at 12."""


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
        (m["precision"], m["bytes"] / 1e6, m["evaluation"]["top1"], m["evaluation"]["photos"]) for m in report["models"]
    ]
    intervals = [wilson(top1, photos) for _, _, top1, photos in models]
    largest = max(float(size) for _, size, _, _ in models)
    x_step = round_step(largest, 6)
    x_end = x_step * math.ceil(largest * 1.02 / x_step)
    low, high = min(low for low, _ in intervals) * 100, max(high for _, high in intervals) * 100
    y_step = round_step(high - low, 5)
    y_start, y_end = y_step * math.floor(low / y_step), y_step * math.ceil(high / y_step)
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM

    def x(size: float) -> float:
        return round(_LEFT + size / x_end * (right - _LEFT), 1)

    def y(share: float) -> float:
        return round(bottom - (100 * share - y_start) / (y_end - y_start) * (bottom - _TOP), 1)

    # Names must neither cover each other nor an interval.
    taken = [
        (x(size) - 6, y(hi), x(size) + 6, y(lo)) for (_, size, _, _), (lo, hi) in zip(models, intervals, strict=True)
    ]
    points = []
    for (name, size, top1, _), (lo, hi) in zip(models, intervals, strict=True):
        text_x, text_y, anchor, area = _place(name, x(size), y(top1), taken)
        taken.append(area)
        title = f"{name}: {size:.2f} MB, top-1 {100 * top1:.1f} %, 95 % interval {100 * lo:.1f} to {100 * hi:.1f} %"
        points.append(Point(name, title, x(size), y(top1), y(lo), y(hi), text_x, text_y, anchor))
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


Area = tuple[float, float, float, float]


def _place(name: str, x: float, y: float, taken: list[Area]) -> tuple[float, float, str, Area]:
    """Where a name stands free: beside its point, else further up or down."""
    width = len(name) * _LETTER
    places: list[tuple[float, float, str, Area]] = []
    for shift in (0, -_LINE, _LINE, -2 * _LINE, 2 * _LINE, -3 * _LINE, 3 * _LINE):
        for anchor, start in (("start", x + 9), ("end", x - 9 - width)):
            area = (start, y + shift - _LINE / 2, start + width, y + shift + _LINE / 2)
            places.append((x + 9 if anchor == "start" else x - 9, round(y + shift + 4, 1), anchor, area))
    for place in places:
        left, top, right, bottom = place[3]
        inside = left >= _LEFT and right <= WIDTH and top >= 0 and bottom <= HEIGHT - _BOTTOM
        free = not any(left < a[2] and a[0] < right and top < a[3] and a[1] < bottom for a in taken)
        if inside and free:
            return place
    return places[0]


def round_step(span: float, most: int) -> float:
    """The smallest round step that cuts the span into at most so many parts."""
    span = max(span, 1e-6)
    power = math.floor(math.log10(span / most))
    candidates = [factor * 10.0**exponent for exponent in range(power, power + 3) for factor in (1, 2, 5)]
    return next(step for step in candidates if span / step <= most)


def stepped(start: float, end: float, step: float) -> list[float]:
    """From start to end, both included: `stepped(0, 1, 0.5)` -> `[0, 0.5, 1]`."""
    return [round(start + index * step, 9) for index in range(round((end - start) / step) + 1)]
