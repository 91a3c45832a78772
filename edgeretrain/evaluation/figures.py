"""What a report says of its models, in few figures: the weakest class, who is taken for whom, which file to ship."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Evaluation = dict[str, Any]
Report = dict[str, Any]

TOLERANCE = 0.01
"""Top-1 that may be given up for a smaller file when one is suggested."""


def weakest_class(evaluation: Evaluation) -> tuple[str, float] | None:
    """The class with the lowest recall, the first of equals; None when no class has test photos."""
    recalls = [(entry["recall"], entry["label"]) for entry in evaluation["classes"] if entry["recall"] is not None]
    if not recalls:
        return None
    recall, label = min(recalls, key=lambda pair: pair[0])
    return label, recall


@dataclass(frozen=True)
class Confusion:
    """Photos of one class taken for another.

    Attributes:
        count: photos.
        share: of the true class' test photos, 0 to 1.
    """

    label: str
    predicted: str
    count: int
    share: float


def confusions(evaluation: Evaluation) -> list[Confusion]:
    """Every pair of classes that was confused, most photos first, then the larger share, then in label order."""
    labels = [entry["label"] for entry in evaluation["classes"]]
    pairs = [
        Confusion(labels[row], labels[column], count, count / sum(counts))
        for row, counts in enumerate(evaluation["confusion"])
        for column, count in enumerate(counts)
        if count and row != column
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share))


def suggested(report: Report) -> dict[str, Any]:
    """The model to ship first: the smallest file whose top-1 is within TOLERANCE of the best one's."""
    models: list[dict[str, Any]] = report["models"]
    best = max(model["evaluation"]["top1"] for model in models)
    close = [model for model in models if model["evaluation"]["top1"] >= best - TOLERANCE - 1e-9]
    return min(close, key=lambda model: model["bytes"])


def against_float32(report: Report, model: dict[str, Any]) -> tuple[int, int] | None:
    """(photos only this model has right, photos only float32 has right); None for float32 itself or without it."""
    reference = next((other for other in report["models"] if other["precision"] == "float32"), None)
    if reference is None or reference is model:
        return None
    wrong = {mistake["photo"] for mistake in model["evaluation"]["mistakes"]}
    reference_wrong = {mistake["photo"] for mistake in reference["evaluation"]["mistakes"]}
    return len(reference_wrong - wrong), len(wrong - reference_wrong)


@dataclass(frozen=True)
class Mistaken:
    """A test photo that at least one model gets wrong.

    Attributes:
        photo: its name, `<label>/<file>`.
        label: the true class.
        said: per model that is wrong, in the report's order: (precision, predicted label, its score, the true label's).
    """

    photo: str
    label: str
    said: tuple[tuple[str, str, float, float], ...]

    @property
    def score(self) -> float:
        return max(score for _, _, score, _ in self.said)


def mistaken(report: Report) -> list[Mistaken]:
    """Every photo that any model gets wrong, the most confident mistake first, then by name."""
    said: dict[tuple[str, str], list[tuple[str, str, float, float]]] = {}
    for precision, mistake in _mistakes(report):
        line = (precision, mistake["predicted"], mistake["score"], mistake["label_score"])
        said.setdefault((mistake["photo"], mistake["label"]), []).append(line)
    photos = [Mistaken(photo, label, tuple(lines)) for (photo, label), lines in said.items()]
    return sorted(photos, key=lambda photo: (-photo.score, photo.photo))


def _mistakes(report: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    for model in report["models"]:
        for mistake in model["evaluation"]["mistakes"]:
            yield model["precision"], mistake
