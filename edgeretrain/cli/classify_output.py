"""How `edgeretrain classify` prints what it found, for people and for scripts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeretrain.files.printable import one_line

if TYPE_CHECKING:
    from edgeretrain.classifier import Prediction

NOTHING = "nothing known"
"""What stands in place of a label when every score is below --reject-below."""


def photo_line(photo: Path, predictions: "list[Prediction]", limit: float) -> str:
    """`rose.jpg: roses 93.1%, tulips 4.0%`; or `rose.jpg: nothing known (roses 31.0%, ...)`."""
    told = one_line(", ".join(f"{one.label} {one.score:.1%}" for one in predictions))
    return one_line(f"{photo}: ") + (told if predictions[0].score >= limit else f"{NOTHING} ({told})")


def photo_record(photo: Path, predictions: "list[Prediction]", limit: float) -> dict[str, Any]:
    """The same for `--json`."""
    return {
        "photo": str(photo),
        "rejected": predictions[0].score < limit,
        "predictions": prediction_records(predictions),
    }


def prediction_records(predictions: "list[Prediction]") -> list[dict[str, Any]]:
    """Predictions for `--json`."""
    return [{"label": one.label, "score": one.score} for one in predictions]
