"""What a retrain or a teach reports of itself: `report.json`, and the parts of a model's card that it shares."""

from dataclasses import dataclass, field
from typing import Literal

from edgeretrain.evaluation.metrics import Evaluation
from edgeretrain.options import FineTuning, Options
from edgeretrain.precision import Precision
from edgeretrain.records.json_form import LEFT_OUT

SCHEMA = 1
"""Raised when an older version can no longer read the record; see `json_form`."""


@dataclass(frozen=True, kw_only=True)
class BackboneWeights:
    """Where the weights of a preset's backbone come from.

    Attributes:
        source: who made them, and where they were taken from.
        file: the file that they were read from. Absent: they are random, in tests.
        sha256: of that file, hexadecimal. Absent: as `file`.
        licence: its SPDX identifier. Absent: as `file`.
        copyright: who holds it. Absent: as `file`.
    """

    source: str
    file: str | None = field(default=None, metadata=LEFT_OUT)
    sha256: str | None = field(default=None, metadata=LEFT_OUT)
    licence: str | None = field(default=None, metadata=LEFT_OUT)
    copyright: str | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, kw_only=True)
class CalibrationRecord:
    """The photos that an int8 backbone was calibrated on.

    Attributes:
        source: where they are from, in words.
        photos: how many.
        seed: that they were drawn with.
        steps: how the quantized weights were corrected with them, in order. Absent: an older version made the backbone.
    """

    source: str
    photos: int
    seed: int
    steps: tuple[str, ...] | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, kw_only=True)
class AveragedTraining:
    """One of the trainings whose weights a tuned backbone is the mean of.

    Attributes:
        seed: of this training.
        best_epoch: the epoch whose weights were taken, from 1.
    """

    seed: int
    best_epoch: int


@dataclass(frozen=True, kw_only=True)
class FineTunedBackbone(FineTuning):
    """How a backbone was tuned: the options, and what they came to.

    Attributes:
        averaged: the trainings that are in the mean.
    """

    averaged: tuple[AveragedTraining, ...]


@dataclass(frozen=True, kw_only=True)
class BottleneckCandidate:
    """A bottleneck that heads were tried on, in K-fold cross-validation on the photos for training and validation.

    Attributes:
        length: numbers in it: the first of the longest bottleneck, whose beginning is the backbone's own.
        l2: strength of the penalty with the least log loss [1].
        log_loss: over all folds, each photo by a head that has not seen it [nats].
        top1: the same photos [0 to 1].
        above_best: by how much the log loss is above that of the best one [nats].
        standard_error: of that, over the folds [nats].
    """

    length: int
    l2: float
    log_loss: float
    top1: float
    above_best: float
    standard_error: float


@dataclass(frozen=True, kw_only=True)
class BottleneckChoice:
    """How `--bottleneck auto` came to its bottleneck: the shortest that is at most a standard error above the best.

    Attributes:
        photos: how many it was chosen with.
        folds: how many.
        chosen: place of the one that was chosen among the candidates, from 0, which is the backbone's own output.
        candidates: from short to long.
    """

    photos: int
    folds: int
    chosen: int
    candidates: tuple[BottleneckCandidate, ...]


@dataclass(frozen=True, kw_only=True)
class BackboneRecord:
    """The backbone that a model was made of. A file without a card has nothing but its SHA-256.

    Attributes:
        sha256: of the backbone's file, hexadecimal.
        weights: of a preset. Absent: it is not a preset's.
        source: what a backbone of the user's own was imported from: its kind, file, SHA-256, layer, and more that
            depends on the kind. Absent: it is a preset's.
        fine_tuned: how it was tuned. Absent: it is frozen.
        calibration: of an int8 backbone. Absent: it is of another precision.
        converter: the versions of `tensorflow` and `keras` that made the file. Absent: it was not made by edgeretrain.
        inner_layers: names of the layers whose averages follow the backbone's own output in the bottleneck, in order.
            Absent: none.
        bottleneck_choice: how that was chosen. Absent: it was asked for.
    """

    sha256: str
    weights: BackboneWeights | None = field(default=None, metadata=LEFT_OUT)
    source: dict[str, object] | None = field(default=None, metadata=LEFT_OUT)
    fine_tuned: FineTunedBackbone | None = field(default=None, metadata=LEFT_OUT)
    calibration: CalibrationRecord | None = field(default=None, metadata=LEFT_OUT)
    converter: dict[str, str] | None = field(default=None, metadata=LEFT_OUT)
    inner_layers: tuple[str, ...] | None = field(default=None, metadata=LEFT_OUT)
    bottleneck_choice: BottleneckChoice | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, kw_only=True)
class LogisticHead:
    """A head by logistic regression. The validation photos chose its strength; then it was fitted to them as well.

    Attributes:
        method: how it was made.
        l2: strength of the penalty: the head minimises the mean log loss + l2 / 2 * |W|^2 [1].
        validation_log_loss: of the head that had not seen the validation photos [nats].
        validation_top1: its top-1 on the validation photos [0 to 1].
    """

    method: Literal["L2 logistic regression"] = "L2 logistic regression"
    l2: float
    validation_log_loss: float
    validation_top1: float


@dataclass(frozen=True, kw_only=True)
class BlendedHead:
    """The head of a tuned backbone: the mean of one by logistic regression and the one that was trained with it.

    Attributes:
        method: how it was made.
        l2: see the head by logistic regression [1].
        validation_log_loss: of the mean, before its first part had seen the validation photos [nats].
        validation_top1: top-1 of the same on the validation photos [0 to 1].
        temperature: by which the logits of the trained head were divided [1].
    """

    method: Literal["L2 logistic regression, averaged with the fine-tuned head"] = (
        "L2 logistic regression, averaged with the fine-tuned head"
    )
    l2: float
    validation_log_loss: float
    validation_top1: float
    temperature: float


@dataclass(frozen=True, kw_only=True)
class SgdHead:
    """A head by gradient descent, as TensorFlow's retrain.py made it.

    Attributes:
        method: how it was made.
        steps: how many batches.
        learning_rate: constant [1].
        batch_size: photos per step.
        validation_top1: its top-1 on the validation photos [0 to 1].
    """

    method: Literal["SGD, as retrain.py"] = "SGD, as retrain.py"
    steps: int
    learning_rate: float
    batch_size: int
    validation_top1: float


HeadRecord = LogisticHead | BlendedHead | SgdHead


@dataclass(frozen=True, kw_only=True)
class KnownClass:
    """One class that the earlier model knew.

    Attributes:
        label: its name.
        photos: its old test photos.
        recall_before: share of them that the earlier model gets right [0 to 1].
        recall_after: share of them that the new model gets right [0 to 1].
    """

    label: str
    photos: int
    recall_before: float
    recall_after: float


@dataclass(frozen=True, kw_only=True)
class KnownPhotos:
    """The earlier model and the new one on the old test photos of the classes that stay.

    Attributes:
        photos: how many.
        top1_before: share of them that the earlier model gets right [0 to 1].
        top1_after: share of them that the new model gets right [0 to 1].
        classes: those with such photos, in label order.
    """

    photos: int
    top1_before: float
    top1_after: float
    classes: tuple[KnownClass, ...]


@dataclass(frozen=True, kw_only=True)
class FrozenModel:
    """What the same backbone gives without fine-tuning.

    Attributes:
        bytes: size the model file would have [bytes].
        head: how its head was made.
        evaluation: on the same test photos.
    """

    bytes: int
    head: HeadRecord
    evaluation: Evaluation


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """One model of a run.

    Attributes:
        precision: of its weights and arithmetic.
        file: its name in the run folder.
        bytes: size of the file [bytes].
        sha256: of the file, hexadecimal.
        backbone: what it was made of.
        head: how its head was made.
        reject_below: the score of the best class below which a photo is none of the classes [0 to 1].
        evaluation: the very file on the test photos.
        known: on photos that an earlier model knew. Absent: it was not taught.
        frozen: without fine-tuning. Absent: it was not tuned.
    """

    precision: Precision
    file: str
    bytes: int
    sha256: str
    backbone: BackboneRecord
    head: HeadRecord
    reject_below: float
    evaluation: Evaluation
    known: KnownPhotos | None = field(default=None, metadata=LEFT_OUT)
    frozen: FrozenModel | None = field(default=None, metadata=LEFT_OUT)


@dataclass(frozen=True, kw_only=True)
class SkippedPhoto:
    """A photo that was left out.

    Attributes:
        photo: its path in the photos folder.
        reason: why it cannot be read.
    """

    photo: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class PhotoRecord:
    """The photos of a run.

    Attributes:
        digest: SHA-256 over the photos' names and contents, hexadecimal: the same photos, the same digest.
        labels: the classes, in the order of the model's outputs.
        training, validation, testing: photos per class in this set.
        skipped: photos that cannot be read.
        warnings: what is doubtful about the photos, sentences.
    """

    digest: str
    labels: tuple[str, ...]
    training: dict[str, int]
    validation: dict[str, int]
    testing: dict[str, int]
    skipped: tuple[SkippedPhoto, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TaughtChanges:
    """What a teach changed.

    Attributes:
        added: new photos per class.
        removed: photos per class that were taken out.
    """

    added: dict[str, int]
    removed: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """The network after one epoch.

    Attributes:
        epoch: its number; 0 is the frozen network.
        training_loss: mean over the photos as they were augmented and mixed, against their targets [nats]. None: it is
            epoch 0.
        validation_log_loss: of the validation photos [nats].
        validation_error: standard error of that [nats].
        validation_top1: top-1 on the validation photos [0 to 1].
    """

    epoch: int
    training_loss: float | None
    validation_log_loss: float
    validation_error: float
    validation_top1: float


@dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """One training from the frozen network on.

    Attributes:
        seed: of the order and the looks of the photos.
        best_epoch: whose weights are best; 0: the frozen network's.
        history: epochs, from 0.
    """

    seed: int
    best_epoch: int
    history: tuple[EpochRecord, ...]


@dataclass(frozen=True, kw_only=True)
class DistilledBackbone:
    """A backbone that the network learnt from.

    Attributes:
        preset: its name.
        sha256: of its float32 file, hexadecimal.
    """

    preset: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class DistillationRecord:
    """The head on the bottlenecks of other backbones, side by side, that gave the training photos their soft labels.

    Attributes:
        backbones: whose bottlenecks.
        l2: strength of the penalty: the head minimises the mean log loss + l2 / 2 * |W|^2 [1].
        validation_log_loss: of the validation photos [nats].
        validation_top1: top-1 on the validation photos [0 to 1].
    """

    backbones: tuple[DistilledBackbone, ...]
    l2: float
    validation_log_loss: float
    validation_top1: float


@dataclass(frozen=True, kw_only=True)
class FineTuningRecord:
    """How the fine-tuning went.

    Attributes:
        options: what was asked for.
        distillation: what it learnt from other backbones. Absent: nothing.
        averaged: numbers of the trainings whose best weights are in the mean, from 0. Empty: none was better than the
            frozen network, which stays.
        validation_log_loss: of the mean, on the validation photos [nats].
        validation_error: standard error of that [nats].
        validation_top1: top-1 of the mean on the validation photos [0 to 1].
        trainings: all of them.
    """

    options: FineTuning
    distillation: DistillationRecord | None = field(default=None, metadata=LEFT_OUT)
    averaged: tuple[int, ...]
    validation_log_loss: float
    validation_error: float
    validation_top1: float
    trainings: tuple[TrainingRecord, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `edgeretrain retrain` and `edgeretrain teach` made, of what, and how good it is.

    Attributes:
        schema: of this record; files before there was one are read as 1.
        edgeretrain: version that made it.
        preset: name of the backbone. None: a file that was given with `--backbone`.
        runtime: name and version of the TFLite runtime.
        options: what was asked for.
        fine_tuning: how the backbone was tuned. Absent: it is frozen.
        taught: what was changed. Absent: it is a retrain's report.
        photos: what the models learnt from and were tested on.
        models: one for each precision.
    """

    schema: int = SCHEMA
    edgeretrain: str
    preset: str | None
    runtime: str
    options: Options
    fine_tuning: FineTuningRecord | None = field(default=None, metadata=LEFT_OUT)
    taught: TaughtChanges | None = field(default=None, metadata=LEFT_OUT)
    photos: PhotoRecord
    models: tuple[ModelRecord, ...]
