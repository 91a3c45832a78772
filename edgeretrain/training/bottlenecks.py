"""What a head learns from: the backbone's features, or these and the averages of inner layers; chosen by the photos.

A variant of the backbone with all inner layers goes through the one pass over the photos. The bottlenecks of the
backbone itself and of variants with fewer layers are its beginnings, so that choosing costs no other pass.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from edgeretrain.backbone import Backbone
from edgeretrain.backbone.multi_layer import NoInnerLayers, Variant, make_variant
from edgeretrain.data.dataset import Dataset, label_indices
from edgeretrain.data.photos import Photo
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.extract import Column, Extractor
from edgeretrain.head.folds import FOLDS, choose_narrowest, cross_validate, deal_folds, log_loss_difference
from edgeretrain.head.softmax import Floats
from edgeretrain.options import Options
from edgeretrain.records.json_form import to_json
from edgeretrain.records.training import BottleneckCandidate, BottleneckChoice
from edgeretrain.threads import available_cores

Bottleneck = Literal["features", "multi", "auto"]
"""The backbone's own output; that and inner layers; the one of the two that does better on these photos."""

MOST_PHOTOS = 2000
"""The choice is made on so many photos at most: with more, the folds cost minutes and say the same."""

FEWEST_PHOTOS = 10
"""Of a class, on average: with fewer, the folds cannot tell, and more features mostly do harm (benchmarks)."""


def check_bottleneck(kind: Bottleneck, options: Options, fine_tune: bool) -> None:
    """Refuse what does not go together with inner layers, before any work.

    Raises:
        EdgeretrainError: fine-tuning; a choice with gradient descent.
    """
    if kind != "features" and fine_tune:
        raise EdgeretrainError(
            f"--fine-tune trains a head on the last layer only, so it does not go with --bottleneck {kind}. Leave one "
            "of them out."
        )
    if kind == "auto" and options.sgd is not None:
        raise EdgeretrainError(
            "--bottleneck auto compares heads by logistic regression, not by --how-many-training-steps. Use "
            "--bottleneck multi or features, or leave the steps out."
        )


@contextlib.contextmanager
def temporary_folder(folder: Path) -> Iterator[Path]:
    """A folder for files that are gone when the block ends; whoever writes to it makes it."""
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _Source:
    """Where the bottlenecks of a backbone come from: the first so many numbers of what another one gives."""

    backbone: Backbone
    length: int


@dataclass(frozen=True)
class Bottlenecks:
    """Backbones that wait for their choice, or have it.

    Attributes:
        backbones: what the heads are appended to.
        variants: with all inner layers, of each; None: this one stays as it is.
        sources: of the backbones, by path, that are not extracted themselves.
    """

    backbones: tuple[Backbone, ...]
    variants: tuple[Variant | None, ...]
    sources: Mapping[Path, _Source] = field(default_factory=dict)

    @classmethod
    def prepare(cls, kind: Bottleneck, backbones: Sequence[Backbone], folder: Path) -> "Bottlenecks":
        """Make the variants that are to be extracted.

        Raises:
            EdgeretrainError: with `multi`, a backbone without inner layers. With `auto` it stays as it is.
        """
        variants: list[Variant | None] = []
        for backbone in backbones:
            try:
                variants.append(None if kind == "features" else make_variant(backbone, folder / "all"))
            except NoInnerLayers:
                if kind == "multi":
                    raise
                variants.append(None)
        made = cls(tuple(backbones), tuple(variants))
        return replace(made, backbones=made.extracted) if kind == "multi" else made

    @property
    def extracted(self) -> tuple[Backbone, ...]:
        """The backbones that the photos go through."""
        pairs = zip(self.backbones, self.variants, strict=True)
        return tuple(backbone if variant is None else variant.backbone for backbone, variant in pairs)

    def choose(self, dataset: Dataset, extractor: Extractor, options: Options, folder: Path) -> "Bottlenecks":
        """For each backbone the bottleneck that does best on the photos for training and validation.

        By K-fold log loss; of two that a standard error cannot tell apart, the shorter one. With fewer than
        `FEWEST_PHOTOS` a class only the backbone's own is tried.
        """
        photos = _some(dataset.split.training + dataset.split.validation)
        workers = max(1, min(extractor.workers or available_cores(), len(self.backbones)))

        def chosen(place: int) -> tuple[Backbone, _Source | None]:
            plain, variant = self.backbones[place], self.variants[place]
            if variant is None:
                return plain, None
            extractor.progress(f"Choosing the bottleneck {plain.preset} {plain.precision}", 0, 1)
            choice = _choose(variant, dataset.labels, photos, extractor, options)
            extractor.progress(f"Choosing the bottleneck {plain.preset} {plain.precision}", 1, 1)
            backbone = plain
            if choice.chosen == len(variant.lengths) - 1:
                backbone = variant.backbone
            elif choice.chosen:
                backbone = make_variant(plain, folder / f"{choice.chosen}", stages=choice.chosen).backbone
            source = _Source(variant.backbone, variant.lengths[choice.chosen])
            told = replace(backbone, card={**backbone.card, "bottleneck_choice": to_json(choice)})
            return told, source if variant.exact or choice.chosen else None

        with ThreadPoolExecutor(workers, thread_name_prefix="choice") as threads:
            made = list(threads.map(chosen, range(len(self.backbones))))
        return Bottlenecks(
            tuple(backbone for backbone, _ in made),
            self.variants,
            {backbone.path: source for backbone, source in made if source is not None},
        )

    def features(self, extractor: Extractor, photos: Sequence[Photo], column: Column) -> Floats:
        """The bottlenecks of one of the backbones; see `Extractor.features`."""
        source = self.sources.get(column.backbone.path)
        if source is None:
            return extractor.features(photos, column)
        whole = extractor.features(photos, Column(source.backbone, column.flip))
        return np.ascontiguousarray(whole[:, : source.length])


def _choose(
    variant: Variant, labels: Sequence[str], photos: Sequence[Photo], extractor: Extractor, options: Options
) -> BottleneckChoice:
    lengths = variant.lengths if len(photos) >= FEWEST_PHOTOS * len(labels) else variant.lengths[:1]
    judged = cross_validate(
        extractor.features(photos, Column(variant.backbone)),
        label_indices(labels, photos),
        deal_folds(photos),
        len(labels),
        lengths=lengths,
        class_weight=options.class_weight,
    )
    best = min(judged, key=lambda one: one.log_loss)
    differences = [log_loss_difference(one, best) for one in judged]
    return BottleneckChoice(
        photos=len(photos),
        folds=FOLDS,
        chosen=choose_narrowest(judged),
        candidates=tuple(
            BottleneckCandidate(
                length=length,
                l2=one.l2,
                log_loss=one.log_loss,
                top1=one.top1,
                above_best=above.mean,
                standard_error=0.0 if one is best else above.standard_error,
            )
            for length, one, above in zip(lengths, judged, differences, strict=True)
        ),
    )


def _some(photos: Sequence[Photo]) -> list[Photo]:
    """At most `MOST_PHOTOS`, of every class the same share, by the hash of their bytes."""
    share = min(1.0, MOST_PHOTOS / len(photos))
    by_class: dict[str, list[Photo]] = {}
    for photo in sorted(photos, key=lambda photo: hashlib.sha256(photo.digest.encode()).digest()):
        by_class.setdefault(photo.label, []).append(photo)
    return [photo for own in by_class.values() for photo in own[: max(2, round(share * len(own)))]]
