"""Bottlenecks of a data set -> a fitted head, and the score below which it should say "none of these"."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeretrain.data.dataset import Dataset
from edgeretrain.head.blend import blend, choose_blend
from edgeretrain.head.logistic import choose_logistic, fit_logistic
from edgeretrain.head.rejection import reject_below
from edgeretrain.head.sgd import fit_sgd
from edgeretrain.head.softmax import Floats, Head, Labels, Rows, photo_weights
from edgeretrain.options import Options
from edgeretrain.records.training import BlendedHead, HeadRecord, LogisticHead, SgdHead


@dataclass(frozen=True)
class FeatureSet:
    """What a head is fitted to.

    Attributes:
        values: bottlenecks float32 `[n, d]`.
        labels: int64 `[n]`, 0 to classes - 1.
        training: rows that the head for choosing its strength is fitted to.
        validation: rows that choose it.
        all_learnt: rows that the final head is fitted to: both, as the validation photos may teach once they have
            chosen (benchmarks/heads.md: +0.3 points).
    """

    values: Floats
    labels: Labels
    training: Rows
    validation: Rows
    all_learnt: Rows
    classes: int


def feature_set(dataset: Dataset, values: Floats, mirrored: Floats | None) -> FeatureSet:
    """The bottlenecks of a data set, and those of mirrored photos, as a head learns them.

    Args:
        values: `[n, d]`, a row per photo of the data set.
        mirrored: `[m, d]` of the mirrored photos, those of training and then those of validation; None without.
    """
    split, labels = dataset.split, dataset.label_indices
    training, validation = dataset.rows(split.training), dataset.rows(split.validation)
    learnt = np.concatenate([training, validation])
    if mirrored is not None:
        start = len(values)
        values = np.concatenate([values, mirrored])
        labels = np.concatenate([labels, labels[learnt]])
        training = np.concatenate([training, np.arange(start, start + len(training))])
        learnt = np.concatenate([training, validation, np.arange(start + len(split.training), len(values))])
    return FeatureSet(values, labels, training, validation, learnt, len(dataset.labels))


@dataclass(frozen=True)
class FittedHead:
    """A head.

    Attributes:
        record: how it came about, for the report and the model's card.
        reject_below: the top score below which a photo is likely none of the classes, 0 to 1.
    """

    head: Head
    record: HeadRecord
    reject_below: float


def fit_head(
    features: FeatureSet,
    options: Options,
    *,
    trained_with: Head | None = None,
    tried: Callable[[int, int], None] = lambda done, total: None,
) -> FittedHead:
    """Fit the head that the options ask for.

    Args:
        trained_with: a head that was trained together with the backbone; see `head.blend`.
        tried: called with the strengths tried, and how many there are at most.

    Raises:
        EdgeretrainError: gradient descent diverges.
    """
    values, labels, training, validation = features.values, features.labels, features.training, features.validation
    weight = options.class_weight
    if options.sgd is not None:
        sgd = options.sgd
        head = fit_sgd(values, labels, training, features.classes, sgd, class_weight=weight, seed=options.seed)
        scores = head.probabilities(values[validation])
        right = scores.argmax(axis=1) == labels[validation]
        made = SgdHead(
            steps=sgd.steps,
            learning_rate=sgd.learning_rate,
            batch_size=sgd.batch_size,
            validation_top1=float(right.mean()),
        )
        return FittedHead(head, made, reject_below(scores, labels[validation]))
    unaware, choice = choose_logistic(
        values, labels, training, validation, features.classes, class_weight=weight, tried=tried
    )
    record: HeadRecord = LogisticHead(
        l2=choice.l2, validation_log_loss=choice.validation_log_loss, validation_top1=choice.validation_top1
    )
    head = fit_logistic(values, labels, features.all_learnt, features.classes, l2=choice.l2, class_weight=weight)
    if trained_with is not None:
        expected = labels[validation]
        weights = photo_weights(expected, features.classes, weight)
        blended = choose_blend(trained_with, unaware, values[validation], expected, weights)
        unaware, head = (blend(trained_with, fitted, blended.temperature) for fitted in (unaware, head))
        record = BlendedHead(
            l2=choice.l2,
            validation_log_loss=blended.validation_log_loss,
            validation_top1=blended.validation_top1,
            temperature=blended.temperature,
        )
    # Of the head that has not seen the validation photos; the one that ships is fitted to them as well.
    threshold = reject_below(unaware.probabilities(values[validation]), labels[validation])
    return FittedHead(head, record, threshold)
