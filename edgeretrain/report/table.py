"""The report in the terminal. Reads well as plain text at 80 columns; labels are never taken for markup."""

from collections.abc import Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgeretrain.evaluation.figures import confusions, weakest_class
from edgeretrain.evaluation.intervals import wilson
from edgeretrain.evaluation.metrics import Evaluation
from edgeretrain.files.describe import one_line
from edgeretrain.records.training import Report
from edgeretrain.report.text import count, percent

MOST_CLASSES_IN_MATRIX = 12
_MOST_PAIRS = 10
_MOST_SKIPPED = 3


def render_table(report: Report) -> RenderableType:
    """All precisions in one table, and below it what was tested on, what was skipped and what to beware of.

    Accuracies are percent. The 95 % interval of top-1 is Wilson's (see intervals.wilson): what the model may score on
    other photos of the same kind. All models see the same test photos, so how often two models agree with float32 tells
    more about their difference than their intervals.
    """
    table = new_table()
    for header in ("precision", "bytes", "top-1\n%", "95 %\ninterval", "top-3\n%", "% same\nfloat32"):
        table.add_column(header, justify="left" if header == "precision" else "right", no_wrap=True)
    table.add_column("weakest class,\nits recall %", no_wrap=True)
    for model in report.models:
        evaluation = model.evaluation
        table.add_row(
            model.precision,
            f"{model.bytes:,}",
            Text(percent(evaluation.top1), style="bold"),
            interval(evaluation),
            percent(evaluation.top3),
            percent(evaluation.agreement_with_float32),
            _weakest(evaluation),
        )
    return Group(table, *_notes(report))


def render_evaluation(evaluation: Evaluation) -> RenderableType:
    """One model on one folder of photos: summary, precision and recall per class, and who is taken for whom.

    Up to MOST_CLASSES_IN_MATRIX classes the confusion matrix (rows: true class, columns: predicted), above that the
    most confused pairs. Accuracies are percent; log loss is in nats; the interval is Wilson's (see intervals.wilson).
    """
    parts: list[RenderableType] = [_summary(evaluation), _classes(evaluation)]
    pairs = confusions(evaluation)
    if len(evaluation.classes) <= MOST_CLASSES_IN_MATRIX:
        parts += [Text("\nConfusion (rows: true class, columns: predicted)\n"), _matrix(evaluation)]
    elif pairs:
        parts.append(Text(f"\nMost confused, {min(_MOST_PAIRS, len(pairs))} of {count(len(pairs), 'pair')}\n"))
        table = new_table()
        for header in ("photos", "% of class"):
            table.add_column(header, justify="right", no_wrap=True)
        for header in ("class", "taken for"):
            table.add_column(header, no_wrap=True)
        for pair in pairs[:_MOST_PAIRS]:
            table.add_row(f"{pair.count:,}", percent(pair.share), plain(pair.label, 28), plain(pair.predicted, 28))
        parts.append(table)
    return Group(*parts)


def interval(evaluation: Evaluation) -> str:
    """The 95 % interval of top-1, percent: `83.8-95.2`."""
    low, high = wilson(evaluation.top1, evaluation.photos)
    return f"{percent(low)}-{percent(high)}"


def plain(label: str, most: int | None = None) -> Text:
    """A label as text that can neither style nor disturb a terminal (see `one_line`).

    Cut to at most so many terminal cells.
    """
    text = Text(one_line(label))
    if most is not None:
        text.truncate(most, overflow="ellipsis")
    return text


def new_table() -> Table:
    """An empty table in the looks of all of ours."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))


def _weakest(evaluation: Evaluation) -> Text:
    weakest = weakest_class(evaluation)
    return Text("-") if weakest is None else Text.assemble(f"{percent(weakest.recall):>5} ", plain(weakest.label, 16))


def _notes(report: Report) -> Iterable[RenderableType]:
    photos = report.photos
    tested, trained, validated = (
        sum(per_class.values()) for per_class in (photos.testing, photos.training, photos.validation)
    )
    yield Text(
        f"\nTested on {count(tested, 'photo')} that no model was trained on "
        f"({trained:,} for training, {validated:,} for validation, {len(photos.labels):,} classes)."
    )
    skipped = photos.skipped
    if skipped:
        yield Text(f"Skipped {count(len(skipped), 'photo')}:")
        for photo in skipped[:_MOST_SKIPPED]:
            yield Text.assemble("  ", plain(photo.photo), ": ", plain(photo.reason))
        if len(skipped) > _MOST_SKIPPED:
            yield Text(f"  and {len(skipped) - _MOST_SKIPPED:,} more, all in report.json.")
    for warning in photos.warnings:
        yield Text.assemble(("Warning: ", "yellow"), plain(warning))


def _summary(evaluation: Evaluation) -> Text:
    agreement = evaluation.agreement_with_float32
    return Text.assemble(
        f"{count(evaluation.photos, 'photo')}: top-1 ",
        (f"{percent(evaluation.top1)} %", "bold"),
        f" (95 % interval {interval(evaluation)}), top-3 {percent(evaluation.top3)} %,\n",
        f"log loss {evaluation.log_loss:.3f}, calibration error {percent(evaluation.calibration_error)} %",
        "" if agreement is None else f", same answer as float32 {percent(agreement)} %",
        ".\n",
    )


def _classes(evaluation: Evaluation) -> Table:
    table = new_table()
    table.add_column("class", no_wrap=True)
    for header in ("photos", "precision %", "recall %"):
        table.add_column(header, justify="right", no_wrap=True)
    for figures in evaluation.classes:
        table.add_row(
            plain(figures.label, 44), f"{figures.photos:,}", percent(figures.precision), percent(figures.recall)
        )
    return table


def _matrix(evaluation: Evaluation) -> Table:
    table = new_table()
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("class", no_wrap=True)
    for column in range(len(evaluation.classes)):
        table.add_column(str(column + 1), justify="right", no_wrap=True)
    digits = max(len(f"{number:,}") for counts in evaluation.confusion for number in counts)
    room = max(8, min(28, 76 - len(evaluation.classes) * (max(2, digits) + 2)))  # so that 80 columns hold it
    for row, (figures, counts) in enumerate(zip(evaluation.classes, evaluation.confusion, strict=True)):
        cells = [
            Text(f"{number:,}" if number else ".", style="bold" if row == column else "red" if number else "dim")
            for column, number in enumerate(counts)
        ]
        table.add_row(str(row + 1), plain(figures.label, room), *cells)
    return table
