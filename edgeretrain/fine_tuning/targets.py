"""The targets of the training photos: their labels, mixed with the soft labels of larger frozen backbones.

Distillation: Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv:1503.02531. The soft label of a photo
comes from a head that was fitted without it. A head fitted with it would have memorised the photo, and its soft label
would be the label again (benchmarks/fine_tuning.md compares both).
"""

import numpy as np
import numpy.typing as npt

from edgeretrain.head.logistic import Choice, choose_logistic, fit_logistic
from edgeretrain.head.softmax import ClassWeight, Floats, Labels, Rows
from edgeretrain.options import FineTuning

FOLDS = 5


def targets(labels: Labels, classes: int, options: FineTuning, soft: Floats | None = None) -> Floats:
    """The target probabilities of each photo, float32 `[n, classes]`; every row sums to 1.

    Args:
        labels: `[n]`, 0 to classes - 1.
        soft: soft labels `[n, classes]`; None: without distillation.
    """
    probabilities = np.eye(classes)[labels]
    if soft is not None:
        probabilities += options.distillation * (soft - probabilities)
    probabilities += options.label_smoothing * (1 / classes - probabilities)
    return probabilities.astype(np.float32)


def soft_labels(
    bottlenecks: Floats, labels: Labels, classes: int, training: Rows, validation: Rows, class_weight: ClassWeight
) -> tuple[Floats, Choice]:
    """The probabilities that heads give to training photos that they were not fitted to (cross-fitting).

    Args:
        bottlenecks: float32 `[n, d]`, of all photos; those of several backbones side by side.
        labels: `[n]`, 0 to classes - 1.
        training, validation: rows; the validation photos only choose the heads' L2 penalty.

    Returns:
        Float32 `[n, classes]`, 0 in rows that are not for training; and the choice of the L2 penalty, with the metrics
        of a head fitted to all training photos.
    """
    _, choice = choose_logistic(bottlenecks, labels, training, validation, classes, class_weight=class_weight)
    soft = np.zeros((len(labels), classes), np.float32)
    soft[training, labels[training]] = 1
    fold = folds(labels[training])
    for number in range(FOLDS):
        held_out, others = training[fold == number], training[fold != number]
        if len(held_out):
            head = fit_logistic(bottlenecks, labels, others, classes, l2=choice.l2, class_weight=class_weight)
            soft[held_out] = head.probabilities(bottlenecks[held_out])
    return soft, choice


def folds(labels: Labels) -> npt.NDArray[np.int64]:
    """The fold of each photo `[n]`, 0 to FOLDS - 1; -1 for the only photo of a class, which cannot be held out.

    The photos of every class are dealt out in turn, so that the folds are alike.
    """
    fold = np.full(len(labels), -1, np.int64)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        if len(of_class) > 1:
            fold[of_class] = np.arange(len(of_class)) % FOLDS
    return fold
