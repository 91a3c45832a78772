"""Bottlenecks -> head -> model file, and how a run is told: what `retrain` and `teach` have in common."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.backbone import Backbone
from edgeretrain.data.dataset import label_indices
from edgeretrain.data.photos import Photo, PhotoSet
from edgeretrain.data.split import Split
from edgeretrain.evaluation.evaluate import Evaluation
from edgeretrain.features.store import write_bottlenecks
from edgeretrain.files.fingerprint import sha256
from edgeretrain.files.run_folder import LABELS_FILE, PAGE_FILE, REPORT_FILE, bottleneck_file, model_file
from edgeretrain.head.blend import blend, choose_blend
from edgeretrain.head.logistic import choose_logistic, fit_logistic
from edgeretrain.head.rejection import reject_below
from edgeretrain.head.sgd import fit_sgd
from edgeretrain.head.softmax import Floats, Head, Rows, photo_weights
from edgeretrain.options import Options
from edgeretrain.progress import Progress
from edgeretrain.report import mistaken, render_page, thumbnails
from edgeretrain.tflite.classifier_file import write_classifier
from edgeretrain.tflite.package import labels_text
from edgeretrain.version import __version__


@dataclass(frozen=True)
class Material:
    """What one backbone made of the photos of a run.

    Attributes:
        values: bottlenecks `[n, d]`, a row per photo of the set.
        mirrored: `[m, d]` of the mirrored photos, those of training and then those of validation; None without.
        makers: see `bottleneck_file.maker`.
    """

    photo_set: PhotoSet
    split: Split
    values: Floats
    mirrored: Floats | None
    makers: tuple[str, ...]

    def rows(self, photos: Sequence[Photo]) -> Rows:
        """Where the bottlenecks of these photos are."""
        # Not by name alone: names that are no UTF-8 may be shown alike.
        position = {(photo.name, photo.digest): index for index, photo in enumerate(self.photo_set.photos)}
        return np.array([position[photo.name, photo.digest] for photo in photos], np.int64)


@dataclass(frozen=True)
class Fitted:
    """A head, how it came about, and the score below which it should say "none of these"."""

    head: Head
    record: dict[str, Any]
    reject_below: float


@dataclass(frozen=True)
class Workshop:
    """Where the models of a run are made.

    Attributes:
        folder: the run folder that is being written.
        keep_bottlenecks: write them beside each model.
    """

    folder: Path
    options: Options
    keep_bottlenecks: bool
    progress: Progress

    def make_model(
        self,
        backbone: Backbone,
        material: Material,
        *,
        origin: dict[str, Any],
        history: dict[str, Any],
        trained: Head | None = None,
    ) -> Fitted:
        """Fit a head and write the model file, and the bottlenecks beside it.

        Args:
            backbone: the file that the material came from.
            origin: of the backbone, for the card and the report.
            history: more for the card.
            trained: a head that was trained with the backbone; see `fine_tuning.heads`.
        """
        with ThreadPoolExecutor(1) as beside:  # one core compresses while another fits
            written = beside.submit(self._keep, backbone, material, origin) if self.keep_bottlenecks else None
            step = f"Head {backbone.preset} {backbone.precision}"
            values, labels, training, validation, refit = _lessons(material)
            classes = len(material.photo_set.labels)
            fitted = self._fit(step, values, labels, training, validation, refit, classes, trained)
            if written is not None:
                written.result()
        card = {
            "edgeretrain": __version__,
            "preset": backbone.preset,
            "precision": backbone.precision,
            "fit": self.options.fit,
            "reject_below": fitted.reject_below,
            "backbone": origin,
            "head": fitted.record,
            "photos": {place: len(getattr(material.split, place)) for place in ("training", "validation", "testing")},
            **history,
        }
        content = write_classifier(
            backbone.path,
            fitted.head,
            backbone.precision,
            values[refit],
            labels=material.photo_set.labels,
            card=card,
        )
        (self.folder / model_file(backbone.precision)).write_bytes(content)
        return fitted

    def _keep(self, backbone: Backbone, material: Material, origin: dict[str, Any]) -> None:
        write_bottlenecks(
            self.folder / bottleneck_file(backbone.precision),
            material.photo_set,
            material.split,
            material.values,
            material.mirrored,
            backbone=origin["sha256"],
            makers=material.makers,
            options=asdict(self.options),
        )

    def _fit(
        self,
        step: str,
        values: Floats,
        labels: Rows,
        training: Rows,
        validation: Rows,
        refit: Rows,
        classes: int,
        trained_with: Head | None,
    ) -> Fitted:
        weight = self.options.class_weight
        if self.options.sgd is not None:
            sgd = self.options.sgd
            head = fit_sgd(values, labels, training, classes, sgd, class_weight=weight, seed=self.options.seed)
            scores = head.probabilities(values[validation])
            right = scores.argmax(axis=1) == labels[validation]
            record = {"method": "SGD, as retrain.py", **asdict(sgd), "validation_top1": float(right.mean())}
            return Fitted(head, record, reject_below(scores, labels[validation]))
        trained, choice = choose_logistic(
            values, labels, training, validation, classes, class_weight=weight, tried=partial(self.progress, step)
        )
        record = {"method": "L2 logistic regression", **asdict(choice)}
        # The validation photos have chosen the strength; now they may teach, too (benchmarks/heads.md: +0.3 points).
        head = fit_logistic(values, labels, refit, classes, l2=choice.l2, class_weight=weight)
        if trained_with is not None:
            expected = labels[validation]
            weights = photo_weights(expected, classes, weight)
            blended = choose_blend(trained_with, trained, values[validation], expected, weights)
            trained, head = (blend(trained_with, one, blended.temperature) for one in (trained, head))
            record |= {"method": "L2 logistic regression, averaged with the fine-tuned head", **asdict(blended)}
        # Of the head that has not seen the validation photos; the one that ships is fitted to them as well.
        threshold = reject_below(trained.probabilities(values[validation]), labels[validation])
        return Fitted(head, record, threshold)

    def model_record(
        self, backbone: Backbone, fitted: Fitted, evaluation: Evaluation, origin: dict[str, Any]
    ) -> dict[str, Any]:
        """The entry of a model in the report."""
        path = self.folder / model_file(backbone.precision)
        return {
            "precision": backbone.precision,
            "file": path.name,
            "bytes": path.stat().st_size,
            "sha256": sha256(path),
            "backbone": origin,
            "head": fitted.record,
            "reject_below": fitted.reject_below,
            "evaluation": evaluation.as_dict(),
        }

    def write_report(self, report: dict[str, Any], pictures: Mapping[str, Path]) -> None:
        """Write labels.txt, report.json and report.html; `pictures` are the photos that are there, by name."""
        labels = labels_text(tuple(report["photos"]["labels"]))
        (self.folder / LABELS_FILE).write_text(labels, encoding="utf-8", newline="\n")
        page = render_page(report, thumbnails(pictures, [one.photo for one in mistaken(report)]))
        (self.folder / PAGE_FILE).write_text(page, encoding="utf-8", newline="\n")
        text = json.dumps(report, indent=1, ensure_ascii=False)
        (self.folder / REPORT_FILE).write_text(text + "\n", encoding="utf-8", newline="\n")


def _lessons(material: Material) -> tuple[Floats, Rows, Rows, Rows, Rows]:
    """Bottlenecks, labels, and the rows to train on, to validate on, and to fit the final head to."""
    split, values = material.split, material.values
    labels = label_indices(material.photo_set.labels, material.photo_set.photos)
    training, validation = material.rows(split.training), material.rows(split.validation)
    if material.mirrored is None:
        return values, labels, training, validation, np.concatenate([training, validation])
    start = len(values)
    values = np.concatenate([values, material.mirrored])
    labels = np.concatenate([labels, labels[np.concatenate([training, validation])]])
    training = np.concatenate([training, np.arange(start, start + len(training))])
    refit = np.concatenate([training, validation, np.arange(start + len(split.training), len(values))])
    return values, labels, training, validation, refit


def photo_record(photo_set: PhotoSet, split: Split) -> dict[str, Any]:
    """The photos of a run in its report."""

    def per_class(photos: Sequence[Photo]) -> dict[str, int]:
        counts = np.bincount(label_indices(photo_set.labels, photos), minlength=len(photo_set.labels))
        return {label: int(count) for label, count in zip(photo_set.labels, counts, strict=True)}

    return {
        "digest": photo_set.digest,
        "labels": list(photo_set.labels),
        "training": per_class(split.training),
        "validation": per_class(split.validation),
        "testing": per_class(split.testing),
        "skipped": [{"photo": one.name, "reason": one.reason} for one in photo_set.skipped],
        "warnings": list(photo_set.warnings),
    }
