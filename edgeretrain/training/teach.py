"""Add classes to finished models, or remove some, without the photos that they were made from.

A run folder keeps the bottlenecks of its photos, and every model file holds its backbone. So the head is fitted again
to the old bottlenecks and those of the new photos, just as a retrain on all photos would do it, and appended to the
backbone that is cut out of the old file. Old photos stay in the sets that they were in: what proves the new model on
them is its head, run on their bottlenecks with the very constants and kernels of the file that ships.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.backbone import Backbone
from edgeretrain.backbone.presets import BUILDABLE
from edgeretrain.data.photos import Photo, Skipped
from edgeretrain.data.split import Split
from edgeretrain.errors import EdgeretrainError
from edgeretrain.evaluation.evaluate import Evaluation, judge, predict
from edgeretrain.features.extract import compute_bottlenecks, require_all
from edgeretrain.features.store import maker, read_bottlenecks
from edgeretrain.files.run_folder import check_apart, model_file, new_run_folder
from edgeretrain.head.softmax import Floats
from edgeretrain.paths import cache_folder
from edgeretrain.progress import Progress, silent
from edgeretrain.tflite.runtime import Runtime, load_runtime
from edgeretrain.tflite.ungraft import HeadModel, cut_backbone
from edgeretrain.training.earlier_run import EarlierModel, EarlierRun, read_earlier_run
from edgeretrain.training.modelling import Fitted, Material, Workshop, photo_record
from edgeretrain.training.taught_photos import TaughtPhotos, gather_photos, taught_labels
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
    with new_run_folder(Path(out)) as folder:
        photos = gather_photos(run, labels, added, frozenset(remove), maker(loaded), strict, progress)
        photos.split(run)  # a class with too few photos is told before any work
        workshop = Workshop(folder, run.options, True, progress)
        teacher = _Teacher(run, workshop, Path(cache) if cache else cache_folder(), loaded, workers)
        lessons = []
        for one in run.models:
            photos, lesson = teacher.make_model(one, photos, strict)
            lessons.append(lesson)
        split = photos.split(run)
        report = {
            "edgeretrain": __version__,
            "preset": _name(run.models[0].card),
            "runtime": str(loaded),
            "options": asdict(run.options),
            "taught": teacher.changes(photos),
            "photos": photo_record(photos.photo_set, split),
            "models": teacher.prove(lessons, photos, split),
        }
        workshop.write_report(report, {photo.name: photo.path for photo in photos.fresh})
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


@dataclass(frozen=True)
class _Lesson:
    """A model that was taught.

    Attributes:
        tested: bottlenecks `[t, d]` of the old test photos.
    """

    earlier: EarlierModel
    backbone: Backbone
    fitted: Fitted
    tested: Floats


@dataclass(frozen=True)
class _Teacher:
    """What every model of one `teach` shares."""

    run: EarlierRun
    workshop: Workshop
    cache: Path
    runtime: Runtime
    workers: int | None

    def make_model(self, earlier: EarlierModel, photos: TaughtPhotos, strict: bool) -> tuple[TaughtPhotos, _Lesson]:
        """Write the model that takes the place of an earlier one; the photos that could be decoded."""
        cut = self.workshop.folder / f".backbone.{earlier.precision}.tflite"
        cut.write_bytes(cut_backbone(earlier.path))
        try:
            backbone = Backbone(cut, earlier.card["preset"], earlier.precision, 0, {})
            photos, material = self._material(earlier, backbone, photos, strict)
            history = {"taught": [*earlier.card.get("taught", []), self.changes(photos)]}
            origin = earlier.card["backbone"]
            fitted = self.workshop.make_model(backbone, material, origin=origin, history=history)
        finally:
            cut.unlink()
        old = photos.old_of(material.split.testing)
        return photos, _Lesson(earlier, backbone, fitted, material.values[material.rows(old)])

    def changes(self, photos: TaughtPhotos) -> dict[str, dict[str, int]]:
        """What is taught: photos per class that are added, and removed."""
        stay = {photo.name for photo in photos.photo_set.photos} - photos.fresh_names
        removed = (photo.label for photo in self.run.listing.photos if photo.name not in stay)
        added = (photo.label for photo in photos.fresh)
        return {"added": dict(sorted(Counter(added).items())), "removed": dict(sorted(Counter(removed).items()))}

    def _material(
        self, earlier: EarlierModel, backbone: Backbone, photos: TaughtPhotos, strict: bool
    ) -> tuple[TaughtPhotos, Material]:
        length = HeadModel(earlier.path, runtime=self.runtime).length
        values, mirrored = read_bottlenecks(earlier.bottlenecks, earlier.listing, length)
        fresh, skipped = self._bottlenecks(photos.fresh, backbone, length, flip=False)
        have = [*earlier.listing.photos, *photos.fresh]
        if skipped:
            photos = photos.without(skipped, strict)
        split = photos.split(self.run)
        values = _arranged(photos.photo_set.photos, have, np.concatenate([values, fresh]))
        if self.run.options.flip_left_right:
            if mirrored is None:
                raise EdgeretrainError(
                    f"{earlier.bottlenecks}: lacks the mirrored photos that its options speak of. Copy it again from "
                    "where the model was retrained, or retrain."
                )
            was = earlier.listing.split()
            learnt = split.training + split.validation
            new = photos.new_of(learnt)
            flipped, gone = self._bottlenecks(new, backbone, length, flip=True)
            require_all(gone)
            have = [*was.training, *was.validation, *new]
            mirrored = _arranged(learnt, have, np.concatenate([mirrored, flipped]))
        makers = {*earlier.listing.makers, maker(self.runtime)} if photos.fresh else earlier.listing.makers
        return photos, Material(photos.photo_set, split, values, mirrored, tuple(sorted(makers)))

    def _bottlenecks(
        self, photos: Sequence[Photo], backbone: Backbone, length: int, *, flip: bool
    ) -> tuple[Floats, Sequence[Skipped]]:
        if not photos:
            return np.empty((0, length), np.float32), ()
        made = compute_bottlenecks(
            photos,
            backbone,
            fit=self.run.options.fit,
            flip=flip,
            cache=self.cache,
            workers=self.workers,
            runtime=self.runtime,
            progress=self.workshop.progress,
        )
        return made.values, made.skipped

    def prove(self, lessons: Sequence[_Lesson], photos: TaughtPhotos, split: Split) -> list[dict[str, Any]]:
        """Run every written file on the new test photos, and its head on the old ones; one entry of the report each."""
        paths = [self.workshop.folder / model_file(lesson.backbone.precision) for lesson in lessons]
        old, new = photos.old_of(split.testing), photos.new_of(split.testing)
        outcome = [np.empty((0, len(photos.photo_set.labels)), np.float32)] * len(paths)
        if new:
            outcome, _, skipped = predict(
                paths,
                new,
                fit=self.run.options.fit,
                workers=self.workers,
                runtime=self.runtime,
                progress=self.workshop.progress,
            )
            require_all(skipped)
        heads = [
            HeadModel(path, runtime=self.runtime)(lesson.tested) for path, lesson in zip(paths, lessons, strict=True)
        ]
        scores = [
            _arranged(split.testing, [*old, *new], np.concatenate([known, fresh]))
            for known, fresh in zip(heads, outcome, strict=True)
        ]
        reference = scores[0] if lessons[0].backbone.precision == "float32" else None
        before, labels = self.run.listing.labels, photos.photo_set.labels
        return [
            {
                **self.workshop.model_record(
                    lesson.backbone,
                    lesson.fitted,
                    judge(own, split.testing, labels, float32=reference),
                    lesson.earlier.card["backbone"],
                ),
                "known": _known(
                    judge(HeadModel(lesson.earlier.path, runtime=self.runtime)(lesson.tested), old, before),
                    judge(head, old, labels),
                ),
            }
            for lesson, own, head in zip(lessons, scores, heads, strict=True)
        ]


def _known(before: Evaluation, after: Evaluation) -> dict[str, Any]:
    """How the earlier model and the new one do on the old test photos of the classes that stay."""
    recalls = {one.label: one.recall for one in before.classes}
    return {
        "photos": after.photos,
        "top1_before": before.top1,
        "top1_after": after.top1,
        "classes": [
            {
                "label": one.label,
                "photos": one.photos,
                "recall_before": recalls[one.label],
                "recall_after": one.recall,
            }
            for one in after.classes
            if one.photos
        ],
    }


def _arranged(wanted: Sequence[Photo], have: Sequence[Photo], rows: Floats) -> Floats:
    """The rows of the photos that are wanted, of those that there are."""
    position = {(photo.name, photo.digest): index for index, photo in enumerate(have)}
    return np.asarray(rows[[position[photo.name, photo.digest] for photo in wanted]])
