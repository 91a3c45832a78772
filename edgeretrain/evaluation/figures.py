"""What an evaluation says in few figures: the weakest class, and who is taken for whom."""

from dataclasses import dataclass

from edgeretrain.evaluation.metrics import Evaluation


@dataclass(frozen=True, kw_only=True)
class WeakestClass:
    """The class that a model recognises worst.

    Attributes:
        label: its name.
        recall: share of its test photos that the model gets right [0 to 1].
    """

    label: str
    recall: float


def weakest_class(evaluation: Evaluation) -> WeakestClass | None:
    """The class with the lowest recall, the first of equals; None when no class has test photos."""
    recalls = [
        WeakestClass(label=figures.label, recall=figures.recall)
        for figures in evaluation.classes
        if figures.recall is not None
    ]
    return min(recalls, key=lambda weakest: weakest.recall, default=None)


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
    labels = [figures.label for figures in evaluation.classes]
    pairs = [
        Confusion(labels[row], labels[column], count, count / sum(counts))
        for row, counts in enumerate(evaluation.confusion)
        for column, count in enumerate(counts)
        if count and row != column
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share))


def won_and_lost(before: Evaluation, after: Evaluation) -> tuple[int, int]:
    """Photos that only the second has right, and photos that only the first has right."""
    wrong_before, wrong_after = ({mistake.photo for mistake in figures.mistakes} for figures in (before, after))
    return len(wrong_before - wrong_after), len(wrong_after - wrong_before)
