"""Probabilities x labels -> figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeretrain.data.dataset import label_indices
from edgeretrain.data.photos import Photo
from edgeretrain.head.softmax import log_loss

_CALIBRATION_BINS = 15


@dataclass(frozen=True)
class ClassFigures:
    """How one class fares.

    Attributes:
        label: its name.
        photos: how many of it were run.
        precision: share of the photos that the model takes for it which are of it [0 to 1]. None: the model never
            predicts it.
        recall: share of its photos that the model gets right [0 to 1]. None: it has no photos.
    """

    label: str
    photos: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class Mistake:
    """A photo whose most probable class is not its own.

    Attributes:
        photo: its path in the photos folder.
        label: its class.
        predicted: the most probable class.
        score: probability of that [0 to 1].
        label_score: probability of its own class [0 to 1].
    """

    photo: str
    label: str
    predicted: str
    score: float
    label_score: float


@dataclass(frozen=True)
class Evaluation:
    """What one model file made of the photos.

    Attributes:
        photos: how many were run.
        top1: share of photos whose label is the most probable class [0 to 1].
        top3: share of photos whose label is among the three most probable classes [0 to 1].
        log_loss: mean negative log-likelihood of the labels [nats].
        calibration_error: expected calibration error over 15 equal bins of the top probability (Guo et al. 2017,
            arXiv:1706.04599): the mean gap between how sure the model is and how often it is right [0 to 1].
        agreement_with_float32: share of photos with the float32 model's top-1 [0 to 1]. None: there is no such model.
        classes: in label order.
        confusion: photos per true label (row) and predicted label (column).
        mistakes: in the order of the photos' names.
    """

    photos: int
    top1: float
    top3: float
    log_loss: float
    calibration_error: float
    agreement_with_float32: float | None
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    mistakes: tuple[Mistake, ...]


def compute_metrics(
    probabilities: npt.NDArray[np.float32],
    photos: Sequence[Photo],
    labels: Sequence[str],
    *,
    float32: npt.NDArray[np.float32] | None = None,
) -> Evaluation:
    """The figures of one model.

    Args:
        probabilities: `[n, k]`, one row per photo, columns in label order.
        photos: n photos, each with one of the labels.
        float32: the float32 model's probabilities `[n, k]` of the same photos.
    """
    expected = label_indices(labels, photos)
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (expected, predicted), 1)
    # A stable sort: a tie goes to the earlier label, as in argmax.
    three = np.argsort(-probabilities, axis=1, kind="stable")[:, :3]
    scores = probabilities[np.arange(len(photos)), predicted]
    own = probabilities[np.arange(len(photos)), expected]
    return Evaluation(
        photos=len(photos),
        top1=float((predicted == expected).mean()),
        top3=float((three == expected[:, None]).any(axis=1).mean()),
        log_loss=round(log_loss(probabilities, expected), 6),
        calibration_error=round(_calibration_error(scores, predicted == expected), 6),
        agreement_with_float32=None if float32 is None else float((predicted == float32.argmax(axis=1)).mean()),
        classes=tuple(
            ClassFigures(
                label,
                int(confusion[index].sum()),
                _share(confusion[index, index], confusion[:, index].sum()),
                _share(confusion[index, index], confusion[index].sum()),
            )
            for index, label in enumerate(labels)
        ),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        mistakes=tuple(
            Mistake(
                photos[index].name,
                photos[index].label,
                labels[predicted[index]],
                round(float(scores[index]), 4),
                round(float(own[index]), 4),
            )
            for index in np.flatnonzero(predicted != expected).tolist()
        ),
    )


def _share(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None


def _calibration_error(scores: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> float:
    bins = np.minimum((scores * _CALIBRATION_BINS).astype(np.int64), _CALIBRATION_BINS - 1)
    gaps = [
        abs(float(scores[bins == filled].mean()) - float(right[bins == filled].mean())) * float((bins == filled).mean())
        for filled in np.unique(bins)
    ]
    return float(np.sum(gaps))
