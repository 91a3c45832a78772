"""Retrain a small image classifier on your photos, quantize it, prove it, run it on a phone or a Raspberry Pi.

>>> import edgeretrain
>>> report = edgeretrain.retrain("photos", "run", precisions=["float32", "int8"])
>>> report.models[0].evaluation.top1, edgeretrain.to_json(report)["models"]
>>> edgeretrain.Classifier("run/model.int8.tflite")("photo.jpg", top_k=1)
"""

from typing import TYPE_CHECKING, Any

from edgeretrain.errors import EdgeretrainError
from edgeretrain.version import __version__

if TYPE_CHECKING:
    from edgeretrain.classifier import Classifier, Prediction
    from edgeretrain.fine_tuning import FineTuning
    from edgeretrain.options import Options
    from edgeretrain.records.json_form import to_json
    from edgeretrain.training.retrain import retrain
    from edgeretrain.training.teach import teach

__all__ = [
    "Classifier",
    "EdgeretrainError",
    "FineTuning",
    "Options",
    "Prediction",
    "__version__",
    "retrain",
    "teach",
    "to_json",
]

_HOMES = {
    "Classifier": "edgeretrain.classifier",
    "Prediction": "edgeretrain.classifier",
    "FineTuning": "edgeretrain.fine_tuning",
    "Options": "edgeretrain.training.retrain",
    "retrain": "edgeretrain.training.retrain",
    "teach": "edgeretrain.training.teach",
    "to_json": "edgeretrain.records.json_form",
}


def __getattr__(name: str) -> Any:
    # On first use: a Raspberry Pi that classifies need not load what only retraining needs.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
