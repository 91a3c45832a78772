"""Model files x photos -> what they can do: every figure comes from running the very file that ships."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from edgeretrain.classifier import read_own_package
from edgeretrain.data.layout import Layout, open_photos
from edgeretrain.data.photos import (
    Photo,
    PhotoFile,
    PhotoSet,
    Skipped,
    check_readable,
    sorted_photos,
    sorted_skipped,
)
from edgeretrain.data.pixels import Fit
from edgeretrain.errors import EdgeretrainError
from edgeretrain.evaluation.metrics import Evaluation, compute_metrics
from edgeretrain.features.inference import (
    InferenceModel,
    ModelFailure,
    NetworkOutput,
    PixelSource,
    Plan,
    ReadPhoto,
    UnusablePhoto,
    run_photos,
)
from edgeretrain.head.softmax import Floats
from edgeretrain.progress import Progress, silent
from edgeretrain.tflite.runtime import Network, Runtime, load_runtime


@dataclass(frozen=True)
class Predictions:
    """What models say of photos.

    Attributes:
        photos: those that were run, in the order given.
        probabilities: float32 `[n, k]` for each model, a row per photo.
        skipped: those that cannot be read, sorted by name.
        undecodable: those of them with a sound header.
        passed_over: those that could be read and were not wanted.
    """

    photos: tuple[Photo, ...]
    probabilities: tuple[Floats, ...]
    skipped: tuple[Skipped, ...]
    undecodable: tuple[Photo, ...]
    passed_over: tuple[Photo, ...]


def predict(
    models: Sequence[InferenceModel],
    files: Sequence[PhotoFile | Photo],
    *,
    fit: Fit,
    wanted: Callable[[Photo], bool] = lambda photo: True,
    decoded: PixelSource | None = None,
    workers: int | None = None,
    runtime: Runtime | None = None,
    progress: Progress = silent,
) -> Predictions:
    """Run photos through model files, opening and decoding each photo once.

    Args:
        wanted: which photos to run; the others are opened all the same, unless they are known already.
        decoded: pixels that need not be decoded again.

    Raises:
        EdgeretrainError: a model does not load; no photo can be read.
    """
    everything = Plan(tuple(range(len(models))))
    read: dict[int, Photo] = {}
    owed: dict[int, int] = {}
    vectors: dict[int, list[Floats]] = {}
    skipped: list[Skipped] = []
    undecodable: list[Photo] = []
    done = 0
    outcomes = run_photos(
        files,
        models,
        fit=fit,
        plan=lambda photo: everything if wanted(photo) else Plan(),
        decoded=decoded,
        workers=workers,
        runtime=runtime,
    )
    with contextlib.closing(outcomes):
        for outcome in outcomes:
            match outcome:
                case ReadPhoto(index, photo, runs, _):
                    read[index], owed[index] = photo, len(runs)
                    if runs:
                        vectors[index] = [np.empty(0, np.float32)] * len(models)
                case NetworkOutput(index, model, vector):
                    vectors[index][model] = vector
                    owed[index] -= 1
                case UnusablePhoto(index, reason, digest):
                    file = files[index]
                    skipped.append(Skipped(file.name, reason))
                    if digest is not None:
                        undecodable.append(Photo(file.path, file.name, file.label, digest))
                    owed[index] = 0
                case ModelFailure(_, error):
                    raise error
            if not owed[index]:
                done += 1
                progress("Evaluation", done, len(files))
    if len(skipped) == len(files):
        raise EdgeretrainError(f"None of the {len(files)} photos can be read, so there is nothing to evaluate on.")
    order = sorted(vectors)
    return Predictions(
        tuple(read[index] for index in order),
        tuple(np.stack([vectors[index][model] for index in order]) for model in range(len(models))) if order else (),
        sorted_skipped(skipped),
        tuple(undecodable),
        tuple(read[index] for index in sorted(read.keys() - vectors.keys())),
    )


def evaluate_folder(
    model: Path,
    folder: Path,
    *,
    testing_only: tuple[float, float] | None = None,
    layout: Layout = "auto",
    notify: Callable[[str], None] = lambda note: None,
    strict: bool = False,
    workers: int | None = None,
    runtime: str | None = None,
    progress: Progress = silent,
) -> tuple[Evaluation, list[Skipped]]:
    """Evaluate a model written by edgeretrain on a folder of photos, one sub-folder per class.

    Of a folder that is split already, only the test photos count.

    Args:
        testing_only: only the photos that a retrain with these validation and testing percentages holds out.
        layout: whether its folders are classes or the parts of a split; see `open_photos`.
        notify: called with what is to be known about the choice of photos.
        strict: a photo that cannot be read is an error.

    Returns:
        the figures, and the photos that could not be read.

    Raises:
        EdgeretrainError: the model or the folder cannot be used, or the folder has a class that the model lacks.
    """
    package = read_own_package(model)
    source = open_photos(folder, layout=layout)
    listing, own_test = source.folder, "testing" in source.given
    for note in source.notes:
        notify(note)
    if own_test:
        listing = source.part("testing")
        notify(f"Evaluated on its {len(listing.files)} test photos only. Give one folder of them for others.")
    strangers = [label for label in listing.labels if label not in package.labels]
    if strangers:
        raise EdgeretrainError(
            f"{folder}: the class {strangers[0]!r} is none of the model's labels ({', '.join(package.labels)}). "
            "Rename or remove that folder."
        )
    loaded = load_runtime(runtime)
    run = partial(
        predict,
        [InferenceModel(model, Network(model, runtime=loaded).size)],
        fit=package.card["fit"],
        workers=workers,
        runtime=loaded,
        progress=progress,
    )
    if testing_only is None or own_test:
        found = run(listing.files)
        check_readable(listing.labels, found.photos, found.skipped, strict)
        return compute_metrics(found.probabilities[0], found.photos, package.labels), list(found.skipped)
    validation, testing = testing_only
    found = run(listing.files, wanted=lambda photo: source.subset(photo, validation, testing) == "testing")
    check_readable(listing.labels, (*found.photos, *found.passed_over), found.skipped, strict)
    # A photo that cannot be decoded counts in the split, as nobody has tried to decode those that are not held out.
    photos = sorted_photos((*found.photos, *found.passed_over, *found.undecodable))
    photo_set = PhotoSet(listing.labels, photos, (), ())
    held_out = source.split(photo_set, validation, testing).testing
    scores = dict(zip(found.photos, found.probabilities[0], strict=True)) if found.photos else {}
    moved = [photo for photo in held_out if photo not in scores and photo not in found.undecodable]
    skipped = list(found.skipped)
    if moved:  # by the split, so that a class is in every set
        more = run(moved)
        scores |= dict(zip(more.photos, more.probabilities[0], strict=True))
        skipped = list(sorted_skipped([*skipped, *more.skipped]))
    judged = [photo for photo in held_out if photo in scores]
    return compute_metrics(np.stack([scores[photo] for photo in judged]), judged, package.labels), skipped
