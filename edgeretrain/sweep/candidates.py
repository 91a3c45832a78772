"""What a sweep records of one model: size, cost and accuracy from its run folder, latency from its measurement."""

from pathlib import Path
from typing import Any

from edgeretrain.backbone import Backbone
from edgeretrain.evaluation.figures import weakest_class
from edgeretrain.evaluation.intervals import wilson
from edgeretrain.files.run_folder import PAGE_FILE
from edgeretrain.sweep.budget import Candidate
from edgeretrain.tflite.inspect import inspect_model


def make_candidate(report: dict[str, Any], backbone: Backbone, run_folder: Path) -> Candidate:
    """A candidate without its latency.

    `held_out` counts the validation photos too, with the head that had not been fitted to them yet: twice as many
    photos to compare two models on. The head's regularisation was chosen on them, so it is a little too high, for all
    candidates alike; `top1` is of the test photos alone.

    Args:
        report: of the retrain that wrote the run folder.
        backbone: that the model was made from.
    """
    model = next(model for model in report["models"] if model["precision"] == backbone.precision)
    evaluation = model["evaluation"]
    description = inspect_model(run_folder / model["file"])
    weakest = weakest_class(evaluation)
    validation, testing = sum(report["photos"]["validation"].values()), evaluation["photos"]
    right = model["head"]["validation_top1"] * validation + evaluation["top1"] * testing
    return {
        "preset": backbone.preset,
        "architecture": backbone.card.get("architecture", backbone.preset),
        "alpha": backbone.card.get("alpha"),
        "resolution": backbone.size,
        "precision": backbone.precision,
        "file": f"{run_folder.name}/{model['file']}",
        "report": f"{run_folder.name}/{PAGE_FILE}",
        "sha256": model["sha256"],
        "bytes": model["bytes"],
        "compressed_bytes": None,
        "macs": description["macs"],
        "parameters": description["parameters"],
        "top1": evaluation["top1"],
        "interval": list(wilson(evaluation["top1"], evaluation["photos"])),
        "top3": evaluation["top3"],
        "log_loss": evaluation["log_loss"],
        "test_photos": testing,
        "held_out": {"top1": right / (validation + testing), "photos": validation + testing},
        "agreement_with_float32": evaluation["agreement_with_float32"],
        "weakest": None if weakest is None else {"label": weakest[0], "recall": weakest[1]},
        "latency_ms": None,
        "latency": None,
        "latency_error": None,
    }


def add_latency(candidate: Candidate, measured: dict[str, Any]) -> None:
    """Add the benchmark's result for this candidate's file."""
    if "error" in measured:
        candidate["latency_error"] = measured["error"]
        return
    candidate["latency_ms"] = measured["inference_ms"]["median"]
    candidate["compressed_bytes"] = measured["compressed_bytes"]
    candidate["latency"] = {key: value for key, value in measured.items() if key not in ("model", "sha256")}
