"""How fine-tuning went, epoch after epoch, as coordinates for an inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgeretrain.records.training import EpochRecord, Report
from edgeretrain.report.chart import Tick, round_step, stepped

WIDTH, HEIGHT = 460, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 92, 12, 38
_LINE = 15  # room for a name

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A loss over the epochs: for each training the points `x,y` in their order; and where its name stands."""

    name: str
    points: list[str]
    x: float
    y: float


@dataclass(frozen=True)
class Curve:
    """Losses per epoch.

    Attributes:
        best: where the weights that count are from, in each training that does.
        mean: what the validation photos say of their mean, where there are several; else None.
    """

    width: int
    height: int
    left: int
    right: int
    bottom: int
    epochs: list[Tick]
    losses: list[Tick]
    lines: list[Line]
    best: list[Point]
    mean: Point | None


def training_curve(report: Report) -> Curve | None:
    """Lay out the training loss and the validation log loss over the epochs; None when nothing was trained."""
    tuning = report.fine_tuning
    if tuning is None:
        return None
    histories = [training.history for training in tuning.trainings]
    series = {
        "validation": [[(epoch.epoch, epoch.validation_log_loss) for epoch in history] for history in histories],
        "training": [_training_losses(history) for history in histories],
    }
    values = [loss for curves in series.values() for points in curves for _, loss in points]
    mean = len(tuning.averaged) > 1
    if mean:
        values.append(tuning.validation_log_loss)
    epochs = max(history[-1].epoch for history in histories)
    step = round_step(max(max(values) - min(values), 0.01), 5)
    low, high = step * (min(values) // step), step * -(-max(values) // step)
    high = max(high, low + step)
    x_step = max(1.0, round_step(epochs, 8))
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM

    def place(epoch: float, loss: float) -> Point:
        x = _LEFT + epoch / epochs * (right - _LEFT)
        return round(x, 1), round(bottom - (loss - low) / (high - low) * (bottom - _TOP), 1)

    def joined(points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x},{y}" for x, y in (place(*point) for point in points))

    ends = [sum(place(*points[-1])[1] for points in curves) / len(curves) for curves in series.values()]
    if abs(ends[0] - ends[1]) < _LINE:  # the names must not cover each other
        middle, shift = sum(ends) / 2, _LINE / 2 if ends[0] >= ends[1] else -_LINE / 2
        ends = [middle + shift, middle - shift]
    lines = [
        Line(name, [joined(points) for points in curves], right + 8, round(end, 1))
        for (name, curves), end in zip(series.items(), ends, strict=True)
    ]
    bests = [(tuning.trainings[number].best_epoch, histories[number]) for number in tuning.averaged]
    return Curve(
        WIDTH,
        HEIGHT,
        _LEFT,
        right,
        bottom,
        [Tick(place(epoch, low)[0], f"{epoch:g}") for epoch in stepped(0, epochs // x_step * x_step, x_step)],
        [Tick(place(0, loss)[1], f"{loss:g}") for loss in stepped(low, high, step)],
        lines,
        [place(best, history[best].validation_log_loss) for best, history in bests]
        or [place(0, histories[0][0].validation_log_loss)],
        place(epochs, tuning.validation_log_loss) if mean else None,
    )


def _training_losses(history: Sequence[EpochRecord]) -> list[tuple[int, float]]:
    """(epoch, training loss) of each epoch that has one: not the frozen network's."""
    return [(epoch.epoch, epoch.training_loss) for epoch in history if epoch.training_loss is not None]
