"""What a sweep found out about many models: `sweep.json`."""

from dataclasses import dataclass
from typing import Literal

from edgeretrain.evaluation.figures import WeakestClass
from edgeretrain.options import Options
from edgeretrain.precision import Precision
from edgeretrain.records.benchmark import Benchmark, Environment, Measurement

Stage = Literal["backbone", "retrain", "latency"]
Limit = Literal["max_size", "max_latency", "min_accuracy"]

SCHEMA = 1
"""Raised when an older version can no longer read the record; see `json_form`."""


@dataclass(frozen=True, kw_only=True)
class SweepPhotos:
    """The photos of a sweep.

    Attributes:
        labels: the classes, in the order of the models' outputs.
        digest: SHA-256 over the photos' names and contents, hexadecimal: the same photos, the same digest.
        training, validation, testing: photos in this set.
    """

    labels: tuple[str, ...]
    digest: str
    training: int
    validation: int
    testing: int


@dataclass(frozen=True, kw_only=True)
class SweepBudget:
    """The limits that a model has to keep, and where its latency counts.

    Attributes:
        max_size: of the model file [bytes]. None: no limit.
        max_latency: of the median inference [ms]. None: no limit.
        min_accuracy: top-1 on the test photos [0 to 1]. None: no limit.
        device: where the models were to be measured, `ssh://user@host`. None: where the sweep ran.
        threads: of the interpreter when it is measured.
    """

    max_size: int | None
    max_latency: float | None
    min_accuracy: float | None
    device: str | None
    threads: int


@dataclass(frozen=True, kw_only=True)
class SweepLatency:
    """How the models were measured.

    Attributes:
        where: `this machine`, or the device's address.
        environment: the machine.
        warnings: what weakens all figures, sentences.
    """

    where: str
    environment: Environment
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LatencyConditions:
    """What an earlier measurement must have in common with a later one to stand for it.

    Attributes:
        where: `this machine`, or the device's address.
        node: the name of the machine in its network, or the device's address.
        threads: of the interpreter.
        runtime: the TFLite runtime that was asked for. None: the first one that is installed.
    """

    where: str
    node: str
    threads: int
    runtime: str | None


@dataclass(frozen=True, kw_only=True)
class SavedLatency:
    """A measurement that a later sweep in the same folder may use: `latency.json`.

    Attributes:
        conditions: how it was made.
        measured: what was found.
    """

    conditions: LatencyConditions
    measured: Benchmark


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """A model on all photos that its head had not seen when its strength was chosen: validation and test photos.

    Attributes:
        top1: share of them that it gets right [0 to 1].
        photos: how many.
    """

    top1: float
    photos: int


@dataclass(frozen=True, kw_only=True)
class Miss:
    """A limit that a candidate does not keep.

    Attributes:
        budget: which.
        by: the figure / the limit for size and latency, the limit - the figure for accuracy [1]. None: the latency was
            not measured.
    """

    budget: Limit
    by: float | None


@dataclass(frozen=True, kw_only=True)
class Front:
    """Whether a candidate is on the Pareto front: no other one is at least as good in both figures and better in one.

    Attributes:
        size: accuracy against file size.
        latency: accuracy against latency; false without a latency.
    """

    size: bool
    latency: bool


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One model.

    Attributes:
        preset: name of the backbone.
        architecture: of the backbone, such as `mobilenet_v2`.
        alpha: width of the backbone [1]. None: it has no such figure.
        resolution: side of the square input [pixels].
        precision: of its weights and arithmetic.
        file: the model, a path in the sweep's folder.
        report: its page, a path in the sweep's folder.
        sha256: of the file, hexadecimal.
        bytes: size of the file [bytes].
        compressed_bytes: size of the file deflated at level 9 [bytes]. None: it was not measured.
        macs: multiply-accumulate operations of one inference.
        parameters: weights, those of the head too.
        top1: share of the test photos that it gets right [0 to 1].
        interval: Wilson's 95 % interval of top1, low and high [0 to 1].
        top3: share of the test photos whose label is among its first three [0 to 1].
        log_loss: mean negative log-likelihood of the test photos' labels [nats].
        test_photos: how many.
        held_out: on validation and test photos; the pick goes by it.
        agreement_with_float32: share of the test photos on which it says what the float32 model says [0 to 1]. None:
            there is no float32 model.
        weakest: the class that it recognises worst. None: there is none.
        latency_ms: median of the inference [ms]. None: it was not measured.
        latency: all that was measured. None: it was not measured.
        latency_error: why it could not be measured. None: it was, or was not meant to be.
        misses: limits of the budget that it does not keep.
        front: whether it is on the Pareto fronts.
    """

    preset: str
    architecture: str
    alpha: float | None
    resolution: int
    precision: Precision
    file: str
    report: str
    sha256: str
    bytes: int
    compressed_bytes: int | None
    macs: int
    parameters: int
    top1: float
    interval: tuple[float, float]
    top3: float
    log_loss: float
    test_photos: int
    held_out: HeldOut
    agreement_with_float32: float | None
    weakest: WeakestClass | None
    latency_ms: float | None
    latency: Measurement | None
    latency_error: str | None
    misses: tuple[Miss, ...]
    front: Front


@dataclass(frozen=True, kw_only=True)
class SweepFailure:
    """Something that could not be done.

    Attributes:
        preset: name of the backbone.
        precision: of the model. None: all that were asked for.
        stage: what failed: to get the backbone, to retrain, or to measure.
        reason: why.
    """

    preset: str
    precision: Precision | None
    stage: Stage
    reason: str


@dataclass(frozen=True, kw_only=True)
class ChosenModel:
    """A candidate that stands out, and why.

    Attributes:
        preset: name of its backbone.
        precision: of the model.
        reason: why, in words.
    """

    preset: str
    precision: Precision
    reason: str


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What `edgeretrain sweep` made, measured and chose.

    Attributes:
        schema: of this record; files before there was one are read as 1.
        edgeretrain: version that made it.
        runtime: name and version of the TFLite runtime that retrained and tested.
        photos: what the models learnt from and were tested on.
        options: of every retrain.
        budget: what a model may cost and must reach.
        latency: how the models were measured. None: they were not.
        candidates: the models, in the order of the presets' table.
        failed: what could not be done.
        pick: the model to take. None: none keeps the budget.
        nearest: the model that misses the budget by the least. None: there is a pick, or no model at all.
    """

    schema: int = SCHEMA
    edgeretrain: str
    runtime: str
    photos: SweepPhotos
    options: Options
    budget: SweepBudget
    latency: SweepLatency | None
    candidates: tuple[Candidate, ...]
    failed: tuple[SweepFailure, ...]
    pick: ChosenModel | None
    nearest: ChosenModel | None
