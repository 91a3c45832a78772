"""Model files x photos -> what they can do: every figure comes from running the very file that ships."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.classifier import read_own_package
from edgeretrain.data.photos import Photo, Skipped, find_photos
from edgeretrain.data.pixels import Fit
from edgeretrain.data.split import split_photos
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto
from edgeretrain.features.inference import run_photos
from edgeretrain.head.softmax import log_loss
from edgeretrain.progress import Progress, silent
from edgeretrain.tflite.runtime import Runtime, load_runtime

_CALIBRATION_BINS = 15


@dataclass(frozen=True)
class ClassFigures:
    """How one class fares.

    Attributes:
        label: its name.
        photos: how many of it were run.
        precision: share of the photos that the model takes for it which are of it [0 to 1]. None: the model never
            predicts it.
        recall: share of its photos that the model gets right [0 to 1]. None: it has no photos.
    """

    label: str
    photos: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class Mistake:
    """A photo whose most probable class is not its own.

    Attributes:
        photo: its path in the photos folder.
        label: its class.
        predicted: the most probable class.
        score: probability of that [0 to 1].
        label_score: probability of its own class [0 to 1].
    """

    photo: str
    label: str
    predicted: str
    score: float
    label_score: float


@dataclass(frozen=True)
class Evaluation:
    """What one model file made of the photos.

    Attributes:
        photos: how many were run.
        top1: share of photos whose label is the most probable class [0 to 1].
        top3: share of photos whose label is among the three most probable classes [0 to 1].
        log_loss: mean negative log-likelihood of the labels [nats].
        calibration_error: expected calibration error over 15 equal bins of the top probability (Guo et al. 2017,
            arXiv:1706.04599): the mean gap between how sure the model is and how often it is right [0 to 1].
        agreement_with_float32: share of photos with the float32 model's top-1 [0 to 1]. None: there is no such model.
        classes: in label order.
        confusion: photos per true label (row) and predicted label (column).
        mistakes: in the order of the photos' names.
    """

    photos: int
    top1: float
    top3: float
    log_loss: float
    calibration_error: float
    agreement_with_float32: float | None
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    mistakes: tuple[Mistake, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, as they stand in `report.json`."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # tuples become lists
        return plain


def predict(
    models: Sequence[Path],
    photos: Sequence[Photo],
    *,
    fit: Fit,
    workers: int | None = None,
    runtime: Runtime | None = None,
    progress: Progress = silent,
) -> tuple[list[npt.NDArray[np.float32]], list[Photo], list[Skipped]]:
    """Run photos through model files, decoding each photo once.

    Returns:
        probabilities float32 `[n, k]` per model, the n photos that could be read, and those that could not.

    Raises:
        EdgeretrainError: a model does not load.
    """
    vectors: dict[int, tuple[npt.NDArray[np.float32], ...]] = {}
    skipped = []
    with contextlib.closing(run_photos(photos, models, fit=fit, workers=workers, runtime=runtime)) as outcomes:
        for done, (index, outcome) in enumerate(outcomes, start=1):
            if isinstance(outcome, UnreadablePhoto):
                skipped.append(Skipped(outcome.name, outcome.reason))
            else:
                vectors[index] = outcome
            progress("Evaluation", done, len(photos))
    if not vectors:
        raise EdgeretrainError(f"None of the {len(photos)} photos can be read, so there is nothing to evaluate on.")
    order = sorted(vectors)
    probabilities = [np.stack([vectors[index][model] for index in order]) for model in range(len(models))]
    return probabilities, [photos[index] for index in order], sorted(skipped, key=lambda one: one.name)


def judge(
    probabilities: npt.NDArray[np.float32],
    photos: Sequence[Photo],
    labels: Sequence[str],
    *,
    float32: npt.NDArray[np.float32] | None = None,
) -> Evaluation:
    """The figures of one model.

    Args:
        probabilities: `[n, k]`, one row per photo, columns in label order.
        photos: n photos, each with one of the labels.
        float32: the float32 model's probabilities `[n, k]` of the same photos.
    """
    position = {label: index for index, label in enumerate(labels)}
    expected = np.array([position[photo.label] for photo in photos], np.int64)
    predicted = probabilities.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (expected, predicted), 1)
    # A stable sort: a tie goes to the earlier label, as in argmax.
    three = np.argsort(-probabilities, axis=1, kind="stable")[:, :3]
    scores = probabilities[np.arange(len(photos)), predicted]
    own = probabilities[np.arange(len(photos)), expected]
    return Evaluation(
        photos=len(photos),
        top1=float((predicted == expected).mean()),
        top3=float((three == expected[:, None]).any(axis=1).mean()),
        log_loss=round(log_loss(probabilities, expected), 6),
        calibration_error=round(_calibration_error(scores, predicted == expected), 6),
        agreement_with_float32=None if float32 is None else float((predicted == float32.argmax(axis=1)).mean()),
        classes=tuple(
            ClassFigures(
                label,
                int(confusion[index].sum()),
                _share(confusion[index, index], confusion[:, index].sum()),
                _share(confusion[index, index], confusion[index].sum()),
            )
            for index, label in enumerate(labels)
        ),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        mistakes=tuple(
            Mistake(
                photos[index].name,
                photos[index].label,
                labels[predicted[index]],
                round(float(scores[index]), 4),
                round(float(own[index]), 4),
            )
            for index in np.flatnonzero(predicted != expected).tolist()
        ),
    )


def _share(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None


def _calibration_error(scores: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> float:
    bins = np.minimum((scores * _CALIBRATION_BINS).astype(np.int64), _CALIBRATION_BINS - 1)
    gaps = [
        abs(float(scores[bins == one].mean()) - float(right[bins == one].mean())) * float((bins == one).mean())
        for one in np.unique(bins)
    ]
    return float(np.sum(gaps))


def evaluate_folder(
    model: Path,
    folder: Path,
    *,
    testing_only: tuple[float, float] | None = None,
    strict: bool = False,
    workers: int | None = None,
    runtime: str | None = None,
    progress: Progress = silent,
) -> tuple[Evaluation, list[Skipped]]:
    """Evaluate a model written by edgeretrain on a folder of photos, one sub-folder per class.

    Args:
        testing_only: only the photos that a retrain with these validation and testing percentages holds out.
        strict: a photo that cannot be read is an error.

    Returns:
        the figures, and the photos that could not be read.

    Raises:
        EdgeretrainError: the model or the folder cannot be used, or the folder has a class that the model lacks.
    """
    package = read_own_package(model)
    photo_set = find_photos(folder, strict=strict, progress=progress)
    strangers = [label for label in photo_set.labels if label not in package.labels]
    if strangers:
        raise EdgeretrainError(
            f"{folder}: the class {strangers[0]!r} is none of the model's labels ({', '.join(package.labels)}). "
            "Rename or remove that folder."
        )
    photos: Sequence[Photo] = photo_set.photos
    if testing_only is not None:
        validation, testing = testing_only
        photos = split_photos(photo_set, validation_percentage=validation, testing_percentage=testing).testing
    (probabilities,), read, skipped = predict(
        [model], photos, fit=package.card["fit"], workers=workers, runtime=load_runtime(runtime), progress=progress
    )
    if strict and skipped:
        raise EdgeretrainError(f"{skipped[0].name}: {skipped[0].reason}. Replace or remove this photo.")
    return judge(probabilities, read, package.labels), sorted([*photo_set.skipped, *skipped], key=lambda one: one.name)
