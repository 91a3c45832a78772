"""Which bottleneck `--bottleneck auto` chose for each model, and by which figures, for the terminal."""

from rich.console import Group, RenderableType
from rich.text import Text

from edgeretrain.records.training import Report
from edgeretrain.report.table import new_table
from edgeretrain.report.text import count, percent


def render_bottlenecks(report: Report) -> RenderableType | None:
    """What was tried for each model of a report, and what was taken; None: nothing was chosen."""
    choices = [(model.precision, model.backbone.bottleneck_choice) for model in report.models]
    table = new_table()
    for header in ("bottleneck of", "features", "log loss", "above\nbest", "± standard\nerror", "top-1\n%"):
        table.add_column(header, justify="left" if header == "bottleneck of" else "right", no_wrap=True)
    table.add_column("", no_wrap=True)
    note = ""
    for precision, choice in choices:
        if choice is None:
            continue
        note = f"\nTried in {choice.folds} folds of {count(choice.photos, 'photo')} for training and validation."
        for place, candidate in enumerate(choice.candidates):
            best = not candidate.standard_error
            table.add_row(
                "" if place else precision,
                f"{candidate.length:,}",
                f"{candidate.log_loss:.3f}",
                "" if best else f"{candidate.above_best:.3f}",
                "" if best else f"{candidate.standard_error:.3f}",
                percent(candidate.top1),
                Text("taken", style="bold") if place == choice.chosen else "",
            )
    if not note:
        return None
    if all(choice is None or len(choice.candidates) == 1 for _, choice in choices):
        return Group(
            Text(), table, Text(f"{note} So few photos cannot choose: averages of inner layers were not tried.")
        )
    note += (
        " The first features are the backbone's own output, the others averages of inner layers. Taken is the fewest "
        "features whose log loss is at most a standard error above the best."
    )
    return Group(Text(), table, Text(note))
