"""How `edgeretrain classify` prints predictions, for people and for scripts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeretrain.files.describe import one_line

if TYPE_CHECKING:
    from edgeretrain.classifier import Prediction

NOTHING_KNOWN = "nothing known"
"""Printed instead of a label when every score is below --reject-below."""


def photo_line(photo: Path, predictions: "list[Prediction]", threshold: float) -> str:
    """`rose.jpg: roses 93.1%, tulips 4.0%`; or `rose.jpg: nothing known (roses 31.0%, ...)`."""
    scores = one_line(", ".join(f"{prediction.label} {prediction.score:.1%}" for prediction in predictions))
    return one_line(f"{photo}: ") + (scores if predictions[0].score >= threshold else f"{NOTHING_KNOWN} ({scores})")


def photo_record(photo: Path, predictions: "list[Prediction]", threshold: float) -> dict[str, Any]:
    """The same for `--json`."""
    return {
        "photo": str(photo),
        "rejected": predictions[0].score < threshold,
        "predictions": prediction_records(predictions),
    }


def prediction_records(predictions: "list[Prediction]") -> list[dict[str, Any]]:
    """Predictions for `--json`."""
    return [{"label": prediction.label, "score": prediction.score} for prediction in predictions]
