"""What fine-tuning did: frozen against tuned for each precision, and how the training went."""

from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from edgeretrain.report.chart import Tick, round_step, stepped
from edgeretrain.report.figures import Report
from edgeretrain.report.table import new_table, percent

WIDTH, HEIGHT = 460, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 92, 12, 38


@dataclass(frozen=True)
class Tuned:
    """A model before and after.

    Attributes:
        won, lost: test photos that only the tuned model has right, that only the frozen one has right.
    """

    precision: str
    before: dict[str, Any]
    after: dict[str, Any]
    won: int
    lost: int


def tuned_models(report: Report) -> list[Tuned]:
    """In the report's order; none when nothing was tuned, or tuning came to nothing."""
    rows = []
    for model in report["models"]:
        if "frozen" not in model:
            continue
        before, after = model["frozen"]["evaluation"], model["evaluation"]
        wrong_before, wrong_after = ({one["photo"] for one in each["mistakes"]} for each in (before, after))
        rows.append(
            Tuned(
                model["precision"],
                before,
                after,
                len(wrong_before - wrong_after),
                len(wrong_after - wrong_before),
            )
        )
    return rows


def verdict(report: Report) -> str:
    """How the training went, in one sentence; "" when there was none."""
    if "fine_tuning" not in report:
        return ""
    best, history = report["fine_tuning"]["best_epoch"], report["fine_tuning"]["history"]
    last, wanted = history[-1]["epoch"], report["fine_tuning"]["options"]["epochs"]
    length = f"{last} epoch{'' if last == 1 else 's'}" + (f" of at most {wanted}" if last < wanted else "")
    before = history[0]["validation_log_loss"]
    if best == 0:
        least = min(one["validation_log_loss"] for one in history[1:])
        return (
            f"Fine-tuning, {length}, did not beat the frozen backbone on the validation photos (log loss {before:.3f}, "
            f"at best {least:.3f}): these are the frozen models"
        )
    return (
        f"Fine-tuned for {length}; best after epoch {best}, where the validation log loss was "
        f"{history[best]['validation_log_loss']:.3f} (frozen: {before:.3f})"
    )


def distilled(report: Report) -> str:
    """What was distilled from, in one sentence; "" without distillation."""
    distillation = report.get("fine_tuning", {}).get("distillation")
    if not distillation:
        return ""
    names = " and ".join(one["preset"] for one in distillation["backbones"])
    return (
        f"It also learnt what {names} make of the training photos; a head on their bottlenecks has "
        f"{percent(distillation['validation_top1'])} % of the validation photos right"
    )


def render_tuned(report: Report) -> RenderableType:
    """Top-1, percent, and log loss, nats, on the test photos, frozen and tuned."""
    table = new_table()
    table.add_column("precision", no_wrap=True)
    for header in (
        "top-1 %,\nfrozen",
        "top-1 %,\ntuned",
        "photos won\nand lost",
        "log loss,\nfrozen",
        "log loss,\ntuned",
    ):
        table.add_column(header, justify="right", no_wrap=True)
    models = tuned_models(report)
    for one in models:
        table.add_row(
            one.precision,
            percent(one.before["top1"]),
            percent(one.after["top1"]),
            f"+{one.won} -{one.lost}",
            f"{one.before['log_loss']:.3f}",
            f"{one.after['log_loss']:.3f}",
        )
    told = Text("".join(f"{line}.\n" for line in (verdict(report), distilled(report)) if line))
    return Group(told, table, Text("")) if models else told


@dataclass(frozen=True)
class Line:
    """A curve: its name beside its end, and the points `x,y` in the order of the epochs."""

    name: str
    points: str
    x: float
    y: float


@dataclass(frozen=True)
class Curve:
    """Losses per epoch as coordinates for an inline SVG; `best` is where the kept weights are from."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    epochs: list[Tick]
    losses: list[Tick]
    lines: list[Line]
    best: tuple[float, float]


def training_curve(report: Report) -> Curve | None:
    """Lay out the training loss and the validation log loss over the epochs; None when nothing was trained."""
    history = report.get("fine_tuning", {}).get("history", [])
    if len(history) < 2:
        return None
    series = [
        (name, [(one["epoch"], one[key]) for one in history if one[key] is not None])
        for name, key in (("validation", "validation_log_loss"), ("training", "training_loss"))
    ]
    values = [loss for _, points in series for _, loss in points]
    epochs = history[-1]["epoch"]
    step = round_step(max(max(values) - min(values), 0.01), 5)
    low, high = step * (min(values) // step), step * -(-max(values) // step)
    high = max(high, low + step)
    x_step = max(1.0, round_step(epochs, 8))
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM

    def place(epoch: float, loss: float) -> tuple[float, float]:
        x = _LEFT + epoch / epochs * (right - _LEFT)
        return round(x, 1), round(bottom - (loss - low) / (high - low) * (bottom - _TOP), 1)

    ends = [place(*points[-1])[1] for _, points in series]
    if abs(ends[0] - ends[1]) < 15:  # the names must not cover each other
        middle, shift = sum(ends) / 2, 7.5 if ends[0] >= ends[1] else -7.5
        ends = [round(middle + shift, 1), round(middle - shift, 1)]
    lines = [
        Line(name, " ".join(f"{x},{y}" for x, y in (place(*point) for point in points)), right + 8, end)
        for (name, points), end in zip(series, ends, strict=True)
    ]
    best = report["fine_tuning"]["best_epoch"]
    return Curve(
        WIDTH,
        HEIGHT,
        _LEFT,
        right,
        bottom,
        [Tick(place(epoch, low)[0], f"{epoch:g}") for epoch in stepped(0, epochs // x_step * x_step, x_step)],
        [Tick(place(0, loss)[1], f"{loss:g}") for loss in stepped(low, high, step)],
        lines,
        place(best, history[best]["validation_log_loss"]),
    )
