"""The main job: a folder of photos -> proven .tflite files in a run folder."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.backbone import Backbone, cache_folder, find_backbones
from edgeretrain.backbone.artifact import sha256
from edgeretrain.bottlenecks import compute_bottlenecks
from edgeretrain.errors import EdgeretrainError
from edgeretrain.evaluate import judge, predict
from edgeretrain.head import ClassWeight, Floats, Head, Rows, Sgd, choose_logistic, fit_logistic, fit_sgd
from edgeretrain.photos import Photo, PhotoSet, Skipped, find_photos
from edgeretrain.pixels import Fit
from edgeretrain.presets import DEFAULT_PRESET, PRECISIONS, Precision, get_preset
from edgeretrain.progress import Progress, silent
from edgeretrain.rejection import reject_below
from edgeretrain.report import mistaken, render_page, thumbnails
from edgeretrain.run_folder import LABELS_FILE, PAGE_FILE, REPORT_FILE, check_apart, model_file, new_run_folder
from edgeretrain.split import Split, split_photos
from edgeretrain.tflite.model import write_classifier
from edgeretrain.tflite.package import labels_text
from edgeretrain.tflite.runtime import Runtime, load_runtime
from edgeretrain.version import __version__


@dataclass(frozen=True)
class Options:
    """What a retrain can be told. `report.json` repeats it.

    Attributes:
        fit: how a photo is made square: `squash` or `crop`.
        validation_percentage, testing_percentage: share of the photos held out, for choosing the head's strength and
            for the verdict.
        class_weight: `balanced` gives every class the same say, `none` every photo.
        flip_left_right: train on the mirrored photos too.
        sgd: train the head as retrain.py did, in place of logistic regression.
        seed: of SGD; logistic regression and the split have no chance in them.
    """

    fit: Fit = "squash"
    validation_percentage: float = 10
    testing_percentage: float = 10
    class_weight: ClassWeight = "balanced"
    flip_left_right: bool = False
    sgd: Sgd | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("validation_percentage", "testing_percentage"):  # 10 and 10.0 are the same run: the same report
            object.__setattr__(self, name, float(getattr(self, name)))


def retrain(
    photos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    preset: str = DEFAULT_PRESET,
    precisions: Sequence[Precision] = ("float32", "int8"),
    backbone: str | os.PathLike[str] | None = None,
    options: Options | None = None,
    strict: bool = False,
    cache: str | os.PathLike[str] | None = None,
    runtime: str | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Retrain a classifier on a folder of photos, one sub-folder per class, and prove it on held-out photos.

    Writes `model.<precision>.tflite` for each precision, `labels.txt`, `report.json` and `report.html` to the folder
    `out`: all of it or nothing. The same photos, options and versions give the same bytes.

    Args:
        preset: which backbone; see `edgeretrain.presets`.
        precisions: of the models; each gets a head trained on the bottlenecks of its own backbone.
        backbone: a .tflite feature extractor of your own in place of a preset's; one precision only.
        strict: refuse to go on when a photo cannot be read.
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
    get_preset(preset)
    check_apart(Path(photos), Path(out))
    loaded = load_runtime(runtime)
    with new_run_folder(Path(out)) as folder:
        photo_set = find_photos(photos, strict=strict, progress=progress)
        digest = photo_set.digest
        _split(photo_set, options)  # a class with too few photos is told before any work
        own = Path(backbone) if backbone else None
        backbones = find_backbones(preset, precisions, backbone=own, progress=progress)
        runner = _Run(options, folder, Path(cache) if cache else cache_folder(), loaded, workers, progress)
        heads = []
        for one in backbones:
            photo_set, fitted = runner.make_model(one, photo_set, strict)
            heads.append(fitted)
        split = _split(photo_set, options)
        models = runner.prove(backbones, heads, photo_set, split)
        report = {
            "edgeretrain": __version__,
            "preset": None if backbone else get_preset(preset).name,
            "runtime": str(loaded),
            "options": asdict(options),
            "photos": {"digest": digest, **_photo_record(photo_set, split)},
            "models": models,
        }
        _write_report(folder, report, split.testing)
    return report


def _in_table_order(precisions: Sequence[Precision]) -> list[Precision]:
    unknown = sorted(set(precisions) - set(PRECISIONS))
    if unknown or not precisions:
        which = repr(unknown[0]) if unknown else "given"
        raise EdgeretrainError(f"There is no precision {which}. Use one of {', '.join(PRECISIONS)}.")
    return [precision for precision in PRECISIONS if precision in precisions]


def _split(photo_set: PhotoSet, options: Options) -> Split:
    return split_photos(
        photo_set,
        validation_percentage=options.validation_percentage,
        testing_percentage=options.testing_percentage,
    )


@dataclass(frozen=True)
class _Fitted:
    """A head, how it came about, and the score below which it should say "none of these"."""

    head: Head
    record: dict[str, Any]
    reject_below: float


@dataclass(frozen=True)
class _Run:
    """What every precision of one retrain shares."""

    options: Options
    folder: Path
    cache: Path
    runtime: Runtime
    workers: int | None
    progress: Progress

    def make_model(self, backbone: Backbone, photo_set: PhotoSet, strict: bool) -> tuple[PhotoSet, _Fitted]:
        """Write the model of one backbone; the photos that could be decoded, and how the head came about."""
        bottlenecks = self._bottlenecks(photo_set.photos, backbone, flip=False)
        values = bottlenecks.values
        if bottlenecks.skipped:
            unreadable = {one.name for one in bottlenecks.skipped}
            values = values[[index for index, photo in enumerate(photo_set.photos) if photo.name not in unreadable]]
            photo_set = photo_set.without(bottlenecks.skipped, strict=strict)
        split = _split(photo_set, self.options)
        labels = _label_indices(photo_set, photo_set.photos)
        training, validation = _rows(photo_set, split.training), _rows(photo_set, split.validation)
        if self.options.flip_left_right:
            mirror = self._bottlenecks(split.training + split.validation, backbone, flip=True)
            _require_all(mirror.skipped)
            flipped = mirror.values
            mirrored = np.concatenate([training, validation])
            start = len(values)
            values = np.concatenate([values, flipped])
            labels = np.concatenate([labels, labels[mirrored]])
            training = np.concatenate([training, np.arange(start, start + len(training))])
            refit = np.concatenate([training, validation, np.arange(start + len(split.training), len(values))])
        else:
            refit = np.concatenate([training, validation])
        step = f"Head {backbone.preset} {backbone.precision}"
        fitted = self._fit(step, values, labels, training, validation, refit, len(photo_set.labels))
        content = write_classifier(
            backbone.path,
            fitted.head,
            backbone.precision,
            values[refit],
            labels=photo_set.labels,
            card=self._card(backbone, fitted, split),
        )
        (self.folder / model_file(backbone.precision)).write_bytes(content)
        return photo_set, fitted

    def _bottlenecks(self, photos: Sequence[Photo], backbone: Backbone, *, flip: bool) -> Any:
        return compute_bottlenecks(
            photos,
            backbone,
            fit=self.options.fit,
            flip=flip,
            cache=self.cache,
            workers=self.workers,
            runtime=self.runtime,
            progress=self.progress,
        )

    def _fit(
        self, step: str, values: Floats, labels: Rows, training: Rows, validation: Rows, refit: Rows, classes: int
    ) -> _Fitted:
        weight = self.options.class_weight
        if self.options.sgd is not None:
            sgd = self.options.sgd
            head = fit_sgd(values, labels, training, classes, sgd, class_weight=weight, seed=self.options.seed)
            scores = head.probabilities(values[validation])
            right = scores.argmax(axis=1) == labels[validation]
            record = {"method": "SGD, as retrain.py", **asdict(sgd), "validation_top1": float(right.mean())}
            return _Fitted(head, record, reject_below(scores, labels[validation]))
        trained, choice = choose_logistic(
            values, labels, training, validation, classes, class_weight=weight, tried=partial(self.progress, step)
        )
        # Of the head that has not seen the validation photos; the one that ships is fitted to them as well.
        threshold = reject_below(trained.probabilities(values[validation]), labels[validation])
        # The validation photos have chosen the strength; now they may teach, too (benchmarks/heads.md: +0.3 points).
        head = fit_logistic(values, labels, refit, classes, l2=choice.l2, class_weight=weight)
        return _Fitted(head, {"method": "L2 logistic regression", **asdict(choice)}, threshold)

    def _card(self, backbone: Backbone, fitted: _Fitted, split: Split) -> dict[str, Any]:
        return {
            "edgeretrain": __version__,
            "preset": backbone.preset,
            "precision": backbone.precision,
            "fit": self.options.fit,
            "reject_below": fitted.reject_below,
            "backbone": _backbone_record(backbone),
            "head": fitted.record,
            "photos": {
                "training": len(split.training),
                "validation": len(split.validation),
                "testing": len(split.testing),
            },
        }

    def prove(
        self, backbones: Sequence[Backbone], heads: Sequence[_Fitted], photo_set: PhotoSet, split: Split
    ) -> list[dict[str, Any]]:
        """Run every written file on the test photos; one entry of the report per file."""
        paths = [self.folder / model_file(backbone.precision) for backbone in backbones]
        probabilities, photos, skipped = predict(
            paths,
            split.testing,
            fit=self.options.fit,
            workers=self.workers,
            runtime=self.runtime,
            progress=self.progress,
        )
        _require_all(skipped)
        reference = probabilities[0] if backbones[0].precision == "float32" else None
        return [
            {
                "precision": backbone.precision,
                "file": path.name,
                "bytes": path.stat().st_size,
                "sha256": sha256(path),
                "backbone": _backbone_record(backbone),
                "head": fitted.record,
                "reject_below": fitted.reject_below,
                "evaluation": judge(scores, photos, photo_set.labels, float32=reference).as_dict(),
            }
            for backbone, fitted, path, scores in zip(backbones, heads, paths, probabilities, strict=True)
        ]


def _require_all(skipped: Sequence[Skipped]) -> None:
    """Photos that could be read a moment ago can still be read."""
    if skipped:
        raise EdgeretrainError(f"{skipped[0].name}: this photo changed while edgeretrain was running. Run it again.")


def _backbone_record(backbone: Backbone) -> dict[str, Any]:
    kept = ("weights", "calibration", "converter")
    return {"sha256": backbone.digest, **{key: backbone.card[key] for key in kept if key in backbone.card}}


def _label_indices(photo_set: PhotoSet, photos: Sequence[Photo]) -> Rows:
    position = {label: index for index, label in enumerate(photo_set.labels)}
    return np.array([position[photo.label] for photo in photos], np.int64)


def _rows(photo_set: PhotoSet, photos: Sequence[Photo]) -> Rows:
    position = {photo.path: index for index, photo in enumerate(photo_set.photos)}
    return np.array([position[photo.path] for photo in photos], np.int64)


def _photo_record(photo_set: PhotoSet, split: Split) -> dict[str, Any]:
    def per_class(photos: Sequence[Photo]) -> dict[str, int]:
        counts = np.bincount(_label_indices(photo_set, photos), minlength=len(photo_set.labels))
        return {label: int(count) for label, count in zip(photo_set.labels, counts, strict=True)}

    return {
        "labels": list(photo_set.labels),
        "training": per_class(split.training),
        "validation": per_class(split.validation),
        "testing": per_class(split.testing),
        "skipped": [{"photo": one.name, "reason": one.reason} for one in photo_set.skipped],
        "warnings": list(photo_set.warnings),
    }


def _write_report(folder: Path, report: dict[str, Any], testing: Sequence[Photo]) -> None:
    (folder / LABELS_FILE).write_text(labels_text(tuple(report["photos"]["labels"])), encoding="utf-8", newline="\n")
    names = [one.photo for one in mistaken(report)]
    page = render_page(report, thumbnails({photo.name: photo.path for photo in testing}, names))
    (folder / PAGE_FILE).write_text(page, encoding="utf-8", newline="\n")
    text = json.dumps(report, indent=1, ensure_ascii=False)
    (folder / REPORT_FILE).write_text(text + "\n", encoding="utf-8", newline="\n")
