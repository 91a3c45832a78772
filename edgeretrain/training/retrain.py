"""The main job: a folder of photos -> proven .tflite files in a run folder."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgeretrain.backbone import Backbone, backbone_name, find_backbones
from edgeretrain.backbone.presets import DEFAULT_PRESET
from edgeretrain.data.dataset import Dataset
from edgeretrain.data.layout import Layout, PhotoSource, open_photos
from edgeretrain.data.photos import Photo, PhotoSet, sorted_photos
from edgeretrain.data.pixel_store import PixelStore, pixel_store
from edgeretrain.data.pixels import Pixels
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.extract import Column, Extractor
from edgeretrain.features.inference import PixelSource
from edgeretrain.features.store import maker
from edgeretrain.files.run_folder import check_apart, new_run_folder
from edgeretrain.fine_tuning import FineTuning
from edgeretrain.fine_tuning.tune import Tuner, check_tunable, prepare
from edgeretrain.head.softmax import Head
from edgeretrain.options import Options
from edgeretrain.paths import cache_folder
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.progress import Progress, silent
from edgeretrain.records.json_form import RecordError, from_json
from edgeretrain.records.training import BackboneRecord, FineTuningRecord, FrozenModel, ModelRecord, Report
from edgeretrain.tflite.runtime import load_runtime
from edgeretrain.training.bottlenecks import Bottleneck, Bottlenecks, check_bottleneck, temporary_folder
from edgeretrain.training.run import ModelPlan, Run, model_record, photo_record
from edgeretrain.version import __version__


def retrain(
    photos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    preset: str = DEFAULT_PRESET,
    precisions: Sequence[Precision] = ("float32", "int8"),
    bottleneck: Bottleneck = "features",
    backbone: str | os.PathLike[str] | None = None,
    options: Options | None = None,
    fine_tune: FineTuning | None = None,
    layout: Layout = "auto",
    validation: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    strict: bool = False,
    keep_bottlenecks: bool = True,
    cache: str | os.PathLike[str] | None = None,
    runtime: str | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Report:
    """Retrain a classifier on a folder of photos, one sub-folder per class, and prove it on held-out photos.

    A folder that is split already, into train, valid and test or two of them, is used as it is split.

    Writes `model.<precision>.tflite` and `bottlenecks.<precision>.npz` for each precision, `labels.txt`, `report.json`
    and `report.html` to the folder `out`: all of it or nothing. The same photos, options and versions give the same
    bytes.

    Args:
        preset: which backbone: see `edgeretrain.backbone.presets`, or one that `edgeretrain backbone build` named.
        precisions: of the models; each gets a head trained on the bottlenecks of its own backbone.
        bottleneck: what a head learns from: `features`, the backbone's output; `multi`, that and the averages of inner
            layers; `auto`, what does better on these photos (see `BottleneckChoice`).
        backbone: a .tflite feature extractor of your own in place of a preset's; one precision only.
        fine_tune: let the backbone learn from the photos, too; needs TensorFlow. What a frozen backbone gives
            is computed as well and reported beside it. A run that was stopped goes on after its last finished epoch.
        layout: whether the folders in `photos` are classes or the parts of a split; see `open_photos`.
        validation, test: folders of photos, one sub-folder per class, for these sets alone; none is cut off then.
        strict: refuse to go on when a photo cannot be read.
        keep_bottlenecks: write them, so that `teach` can add classes later without these photos.
        cache: folder for bottlenecks; default `EDGERETRAIN_CACHE` or the platform's cache folder.
        runtime: `ai_edge_litert`, `tflite_runtime` or `tensorflow`; default the first one installed.
        workers: threads; default one per core.

    Returns:
        The report. `edgeretrain.to_json` makes plain JSON of it, as in `report.json`; docs/reference/report-json.md
        explains both.

    Raises:
        EdgeretrainError: anything the user can mend; the message says how.
    """
    options = options or Options()
    precisions = _in_table_order(precisions)
    if backbone is not None and len(precisions) > 1:
        raise EdgeretrainError(f"{backbone} is one file of one precision. Give one --precision with --backbone.")
    name = None if backbone else backbone_name(preset)
    own = Path(backbone) if backbone else None
    check_bottleneck(bottleneck, options, fine_tune is not None)
    if fine_tune:
        check_tunable(own, precisions, fine_tune, options)
    for source_folder in (photos, validation, test):
        if source_folder is not None:
            check_apart(Path(source_folder), Path(out))
    loaded = load_runtime(runtime)
    with (
        new_run_folder(Path(out)) as folder,
        pixel_store(folder) as store,
        temporary_folder(folder / ".variants") as variants,
    ):
        source = open_photos(photos, layout=layout, validation=validation, test=test)
        check_sets(source, options)  # before any work
        # What is tuned is the float32 backbone, whichever precisions are asked for.
        wanted = _in_table_order([*precisions, "float32"]) if fine_tune else precisions
        found = find_backbones(preset, wanted, backbone=own, progress=progress)
        backbones = [backbone for backbone in found if backbone.precision in precisions]
        learner = prepare(found[0], fine_tune, progress=progress) if fine_tune else None
        extractor = Extractor(options.fit, Path(cache) if cache else cache_folder(), loaded, workers, progress)
        teachers = learner.distilled if learner else ()
        bottlenecks = Bottlenecks.prepare(bottleneck, backbones, variants)
        scan = scan_photos(
            source, bottlenecks.extracted, extractor, options, store=store, teachers=teachers, strict=strict
        )
        if bottleneck == "auto":
            bottlenecks = bottlenecks.choose(scan.dataset, extractor, options, variants)
        run = Run(
            folder,
            scan.dataset,
            options,
            loaded,
            workers,
            progress,
            keep_bottlenecks=keep_bottlenecks,
            decoded=store.get,
        )
        models = train_and_evaluate(run, bottlenecks.backbones, extractor, bottlenecks=bottlenecks)
        tuner = Tuner(learner, scan.dataset, options, extractor) if learner else None
        fine_tuning: FineTuningRecord | None = None
        if tuner is not None:
            fine_tuning, models = _tune(tuner, run, backbones, models)
        report = make_report(name, run, scan, models, fine_tuning)
        run.write_report(report, {photo.name: photo.path for photo in scan.dataset.split.testing})
    if tuner is not None:
        tuner.forget()
    return report


def check_sets(source: PhotoSource, options: Options) -> None:
    """Refuse photos of which no validation or test set, or too small a one, can be made. Opens no photo.

    Raises:
        EdgeretrainError: a percentage is 0 and that set is not given; see `check_enough`.
    """
    for part, percentage in (("validation", options.validation_percentage), ("testing", options.testing_percentage)):
        if percentage <= 0 and part not in source.given:
            raise EdgeretrainError(
                "Validation and testing percentages must be above 0: the one chooses the head, the other proves it. "
                "0 is for photos of your own: --validation FOLDER, --test FOLDER, or folders called valid and test."
            )
    source.check_enough(options.validation_percentage, options.testing_percentage)


def _in_table_order(precisions: Sequence[Precision]) -> list[Precision]:
    unknown = sorted(set(precisions) - set(PRECISIONS))
    if unknown or not precisions:
        which = repr(unknown[0]) if unknown else "given"
        raise EdgeretrainError(f"There is no precision {which}. Use one of {', '.join(PRECISIONS)}.")
    return [precision for precision in PRECISIONS if precision in precisions]


@dataclass(frozen=True)
class Scan:
    """The photos of a folder after their one pass.

    Attributes:
        dataset: those that can be read, split.
        digest: of all photos with a sound header; see `PhotoSet.digest`.
        failures: columns whose backbone does not load or run, and why.
    """

    dataset: Dataset
    digest: str
    failures: Mapping[Column, Exception]


def scan_photos(
    source: PhotoSource,
    backbones: Sequence[Backbone],
    extractor: Extractor,
    options: Options,
    *,
    store: PixelStore,
    teachers: Sequence[Backbone] = (),
    strict: bool = False,
    tolerant: bool = False,
) -> Scan:
    """Open every photo once: its bottlenecks go to the cache, the pixels of likely test photos to the store.

    The split is made afterwards, of the photos that can be read. What it moves away from where the names' hashes have
    it is made up for when it is needed.

    Args:
        teachers: backbones that only photos to learn from are needed of.
        strict: a photo that cannot be read is an error.
        tolerant: go on with the others when a backbone does not load or run.

    Raises:
        EdgeretrainError: see `Extractor.extract`, `PhotoFolder.photo_set` and `split_photos`.
    """
    flips = (False, True) if options.flip_left_right else (False,)
    everything = [Column(backbone, flip) for backbone in backbones for flip in flips]
    learnt_only = {column for column in everything if column.flip} | {Column(teacher) for teacher in teachers}
    learnt_only -= {Column(backbone) for backbone in backbones}

    def tested(photo: Photo) -> bool:
        return source.subset(photo, options.validation_percentage, options.testing_percentage) == "testing"

    listing = source.folder
    extraction = extractor.extract(
        listing.files,
        list(dict.fromkeys([*everything, *(Column(teacher) for teacher in teachers)])),
        needed=lambda photo, column: column not in learnt_only or not tested(photo),
        store=store,
        stored=tested,
        tolerant=tolerant,
    )
    found = PhotoSet(listing.labels, sorted_photos((*extraction.photos, *extraction.undecodable)), (), ())
    photo_set = source.with_notes(listing.photo_set(extraction.photos, extraction.skipped, strict=strict))
    split = source.split(photo_set, options.validation_percentage, options.testing_percentage)
    return Scan(Dataset(photo_set, split), found.digest, extraction.failures)


def train_and_evaluate(
    run: Run,
    backbones: Sequence[Backbone],
    extractor: Extractor,
    trained_with: Head | None = None,
    *,
    bottlenecks: Bottlenecks | None = None,
) -> list[ModelRecord]:
    """Make the model of each backbone and prove it; one entry of the report each.

    Args:
        trained_with: a head that was trained together with the backbones.
        bottlenecks: where the backbones' bottlenecks come from; default the extractor.
    """
    source = bottlenecks or Bottlenecks(tuple(backbones), (None,) * len(backbones))
    plans = [
        ModelPlan(
            backbone,
            backbone_record(backbone),
            # A column per call: the loop's backbone at that time, not the last one.
            lambda photos, flip, backbone=backbone: source.features(extractor, photos, Column(backbone, flip)),  # type: ignore[misc]
            (maker(run.runtime),),
            trained_with=trained_with,
        )
        for backbone in backbones
    ]
    models = run.train(plans)
    return [model_record(model, figures) for model, figures in zip(models, run.evaluate(models), strict=True)]


def make_report(
    preset: str | None,
    run: Run,
    scan: Scan,
    models: Sequence[ModelRecord],
    fine_tuning: FineTuningRecord | None = None,
) -> Report:
    """The report of a retrain."""
    return Report(
        edgeretrain=__version__,
        preset=preset,
        runtime=str(run.runtime),
        options=run.options,
        fine_tuning=fine_tuning,
        photos=photo_record(run.dataset, scan.digest),
        models=tuple(models),
    )


def _tune(
    tuner: Tuner, run: Run, backbones: Sequence[Backbone], models: list[ModelRecord]
) -> tuple[FineTuningRecord, list[ModelRecord]]:
    """Put models of tuned backbones in the place of these, made and proven in the same way.

    Returns:
        How the fine-tuning went, and the report's entries: those given, when it came to nothing.
    """
    folder = run.folder / ".tuned"
    try:
        tuned, head, record = tuner.tune(backbones, folder)
        if not tuned:
            return record, models
        notify = run.progress

        def progress(step: str, done: int, total: int) -> None:
            notify(f"{step}, tuned", done, total)

        # No other run has a use for these bottlenecks, so their cache goes with the folder.
        extractor = replace(
            tuner.extractor, cache=folder, progress=progress, decoded=_first_of(run.decoded, tuner.decoded)
        )
        extractor.extract(run.dataset.photos, [Column(backbone) for backbone in tuned])
        after = train_and_evaluate(replace(run, progress=progress), tuned, extractor, head)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    frozen = [FrozenModel(bytes=model.bytes, head=model.head, evaluation=model.evaluation) for model in models]
    return record, [replace(model, frozen=before) for model, before in zip(after, frozen, strict=True)]


def _first_of(*sources: PixelSource | None) -> PixelSource:
    def decoded(digest: str, size: int) -> Pixels | None:
        found = (source(digest, size) for source in sources if source is not None)
        return next((pixels for pixels in found if pixels is not None), None)

    return decoded


def backbone_record(backbone: Backbone) -> BackboneRecord:
    """What a model's card and the report say of its backbone.

    Raises:
        EdgeretrainError: the backbone's own card is damaged.
    """
    try:
        return from_json(BackboneRecord, {**backbone.card, "sha256": backbone.digest})
    except RecordError as problem:
        raise EdgeretrainError(
            f"{backbone.path}: the card of this backbone is damaged ({problem}). Build or import the backbone again."
        ) from None
