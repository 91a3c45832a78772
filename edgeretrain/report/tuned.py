"""What fine-tuning did: frozen against tuned for each precision, and how the training went, in words."""

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from edgeretrain.evaluation.figures import won_and_lost
from edgeretrain.evaluation.metrics import Evaluation
from edgeretrain.records.training import Report
from edgeretrain.report.table import new_table
from edgeretrain.report.text import percent


@dataclass(frozen=True)
class Tuned:
    """A model before and after.

    Attributes:
        won, lost: test photos that only the tuned model has right, that only the frozen one has right.
    """

    precision: str
    before: Evaluation
    after: Evaluation
    won: int
    lost: int


def tuned_models(report: Report) -> list[Tuned]:
    """In the report's order; none when nothing was tuned, or tuning came to nothing."""
    pairs = [
        (model.precision, model.frozen.evaluation, model.evaluation)
        for model in report.models
        if model.frozen is not None
    ]
    return [Tuned(precision, before, after, *won_and_lost(before, after)) for precision, before, after in pairs]


def verdict(report: Report) -> str:
    """How the training went, in one sentence; "" when there was none."""
    tuning = report.fine_tuning
    if tuning is None:
        return ""
    trainings = tuning.trainings
    length = _length([training.history[-1].epoch for training in trainings], tuning.options.epochs)
    times = f"{len(trainings)} times " if len(trainings) > 1 else ""
    before = trainings[0].history[0].validation_log_loss
    if not tuning.averaged:
        least = min(epoch.validation_log_loss for training in trainings for epoch in training.history[1:])
        return (
            f"Fine-tuning, {times}{length}, did not beat the frozen backbone on the validation photos (log loss "
            f"{before:.3f}, at best {least:.3f}): these are the frozen models"
        )
    after = f"the validation log loss was {tuning.validation_log_loss:.3f} (frozen: {before:.3f}"
    chosen = [trainings[number] for number in tuning.averaged]
    bests = [str(training.best_epoch) for training in chosen]
    if len(chosen) == 1:
        which = f" of training {tuning.averaged[0] + 1}" if len(trainings) > 1 else ""
        return f"Fine-tuned {times}for {length}; best after epoch {bests[0]}{which}, where {after})"
    alone = [f"{training.history[training.best_epoch].validation_log_loss:.3f}" for training in chosen]
    some = f"{len(chosen)} of " if len(chosen) < len(trainings) else ""
    return (
        f"Fine-tuned {times}for {length}; the weights of {some}these trainings, after their best epochs "
        f"({_listed(bests)}), were averaged: {after}; each alone: {_listed(alone)})"
    )


def _length(lasts: list[int], wanted: int) -> str:
    """Such as `4 epochs of at most 12`."""
    lengths = " to ".join(dict.fromkeys(str(last) for last in (min(lasts), max(lasts))))
    most = f" of at most {wanted}" if min(lasts) < wanted else ""
    return f"{lengths} epoch{'' if lengths == '1' else 's'}{most}"


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


def distilled(report: Report) -> str:
    """What was distilled from, in one sentence; "" without distillation."""
    distillation = report.fine_tuning.distillation if report.fine_tuning else None
    if distillation is None:
        return ""
    names = " and ".join(teacher.preset for teacher in distillation.backbones)
    return (
        f"It also learnt what {names} make of the training photos; a head on their bottlenecks has "
        f"{percent(distillation.validation_top1)} % of the validation photos right"
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
    for model in models:
        table.add_row(
            model.precision,
            percent(model.before.top1),
            percent(model.after.top1),
            f"+{model.won} -{model.lost}",
            f"{model.before.log_loss:.3f}",
            f"{model.after.log_loss:.3f}",
        )
    sentences = Text("".join(f"{line}.\n" for line in (verdict(report), distilled(report)) if line))
    return Group(sentences, table, Text("")) if models else sentences
