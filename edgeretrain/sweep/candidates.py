"""What a sweep records of one model: size, cost and accuracy from its run folder, latency from its measurement."""

from dataclasses import fields, replace
from pathlib import Path

from edgeretrain.backbone import Backbone
from edgeretrain.evaluation.figures import weakest_class
from edgeretrain.evaluation.intervals import wilson
from edgeretrain.files.run_folder import PAGE_FILE
from edgeretrain.records.benchmark import BenchmarkFailure, BenchmarkResult, Measurement
from edgeretrain.records.sweep import Candidate, Front, HeldOut
from edgeretrain.records.training import Report
from edgeretrain.tflite.inspect import inspect_model


def make_candidate(report: Report, backbone: Backbone, run_folder: Path) -> Candidate:
    """A candidate without its latency, and before it is held against the budget and the others.

    `held_out` counts the validation photos too, with the head that had not been fitted to them yet: twice as many
    photos to compare two models on. The head's regularisation was chosen on them, so it is a little too high, for all
    candidates alike; `top1` is of the test photos alone.

    Args:
        report: of the retrain that wrote the run folder.
        backbone: that the model was made from.
    """
    model = next(model for model in report.models if model.precision == backbone.precision)
    evaluation = model.evaluation
    description = inspect_model(run_folder / model.file)
    validation, testing = sum(report.photos.validation.values()), evaluation.photos
    right = model.head.validation_top1 * validation + evaluation.top1 * testing
    return Candidate(
        preset=backbone.preset,
        architecture=backbone.card.get("architecture", backbone.preset),
        alpha=backbone.card.get("alpha"),
        resolution=backbone.size,
        precision=backbone.precision,
        file=f"{run_folder.name}/{model.file}",
        report=f"{run_folder.name}/{PAGE_FILE}",
        sha256=model.sha256,
        bytes=model.bytes,
        compressed_bytes=None,
        macs=description["macs"],
        parameters=description["parameters"],
        top1=evaluation.top1,
        interval=wilson(evaluation.top1, evaluation.photos),
        top3=evaluation.top3,
        log_loss=evaluation.log_loss,
        test_photos=testing,
        held_out=HeldOut(top1=right / (validation + testing), photos=validation + testing),
        agreement_with_float32=evaluation.agreement_with_float32,
        weakest=weakest_class(evaluation),
        latency_ms=None,
        latency=None,
        latency_error=None,
        misses=(),
        front=Front(size=False, latency=False),
    )


def with_latency(candidate: Candidate, measured: BenchmarkResult | BenchmarkFailure) -> Candidate:
    """The candidate with the benchmark's result for its file."""
    if isinstance(measured, BenchmarkFailure):
        return replace(candidate, latency_error=measured.error)
    figures = Measurement(**{figure.name: getattr(measured, figure.name) for figure in fields(Measurement)})
    return replace(
        candidate,
        latency_ms=measured.inference_ms.median,
        compressed_bytes=measured.compressed_bytes,
        latency=figures,
    )
