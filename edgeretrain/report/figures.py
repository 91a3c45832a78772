"""What a report says of its models, in few figures: which file to ship, and the photos that models get wrong."""

from dataclasses import dataclass

from edgeretrain.evaluation.figures import won_and_lost
from edgeretrain.records.training import ModelRecord, Report

TOLERANCE = 0.01
"""Top-1 that may be given up for a smaller file when one is suggested."""


def suggested(report: Report) -> ModelRecord:
    """The model to ship first: the smallest file whose top-1 is within TOLERANCE of the best one's."""
    best = max(model.evaluation.top1 for model in report.models)
    close = [model for model in report.models if model.evaluation.top1 >= best - TOLERANCE - 1e-9]
    return min(close, key=lambda model: model.bytes)


def against_float32(report: Report, model: ModelRecord) -> tuple[int, int] | None:
    """(photos only this model has right, photos only float32 has right); None for float32 itself or without it."""
    reference = next((other for other in report.models if other.precision == "float32"), None)
    if reference is None or reference is model:
        return None
    return won_and_lost(reference.evaluation, model.evaluation)


@dataclass(frozen=True)
class WrongAnswer:
    """What a model says of a photo that it gets wrong.

    Attributes:
        precision: the model's.
        predicted: its most probable class.
        score: probability of that, 0 to 1.
        label_score: probability of the true class, 0 to 1.
    """

    precision: str
    predicted: str
    score: float
    label_score: float


@dataclass(frozen=True)
class Mistaken:
    """A test photo that at least one model gets wrong.

    Attributes:
        photo: its name, `<label>/<file>`.
        label: the true class.
        answers: of each model that is wrong, in the report's order.
    """

    photo: str
    label: str
    answers: tuple[WrongAnswer, ...]

    @property
    def score(self) -> float:
        """The highest score of a wrong answer."""
        return max(answer.score for answer in self.answers)


def mistaken(report: Report) -> list[Mistaken]:
    """Every photo that any model gets wrong, the most confident mistake first, then by name."""
    answers: dict[tuple[str, str], list[WrongAnswer]] = {}
    for model in report.models:
        for mistake in model.evaluation.mistakes:
            answer = WrongAnswer(model.precision, mistake.predicted, mistake.score, mistake.label_score)
            answers.setdefault((mistake.photo, mistake.label), []).append(answer)
    photos = [Mistaken(photo, label, tuple(wrong)) for (photo, label), wrong in answers.items()]
    return sorted(photos, key=lambda photo: (-photo.score, photo.photo))
