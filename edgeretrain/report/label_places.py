"""Where the names of a chart's points stand: free of each other, of the points, and of whatever else is drawn."""

from collections.abc import Sequence
from typing import NamedTuple

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom; y downwards."""

Offset = tuple[str, float]
"""`start` (right of the point) or `end` (left of it), and how many lines below the point's centre."""


class Place(NamedTuple):
    """Where an SVG text stands: x, y of its base line, and `text-anchor`."""

    x: float
    y: float
    anchor: str


def place_labels(
    labels: Sequence[str],
    points: Sequence[Point],
    area: Box,
    *,
    letter: float,
    line: float,
    offsets: Sequence[Offset],
    kept_free: Sequence[Box] = (),
    first: int | None = None,
    more_offsets: Sequence[Offset] = (),
) -> list[Place | None]:
    """Place each label beside its point, from left to right; None for a label that is empty or finds no room.

    Args:
        area: that holds all labels whole.
        letter, line: room for one letter, one line.
        offsets: the places that are tried for a label, the preferred one first.
        kept_free: where no label may stand.
        first: number of the label that is placed before all others.
        more_offsets: places that are tried for this label alone, after the others.
    """
    taken = list(kept_free)
    places: list[Place | None] = [None] * len(labels)
    for index in sorted(range(len(labels)), key=lambda index: (index != first, points[index])):
        if not labels[index]:
            continue
        for offset in [*offsets, *more_offsets] if index == first else offsets:
            box = _box(labels[index], points[index], offset, letter, line)
            inside = box[0] >= area[0] and box[1] >= area[1] and box[2] <= area[2] and box[3] <= area[3]
            if inside and not any(_overlap(box, other) for other in taken):
                places[index] = place_at(points[index], offset, line)
                taken.append(box)
                break
    return places


def place_at(point: Point, offset: Offset, line: float) -> Place:
    """The place at this offset, whatever else is there."""
    (x, y), (anchor, lines) = point, offset
    gap = _GAP * line
    return Place(round(x - gap if anchor == "end" else x + gap, 1), round(y + (lines + 0.25) * line, 1), anchor)


_GAP = 0.6
"""Lines between the centre of a point and its label."""


def _box(label: str, point: Point, offset: Offset, letter: float, line: float) -> Box:
    (x, y), (anchor, lines) = point, offset
    width = len(label) * letter
    left = x - _GAP * line - width if anchor == "end" else x + _GAP * line
    return left, y + (lines - 0.5) * line, left + width, y + (lines + 0.5) * line


def _overlap(box: Box, other: Box) -> bool:
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
