"""The main job: a folder of photos -> proven .tflite files in a run folder."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgeretrain.backbone import Backbone, backbone_name, find_backbones
from edgeretrain.backbone.presets import DEFAULT_PRESET
from edgeretrain.data.photos import Photo, PhotoSet, find_photos
from edgeretrain.data.split import Split
from edgeretrain.errors import EdgeretrainError
from edgeretrain.evaluation.evaluate import judge, predict
from edgeretrain.features.extract import Bottlenecks, compute_bottlenecks, require_all
from edgeretrain.features.store import maker
from edgeretrain.files.run_folder import check_apart, model_file, new_run_folder
from edgeretrain.fine_tuning import FineTuning
from edgeretrain.fine_tuning.tune import Learner, Tuner, check_tunable, prepare
from edgeretrain.head.softmax import Head
from edgeretrain.options import Options
from edgeretrain.paths import cache_folder
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.progress import Progress, silent
from edgeretrain.tflite.runtime import Runtime, load_runtime
from edgeretrain.training.modelling import Fitted, Material, Workshop, photo_record
from edgeretrain.version import __version__

__all__ = ["Options", "retrain"]


def retrain(
    photos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    preset: str = DEFAULT_PRESET,
    precisions: Sequence[Precision] = ("float32", "int8"),
    backbone: str | os.PathLike[str] | None = None,
    options: Options | None = None,
    fine_tune: FineTuning | None = None,
    strict: bool = False,
    keep_bottlenecks: bool = True,
    cache: str | os.PathLike[str] | None = None,
    runtime: str | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Retrain a classifier on a folder of photos, one sub-folder per class, and prove it on held-out photos.

    Writes `model.<precision>.tflite` and `bottlenecks.<precision>.npz` for each precision, `labels.txt`, `report.json`
    and `report.html` to the folder `out`: all of it or nothing. The same photos, options and versions give the same
    bytes.

    Args:
        preset: which backbone: see `edgeretrain.backbone.presets`, or one that `edgeretrain backbone build` named.
        precisions: of the models; each gets a head trained on the bottlenecks of its own backbone.
        backbone: a .tflite feature extractor of your own in place of a preset's; one precision only.
        fine_tune: let the backbone learn from the photos, too; needs TensorFlow. What a frozen backbone gives
            is computed as well and told beside it. A run that was stopped goes on after its last finished epoch.
        strict: refuse to go on when a photo cannot be read.
        keep_bottlenecks: write them, so that `teach` can add classes later without these photos.
        cache: folder for bottlenecks; default `EDGERETRAIN_CACHE` or the platform's cache folder.
        runtime: `ai_edge_litert`, `tflite_runtime` or `tensorflow`; default the first one installed.
        workers: threads; default one per core.

    Returns:
        The report, as in `report.json`.

    Raises:
        EdgeretrainError: anything the user can mend; the message says how.
    """
    options = options or Options()
    precisions = _in_table_order(precisions)
    if backbone is not None and len(precisions) > 1:
        raise EdgeretrainError(f"{backbone} is one file of one precision. Give one --precision with --backbone.")
    if min(options.validation_percentage, options.testing_percentage) <= 0:
        raise EdgeretrainError(
            "Validation and testing percentages must be above 0: the one chooses the head, the other proves it."
        )
    name = None if backbone else backbone_name(preset)
    own = Path(backbone) if backbone else None
    if fine_tune:
        check_tunable(own, precisions, fine_tune, options)
    check_apart(Path(photos), Path(out))
    loaded = load_runtime(runtime)
    with new_run_folder(Path(out)) as folder:
        photo_set = find_photos(photos, strict=strict, progress=progress)
        digest = photo_set.digest
        options.split(photo_set)  # a class with too few photos is told before any work
        # What is tuned is the float32 backbone, whichever precisions are asked for.
        wanted = _in_table_order([*precisions, "float32"]) if fine_tune else precisions
        found = find_backbones(preset, wanted, backbone=own, progress=progress)
        backbones = [one for one in found if one.precision in precisions]
        learner = prepare(found[0], fine_tune, progress=progress) if fine_tune else None
        workshop = Workshop(folder, options, keep_bottlenecks, progress)
        runner = _Run(workshop, Path(cache) if cache else cache_folder(), loaded, workers)
        heads = []
        for one in backbones:
            photo_set, fitted = runner.make_model(one, photo_set, strict)
            heads.append(fitted)
        split = options.split(photo_set)
        models = runner.prove(backbones, heads, photo_set, split)
        tuner = runner.tuner(learner, photo_set, split) if learner else None
        tuned: dict[str, Any] = {}
        if tuner is not None:
            tuned["fine_tuning"], models = runner.tune(tuner, backbones, models)
        report = {
            "edgeretrain": __version__,
            "preset": name,
            "runtime": str(loaded),
            "options": asdict(options),
            **tuned,
            "photos": {**photo_record(photo_set, split), "digest": digest},
            "models": models,
        }
        workshop.write_report(report, {photo.name: photo.path for photo in split.testing})
    if tuner is not None:
        tuner.forget()
    return report


def _in_table_order(precisions: Sequence[Precision]) -> list[Precision]:
    unknown = sorted(set(precisions) - set(PRECISIONS))
    if unknown or not precisions:
        which = repr(unknown[0]) if unknown else "given"
        raise EdgeretrainError(f"There is no precision {which}. Use one of {', '.join(PRECISIONS)}.")
    return [precision for precision in PRECISIONS if precision in precisions]


@dataclass(frozen=True)
class _Run:
    """What every precision of one retrain shares."""

    workshop: Workshop
    cache: Path
    runtime: Runtime
    workers: int | None

    def make_model(
        self, backbone: Backbone, photo_set: PhotoSet, strict: bool, trained: Head | None = None
    ) -> tuple[PhotoSet, Fitted]:
        """Write the model of one backbone; the photos that could be decoded, and how the head came about.

        Args:
            trained: a head that was trained with the backbone.
        """
        bottlenecks = self._bottlenecks(photo_set.photos, backbone, flip=False)
        values = bottlenecks.values
        if bottlenecks.skipped:
            unreadable = {one.name for one in bottlenecks.skipped}
            values = values[[index for index, photo in enumerate(photo_set.photos) if photo.name not in unreadable]]
            photo_set = photo_set.without(bottlenecks.skipped, strict=strict)
        split = self.workshop.options.split(photo_set)
        mirrored = None
        if self.workshop.options.flip_left_right:
            mirror = self._bottlenecks(split.training + split.validation, backbone, flip=True)
            require_all(mirror.skipped)
            mirrored = mirror.values
        material = Material(photo_set, split, values, mirrored, (maker(self.runtime),))
        origin = _backbone_record(backbone)
        fitted = self.workshop.make_model(backbone, material, origin=origin, history={}, trained=trained)
        return photo_set, fitted

    def _bottlenecks(self, photos: Sequence[Photo], backbone: Backbone, *, flip: bool) -> Bottlenecks:
        return compute_bottlenecks(
            photos,
            backbone,
            fit=self.workshop.options.fit,
            flip=flip,
            cache=self.cache,
            workers=self.workers,
            runtime=self.runtime,
            progress=self.workshop.progress,
        )

    def prove(
        self, backbones: Sequence[Backbone], heads: Sequence[Fitted], photo_set: PhotoSet, split: Split
    ) -> list[dict[str, Any]]:
        """Run every written file on the test photos; one entry of the report per file."""
        paths = [self.workshop.folder / model_file(backbone.precision) for backbone in backbones]
        probabilities, photos, skipped = predict(
            paths,
            split.testing,
            fit=self.workshop.options.fit,
            workers=self.workers,
            runtime=self.runtime,
            progress=self.workshop.progress,
        )
        require_all(skipped)
        reference = probabilities[0] if backbones[0].precision == "float32" else None
        return [
            self.workshop.model_record(
                backbone,
                fitted,
                judge(scores, photos, photo_set.labels, float32=reference),
                _backbone_record(backbone),
            )
            for backbone, fitted, scores in zip(backbones, heads, probabilities, strict=True)
        ]

    def tuner(self, learner: Learner, photo_set: PhotoSet, split: Split) -> Tuner:
        """What fine-tunes on these photos."""
        workshop = self.workshop
        return Tuner(
            learner, photo_set, split, workshop.options, self.cache, self.runtime, self.workers, workshop.progress
        )

    def tune(
        self, tuner: Tuner, backbones: Sequence[Backbone], models: list[dict[str, Any]]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Put models of tuned backbones in the place of these, made and proven in the same way.

        Returns:
            How the fine-tuning went, and the report's entries: those given, when it came to nothing.
        """
        folder = self.workshop.folder / ".tuned"
        try:
            tuned, head, record = tuner.tune(backbones, folder)
            if not tuned:
                return record, models
            told = self.workshop.progress
            workshop = replace(self.workshop, progress=lambda step, done, total: told(f"{step}, tuned", done, total))
            own = replace(self, workshop=workshop, cache=folder)  # no other run has a use for these bottlenecks
            heads = [own.make_model(one, tuner.photo_set, strict=True, trained=head)[1] for one in tuned]
            after = own.prove(tuned, heads, tuner.photo_set, tuner.split)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        kept = ("bytes", "head", "evaluation")
        frozen = [{key: model[key] for key in kept} for model in models]
        return record, [{**model, "frozen": before} for model, before in zip(after, frozen, strict=True)]


def _backbone_record(backbone: Backbone) -> dict[str, Any]:
    kept = ("weights", "source", "fine_tuned", "calibration", "converter")
    return {"sha256": backbone.digest, **{key: backbone.card[key] for key in kept if key in backbone.card}}
