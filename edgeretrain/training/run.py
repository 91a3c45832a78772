"""From the bottlenecks of a data set to proven model files in a run folder: `retrain` and `teach` are both a `Run`."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from edgeretrain.backbone import Backbone
from edgeretrain.data.dataset import Dataset, label_indices
from edgeretrain.data.photos import Photo
from edgeretrain.evaluation.evaluate import predict
from edgeretrain.evaluation.metrics import Evaluation, compute_metrics
from edgeretrain.features.extract import require_all
from edgeretrain.features.inference import InferenceModel, PixelSource
from edgeretrain.features.store import write_bottlenecks
from edgeretrain.files.fingerprint import sha256
from edgeretrain.files.run_folder import LABELS_FILE, PAGE_FILE, REPORT_FILE, bottleneck_file, model_file
from edgeretrain.head.softmax import Floats, Head
from edgeretrain.options import Options
from edgeretrain.progress import Progress
from edgeretrain.records.card import Card, PhotoCounts
from edgeretrain.records.files import json_text
from edgeretrain.records.json_form import to_json
from edgeretrain.records.training import BackboneRecord, ModelRecord, PhotoRecord, Report, SkippedPhoto, TaughtChanges
from edgeretrain.report import render_page
from edgeretrain.report.figures import mistaken
from edgeretrain.report.thumbnail import Thumbnails
from edgeretrain.tflite.classifier_file import write_classifier
from edgeretrain.tflite.package import labels_text
from edgeretrain.tflite.runtime import Network, Runtime
from edgeretrain.tflite.ungraft import HeadModel
from edgeretrain.threads import available_cores
from edgeretrain.training.heads import FittedHead, feature_set, fit_head
from edgeretrain.version import __version__

_MOST_VALUES = 1 << 25
"""Numbers in the bottlenecks that heads are fitted to at the same time: 128 MiB, and a fit makes two more copies."""
_LONGEST = 8192
"""Numbers in a bottleneck, at most: sets of photos that are small even so need not be looked at."""


@dataclass(frozen=True)
class ModelPlan:
    """A model that a run is to make.

    Attributes:
        backbone: what its head is appended to.
        origin: of the backbone, for the card and the report.
        features: bottlenecks float32 `[n, d]` of photos of the data set, as they are or mirrored.
        makers: see `features.store.maker`.
        history: what each teach changed, for the card; None: the model was not taught.
        trained_with: a head that was trained together with the backbone.
    """

    backbone: Backbone
    origin: BackboneRecord
    features: Callable[[Sequence[Photo], bool], Floats]
    makers: tuple[str, ...]
    history: tuple[TaughtChanges, ...] | None = None
    trained_with: Head | None = None


@dataclass(frozen=True)
class TrainedModel:
    """A model file that was written.

    Attributes:
        plan: what was asked for.
        path: the file, in the run folder that is being written.
        size: side of its input, pixels.
        tested: bottlenecks `[t, d]` of the test photos that only these are known of; see `Run.known`.
    """

    plan: ModelPlan
    path: Path
    size: int
    fitted: FittedHead
    tested: Floats


@dataclass(frozen=True)
class Run:
    """A run folder in the making.

    Attributes:
        folder: where it is written.
        known: names of photos that are gone: of them there are bottlenecks, no pixels.
        keep_bottlenecks: write them beside each model.
        decoded: pixels of test photos that need not be decoded again.
        thumbnails: of photos for the page; several runs on the same photos may share them.
    """

    folder: Path
    dataset: Dataset
    options: Options
    runtime: Runtime
    workers: int | None
    progress: Progress
    known: frozenset[str] = frozenset()
    keep_bottlenecks: bool = True
    decoded: PixelSource | None = None
    thumbnails: Thumbnails = field(default_factory=Thumbnails)

    def train(self, plans: Sequence[ModelPlan]) -> list[TrainedModel]:
        """Fit the heads, side by side on all cores, and write the model files and their bottlenecks.

        Raises:
            EdgeretrainError: see `fit_head` and `write_classifier`.
        """
        side_by_side = max(1, min(self.workers or available_cores(), len(plans), self._room(plans)))
        with ThreadPoolExecutor(side_by_side, thread_name_prefix="head") as threads:
            futures = [threads.submit(self._train, plan) for plan in plans]
            return [future.result() for future in futures]

    def _room(self, plans: Sequence[ModelPlan]) -> int:
        """How many of these fits have room in memory at the same time."""
        photos = self.dataset.photos
        if len(photos) * len(plans) * _LONGEST <= _MOST_VALUES:
            return len(plans)
        length = max(len(plan.features(photos[:1], False)[0]) for plan in plans)
        return _MOST_VALUES // (length * len(photos))

    def _train(self, plan: ModelPlan) -> TrainedModel:
        backbone, split = plan.backbone, self.dataset.split
        values = plan.features(self.dataset.photos, False)
        mirrored = plan.features(split.training + split.validation, True) if self.options.flip_left_right else None
        features = feature_set(self.dataset, values, mirrored)
        with ThreadPoolExecutor(1, thread_name_prefix="keep") as beside:  # compresses while this thread fits
            written = beside.submit(self._keep, plan, values, mirrored) if self.keep_bottlenecks else None
            fitted = fit_head(
                features,
                self.options,
                trained_with=plan.trained_with,
                tried=partial(self.progress, f"Head {backbone.preset} {backbone.precision}"),
            )
            if written is not None:
                written.result()
        card = Card(
            edgeretrain=__version__,
            preset=backbone.preset,
            precision=backbone.precision,
            fit=self.options.fit,
            reject_below=fitted.reject_below,
            backbone=plan.origin,
            head=fitted.record,
            photos=PhotoCounts(
                training=len(split.training), validation=len(split.validation), testing=len(split.testing)
            ),
            taught=plan.history,
        )
        path = self.folder / model_file(backbone.precision)
        path.write_bytes(
            write_classifier(
                backbone.path,
                fitted.head,
                backbone.precision,
                features.values[features.all_learnt],
                labels=self.dataset.labels,
                card=to_json(card),
            )
        )
        size = backbone.size or Network(path, runtime=self.runtime).size
        return TrainedModel(plan, path, size, fitted, values[self.dataset.rows(self._known(split.testing))])

    def _keep(self, plan: ModelPlan, values: Floats, mirrored: Floats | None) -> None:
        write_bottlenecks(
            self.folder / bottleneck_file(plan.backbone.precision),
            self.dataset.photo_set,
            self.dataset.split,
            values,
            mirrored,
            backbone=plan.origin.sha256,
            makers=plan.makers,
            options=asdict(self.options),
        )

    def _known(self, photos: Sequence[Photo]) -> list[Photo]:
        return [photo for photo in photos if photo.name in self.known]

    def evaluate(self, models: Sequence[TrainedModel]) -> list[Evaluation]:
        """Run every written file on the test photos; of photos that are gone, its head on their bottlenecks.

        Raises:
            EdgeretrainError: a photo changed.
        """
        testing = self.dataset.split.testing
        there = [photo for photo in testing if photo.name not in self.known]
        scores = [np.empty((len(testing), len(self.dataset.labels)), np.float32) for _ in models]
        rows = {photo.name: row for row, photo in enumerate(testing)}
        if there:
            found = predict(
                [InferenceModel(model.path, model.size) for model in models],
                there,
                fit=self.options.fit,
                decoded=self.decoded,
                workers=self.workers,
                runtime=self.runtime,
                progress=self.progress,
            )
            require_all(found.skipped)
            for own, probabilities in zip(scores, found.probabilities, strict=True):
                own[[rows[photo.name] for photo in there]] = probabilities
        gone = self._known(testing)
        if gone:
            for own, model in zip(scores, models, strict=True):
                head = HeadModel(model.path, runtime=self.runtime)
                own[[rows[photo.name] for photo in gone]] = head(model.tested)
        reference = scores[0] if models[0].plan.backbone.precision == "float32" else None
        return [compute_metrics(own, testing, self.dataset.labels, float32=reference) for own in scores]

    def write_report(self, report: Report, pictures: Mapping[str, Path]) -> None:
        """Write labels.txt, report.json and report.html; `pictures` are the photos that are there, by name."""
        labels = labels_text(report.photos.labels)
        (self.folder / LABELS_FILE).write_text(labels, encoding="utf-8", newline="\n")
        page = render_page(report, self.thumbnails.of(pictures, [entry.photo for entry in mistaken(report)]))
        (self.folder / PAGE_FILE).write_text(page, encoding="utf-8", newline="\n")
        (self.folder / REPORT_FILE).write_text(json_text(report), encoding="utf-8", newline="\n")


def model_record(model: TrainedModel, evaluation: Evaluation) -> ModelRecord:
    """The entry of a model in the report."""
    return ModelRecord(
        precision=model.plan.backbone.precision,
        file=model.path.name,
        bytes=model.path.stat().st_size,
        sha256=sha256(model.path),
        backbone=model.plan.origin,
        head=model.fitted.record,
        reject_below=model.fitted.reject_below,
        evaluation=evaluation,
    )


def photo_record(dataset: Dataset, digest: str) -> PhotoRecord:
    """How many photos there were, and which could not be used.

    Args:
        digest: of the photos that were found; see `PhotoSet.digest`.
    """

    def per_class(photos: Sequence[Photo]) -> dict[str, int]:
        counts = np.bincount(label_indices(dataset.labels, photos), minlength=len(dataset.labels))
        return {label: int(count) for label, count in zip(dataset.labels, counts, strict=True)}

    return PhotoRecord(
        digest=digest,
        labels=dataset.labels,
        training=per_class(dataset.split.training),
        validation=per_class(dataset.split.validation),
        testing=per_class(dataset.split.testing),
        skipped=tuple(SkippedPhoto(photo=entry.name, reason=entry.reason) for entry in dataset.photo_set.skipped),
        warnings=dataset.photo_set.warnings,
    )
