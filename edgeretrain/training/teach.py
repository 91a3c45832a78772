"""Add classes to finished models, or remove some, without the photos that they were made from.

A run folder keeps the bottlenecks of its photos, and every model file holds its backbone. So the head is fitted again
to the old bottlenecks and those of the new photos, just as a retrain on all photos would do it, and appended to the
backbone that is cut out of the old file. Old photos stay in the sets that they were in: what proves the new model on
them is its head, run on their bottlenecks with the very constants and kernels of the file that ships.
"""

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.backbone import Backbone
from edgeretrain.backbone.presets import BUILDABLE
from edgeretrain.data.photos import Photo, PhotoFile
from edgeretrain.data.pixel_store import PixelStore, pixel_store
from edgeretrain.errors import EdgeretrainError
from edgeretrain.evaluation.metrics import Evaluation, compute_metrics
from edgeretrain.features.extract import Column, Extraction, Extractor
from edgeretrain.features.store import maker, read_bottlenecks
from edgeretrain.files.run_folder import check_apart, new_run_folder
from edgeretrain.head.softmax import Floats
from edgeretrain.options import Options
from edgeretrain.paths import cache_folder
from edgeretrain.progress import Progress, silent
from edgeretrain.tflite.runtime import Runtime, load_runtime
from edgeretrain.tflite.ungraft import HeadModel, cut_backbone
from edgeretrain.training.earlier_run import EarlierModel, EarlierRun, read_earlier_run
from edgeretrain.training.run import ModelPlan, Run, TrainedModel, model_record, photo_record
from edgeretrain.training.taught_photos import (
    TaughtPhotos,
    gather_photos,
    list_fresh_photos,
    old_photos,
    taught_labels,
)
from edgeretrain.version import __version__

StrPath = str | os.PathLike[str]


def teach(
    model: StrPath,
    out: StrPath,
    *,
    add: Mapping[str, StrPath | Sequence[StrPath]] | None = None,
    remove: Sequence[str] = (),
    strict: bool = False,
    cache: StrPath | None = None,
    runtime: str | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Add classes to models of ours, or photos to their classes, or remove classes; prove the result.

    Needs the run folder of a retrain, not its photos, no backbone and no TensorFlow. Writes to the folder `out` what
    `retrain` writes: all of it or nothing.

    Args:
        model: a run folder: all its models are taught; or one model in it.
        out: the run folder to write; the earlier one itself to replace it.
        add: for each class, new or not, a folder of photos, or several folders and photos. Photos that the model knows
            in this class are left out.
        remove: classes to forget, before any is added.
        strict, cache, runtime, workers: as in `retrain`.

    Returns:
        The report, as in `report.json`: as of a retrain on all photos, and under `taught` what was changed; each
        model's `known` tells how it and the earlier model do on the old test photos, class by class.

    Raises:
        EdgeretrainError: anything the user can mend; the message says how.
    """
    added = {
        label: [Path(sources)] if isinstance(sources, (str, os.PathLike)) else [Path(one) for one in sources]
        for label, sources in (add or {}).items()
    }
    run = read_earlier_run(Path(model))
    labels = taught_labels(run, added, remove)
    for source in (one for sources in added.values() for one in sources):
        if source.is_dir():
            check_apart(source, Path(out))
    _check_nothing_lost(run, Path(out))
    loaded = load_runtime(runtime)
    options, fresh_files, removed = run.options, list_fresh_photos(labels, added), frozenset(remove)
    old = old_photos(run, removed)
    options.check_enough(labels, [*old, *fresh_files])  # before any work
    with (
        new_run_folder(Path(out)) as folder,
        pixel_store(folder) as store,
        _backbones(run, folder / ".backbones") as backbones,
    ):
        extractor = Extractor(options.fit, Path(cache) if cache else cache_folder(), loaded, workers, progress)
        extraction = _extract(fresh_files, old, backbones, extractor, options, store)
        taught = gather_photos(run, labels, removed, extraction, maker(loaded), strict)
        made = Run(
            folder, taught.dataset, options, loaded, workers, progress, known=taught.known_names, decoded=store.get
        )
        changes = _changes(run, taught)
        plans = [
            ModelPlan(
                backbone,
                earlier.card["backbone"],
                _TaughtFeatures(earlier, taught, Column(backbone), extractor),
                _makers(earlier, taught, loaded),
                history={"taught": [*earlier.card.get("taught", []), changes]},
            )
            for earlier, backbone in zip(run.models, backbones, strict=True)
        ]
        models = made.train(plans)
        records = [
            {**model_record(model, figures), "known": _compare(earlier, model, made)}
            for earlier, model, figures in zip(run.models, models, made.evaluate(models), strict=True)
        ]
        report = {
            "edgeretrain": __version__,
            "preset": _name(run.models[0].card),
            "runtime": str(loaded),
            "options": asdict(options),
            "taught": changes,
            "photos": photo_record(taught.dataset, taught.dataset.photo_set.digest),
            "models": records,
        }
        made.write_report(report, {photo.name: photo.path for photo in taught.fresh})
    return report


def _name(card: dict[str, Any]) -> str | None:
    """The preset or own backbone that a model's card tells of; None: a file that `retrain --backbone` was given."""
    named = card["preset"] in BUILDABLE or "source" in card["backbone"]
    return str(card["preset"]) if named else None


def _check_nothing_lost(run: EarlierRun, out: Path) -> None:
    """Refuse to replace a run folder by a new one that lacks some of its models."""
    if out.resolve() != run.folder.resolve():
        return
    taught = {one.path.name for one in run.models}
    lost = sorted(path.name for path in run.folder.glob("*.tflite") if path.name not in taught)
    if lost:
        raise EdgeretrainError(
            f"{out}: also holds {lost[0]}, which would be lost. Give the folder to teach all its models, or choose "
            "another --out."
        )


@contextlib.contextmanager
def _backbones(run: EarlierRun, folder: Path) -> Iterator[list[Backbone]]:
    """The backbones of an earlier run's models, cut out of the files into a folder that is gone when the block ends."""
    try:
        folder.mkdir()
        backbones = []
        for model in run.models:
            path = folder / f"{model.precision}.tflite"
            path.write_bytes(cut_backbone(model.path))
            backbones.append(Backbone(path, model.card["preset"], model.precision, 0, {}))
        yield backbones
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _extract(
    files: Sequence[PhotoFile],
    old: Sequence[Photo],
    backbones: Sequence[Backbone],
    extractor: Extractor,
    options: Options,
    store: PixelStore,
) -> Extraction:
    """Open every new photo once; nothing else is done with those that the models know already."""
    known = {(photo.label, photo.digest) for photo in old}

    def new(photo: Photo) -> bool:
        return (photo.label, photo.digest) not in known

    def tested(photo: Photo) -> bool:
        return options.hashed_place(photo) == "testing"

    flips = (False, True) if options.flip_left_right else (False,)
    return extractor.extract(
        files,
        [Column(backbone, flip) for backbone in backbones for flip in flips],
        wanted=lambda photo, column: new(photo) and not (column.flip and tested(photo)),
        store=store,
        stored=lambda photo: new(photo) and tested(photo),
    )


@dataclass(frozen=True)
class _TaughtFeatures:
    """The bottlenecks of a model that is taught: of old photos from its run folder, of new ones from the extractor."""

    earlier: EarlierModel
    taught: TaughtPhotos
    column: Column
    extractor: Extractor

    def __call__(self, photos: Sequence[Photo], flip: bool) -> Floats:
        earlier = self.earlier
        length = HeadModel(earlier.path, runtime=self.extractor.runtime).length
        values, mirrored = read_bottlenecks(earlier.bottlenecks, earlier.listing, length)
        kept: Sequence[Photo] = earlier.listing.photos
        if flip:
            if mirrored is None:
                raise EdgeretrainError(
                    f"{earlier.bottlenecks}: lacks the mirrored photos that its options speak of. Copy it again from "
                    "where the model was retrained, or retrain."
                )
            was = earlier.listing.split()
            values, kept = mirrored, was.training + was.validation
        places = {(photo.name, photo.digest): row for row, photo in enumerate(kept)}
        known = [photo.name in self.taught.known_names for photo in photos]
        found = np.empty((len(photos), length), np.float32)
        old = [photo for photo, is_known in zip(photos, known, strict=True) if is_known]
        found[known] = values[[places[photo.name, photo.digest] for photo in old]]
        new = [photo for photo, is_known in zip(photos, known, strict=True) if not is_known]
        if new:
            found[np.invert(known)] = self.extractor.features(new, replace(self.column, flip=flip))
        return found


def _makers(earlier: EarlierModel, taught: TaughtPhotos, runtime: Runtime) -> tuple[str, ...]:
    makers = {*earlier.listing.makers, maker(runtime)} if taught.fresh else earlier.listing.makers
    return tuple(sorted(makers))


def _changes(run: EarlierRun, taught: TaughtPhotos) -> dict[str, dict[str, int]]:
    """What is taught: photos per class that are added, and removed."""
    removed = (photo.label for photo in run.listing.photos if photo.name not in taught.known_names)
    added = (photo.label for photo in taught.fresh)
    return {"added": dict(sorted(Counter(added).items())), "removed": dict(sorted(Counter(removed).items()))}


def _compare(earlier: EarlierModel, model: TrainedModel, run: Run) -> dict[str, Any]:
    """How the earlier model and the new one do on the old test photos of the classes that stay."""
    old = [photo for photo in run.dataset.split.testing if photo.name in run.known]
    figures = [
        compute_metrics(HeadModel(path, runtime=run.runtime)(model.tested), old, labels)
        for path, labels in ((earlier.path, earlier.listing.labels), (model.path, run.dataset.labels))
    ]
    return _known(*figures)


def _known(before: Evaluation, after: Evaluation) -> dict[str, Any]:
    """How the earlier model and the new one do on the old test photos of the classes that stay."""
    recalls = {figures.label: figures.recall for figures in before.classes}
    return {
        "photos": after.photos,
        "top1_before": before.top1,
        "top1_after": after.top1,
        "classes": [
            {
                "label": figures.label,
                "photos": figures.photos,
                "recall_before": recalls[figures.label],
                "recall_after": figures.recall,
            }
            for figures in after.classes
            if figures.photos
        ],
    }
