"""What the network is to say of each training photo: its label, softened by what larger frozen backbones make of it.

Distillation: Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv:1503.02531. The soft label of a photo
is given by a head that was fitted without it. Fitted with it, the head would know the photo by heart, and its soft
label would be the label once more (benchmarks/fine_tuning.md has both).
"""

import numpy as np
import numpy.typing as npt

from edgeretrain.fine_tuning_options import FineTuning
from edgeretrain.head.logistic import Choice, choose_logistic, fit_logistic
from edgeretrain.head.softmax import ClassWeight, Floats, Labels, Rows

FOLDS = 5


def targets(labels: Labels, classes: int, options: FineTuning, soft: Floats | None = None) -> Floats:
    """The shares of the classes that each photo is to be given, float32 `[n, classes]`; every row sums to 1.

    Args:
        labels: `[n]`, 0 to classes - 1.
        soft: soft labels `[n, classes]`; None: without distillation.
    """
    shares = np.eye(classes)[labels]
    if soft is not None:
        shares += options.distillation * (soft - shares)
    shares += options.label_smoothing * (1 / classes - shares)
    return shares.astype(np.float32)


def soft_labels(
    bottlenecks: Floats, labels: Labels, classes: int, training: Rows, validation: Rows, class_weight: ClassWeight
) -> tuple[Floats, Choice]:
    """The probabilities that heads give to training photos which they were fitted without.

    Args:
        bottlenecks: float32 `[n, d]`, of all photos; those of several backbones side by side.
        labels: `[n]`, 0 to classes - 1.
        training, validation: rows; the validation photos choose the heads' strength and teach nothing else.

    Returns:
        Float32 `[n, classes]`, rows that are not for training 0; and what the validation photos say of a head fitted
        to all training photos.
    """
    _, choice = choose_logistic(bottlenecks, labels, training, validation, classes, class_weight=class_weight)
    soft = np.zeros((len(labels), classes), np.float32)
    soft[training, labels[training]] = 1
    fold = folds(labels[training])
    for number in range(FOLDS):
        held, others = training[fold == number], training[fold != number]
        if len(held):
            head = fit_logistic(bottlenecks, labels, others, classes, l2=choice.l2, class_weight=class_weight)
            soft[held] = head.probabilities(bottlenecks[held])
    return soft, choice


def folds(labels: Labels) -> npt.NDArray[np.int64]:
    """The fold of each photo `[n]`, 0 to FOLDS - 1; -1 for the only photo of a class, which cannot be held out.

    Every class is dealt out in turn, so that each fold is like the others.
    """
    fold = np.full(len(labels), -1, np.int64)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        if len(of_class) > 1:
            fold[of_class] = np.arange(len(of_class)) % FOLDS
    return fold
