"""What `teach` changed: added and removed classes, and how the others fare before and after."""

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from edgeretrain.records.training import KnownPhotos, Report
from edgeretrain.report.table import new_table, plain
from edgeretrain.report.text import count, percent


@dataclass(frozen=True)
class KnownClass:
    """A class of the earlier model that stayed.

    Attributes:
        photos: its old test photos.
        recalls: per model of the report (before, after), on these photos.
    """

    label: str
    photos: int
    recalls: tuple[tuple[float, float], ...]


def known_classes(report: Report) -> list[KnownClass]:
    """In label order; none when the report is not of `teach`."""
    rows = zip(*(known.classes for known in _known(report)), strict=True)
    return [
        KnownClass(row[0].label, row[0].photos, tuple((known.recall_before, known.recall_after) for known in row))
        for row in rows
    ]


def _known(report: Report) -> list[KnownPhotos]:
    """Of each model; none when the report is not of `teach`."""
    return [model.known for model in report.models if model.known is not None]


def changes(report: Report) -> str:
    """`added tulips (100 photos), removed roses (90 photos)`; "" when the report is not of `teach`."""
    if report.taught is None:
        return ""
    sentences = []
    for verb, classes in (("added", report.taught.added), ("removed", report.taught.removed)):
        if classes:
            counts = (f"{label} ({count(photos, 'photo')})" for label, photos in classes.items())
            sentences.append(f"{verb} {', '.join(counts)}")
    return "; ".join(sentences)


def render_taught(report: Report) -> RenderableType:
    """Recall per class that stayed, percent, before and after, on the test photos that the earlier model had."""
    table = new_table()
    table.add_column("class", no_wrap=True)
    table.add_column("old test\nphotos", justify="right", no_wrap=True)
    for model in report.models:
        table.add_column(f"{model.precision}\nrecall %", justify="right", no_wrap=True)
    for known in known_classes(report):
        moves = (f"{percent(before)} > {percent(after)}" for before, after in known.recalls)
        table.add_row(plain(known.label, 28), f"{known.photos:,}", *moves)
    totals = _known(report)
    table.add_section()
    table.add_row(
        "all",
        f"{totals[0].photos:,}",
        *(f"{percent(total.top1_before)} > {percent(total.top1_after)}" for total in totals),
    )
    changed = changes(report)
    return Group(plain(f"{changed[0].upper()}{changed[1:]}."), Text("\nOld classes, before > after\n"), table, Text(""))
