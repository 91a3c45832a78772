"""The photos of a model that is taught: the old ones that stay, known by their bottlenecks, and the new ones."""

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from edgeretrain.data.class_names import alike_key, check_label, is_class_folder_name
from edgeretrain.data.dataset import Dataset
from edgeretrain.data.photos import (
    Photo,
    PhotoFile,
    PhotoSet,
    check_readable,
    list_class_photos,
    photo_warnings,
    sorted_photos,
)
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.extract import Extraction
from edgeretrain.training.earlier_run import EarlierRun


@dataclass(frozen=True)
class TaughtPhotos:
    """Old photos that stay, and new ones.

    Attributes:
        dataset: all of them; old ones stay in the sets that they were in.
        fresh: the new ones.
    """

    dataset: Dataset
    fresh: tuple[Photo, ...]

    @cached_property
    def known_names(self) -> frozenset[str]:
        """The names of the old ones."""
        return frozenset(photo.name for photo in self.dataset.photos) - {photo.name for photo in self.fresh}


def list_fresh_photos(labels: tuple[str, ...], added: Mapping[str, Sequence[Path]]) -> list[PhotoFile]:
    """The photos that are added, class by class. Opens none of them.

    Args:
        labels: of the new model.
        added: folders of photos and photos, by class.

    Raises:
        EdgeretrainError: there is no such photo or folder, or a folder holds no photos or holds folders of classes.
    """
    files: list[PhotoFile] = []
    for label, sources in sorted(added.items()):
        own = list_class_photos(label, sources)
        _check_own_folder(label, labels, own)
        files += sorted(own, key=lambda file: (file.name, str(file.path)))
    return files


def old_photos(run: EarlierRun, removed: frozenset[str]) -> list[Photo]:
    """The photos of an earlier run that stay."""
    return [photo for photo in run.listing.photos if photo.label not in removed]


def gather_photos(
    run: EarlierRun,
    labels: tuple[str, ...],
    removed: frozenset[str],
    extraction: Extraction,
    made_by: str,
    strict: bool,
) -> TaughtPhotos:
    """The old photos that stay, and the new ones under names that no old one has.

    Args:
        labels: of the new model.
        removed: classes whose photos do not stay.
        extraction: what became of the photos that are added.
        made_by: see `features.store.maker`.
        strict: a photo that cannot be read is an error.

    Raises:
        EdgeretrainError: there are no new photos, or a new class has none that can be read, or too few.
    """
    old = old_photos(run, removed)
    known = {(photo.label, photo.digest) for photo in old}
    digests = {photo.name: photo.digest for photo in old}
    fresh: list[Photo] = []
    warnings: list[str] = []
    again: Counter[str] = Counter()
    for photo in extraction.photos:
        label = photo.label
        if (label, photo.digest) in known:
            again[label] += 1
            continue
        name, number = photo.name, 1
        while digests.get(name, photo.digest) != photo.digest:  # cameras count from 1 again
            number += 1
            name = f"{label}/{number}/{photo.name.removeprefix(f'{label}/')}"
        if name not in digests:
            digests[name] = photo.digest
            fresh.append(replace(photo, name=name))
    for label, count in sorted(again.items()):
        warnings.append(f"Class {label!r}: photos that the model knew already, left as they were: {count}.")
    foreign = sorted({other for other in run.listing.makers if _arithmetic(other) != _arithmetic(made_by)})
    if foreign and fresh:
        warnings.append(
            f"The bottlenecks of the old photos were made with {_arithmetic(foreign[0])}, those of the new ones with "
            f"{_arithmetic(made_by)}. These may round differently; the figures of old photos are of the former."
        )
    photos, skipped = sorted_photos([*old, *fresh]), extraction.skipped
    check_readable(labels, photos, skipped, strict)
    if not fresh and not removed:
        why = f"none of these photos can be read ({skipped[0].name}: {skipped[0].reason})" if skipped else ""
        raise EdgeretrainError(
            f"There is nothing to teach: {why or 'the model knows all these photos already'}. Add others."
        )
    warnings += photo_warnings(labels, photos)
    photo_set = PhotoSet(labels, photos, skipped, tuple(warnings))
    pinned = {photo.name: run.listing.subsets[photo.name] for photo in old}
    return TaughtPhotos(Dataset(photo_set, run.options.split(photo_set, pinned)), tuple(fresh))


def _arithmetic(made_by: str) -> str:
    """The runtime and pixels of a maker; versions of Pillow hardly differ."""
    return re.sub(r", Pillow [^,]*", "", made_by)


def _check_own_folder(label: str, labels: Sequence[str], photos: Sequence[PhotoFile]) -> None:
    """Refuse a folder of class folders: all its photos would become one class."""
    inner = {photo.name.split("/")[1] for photo in photos if photo.name.count("/") > 1}.intersection(labels)
    if inner:
        raise EdgeretrainError(
            f"The folder given for class {label!r} holds the folder {min(inner)!r}, named like a class. Give the "
            f"folder with the photos of {label!r} only."
        )


def taught_labels(run: EarlierRun, added: Mapping[str, Sequence[Path]], remove: Sequence[str]) -> tuple[str, ...]:
    """The classes of the new model, sorted.

    Raises:
        EdgeretrainError: a class that is removed is not there, one that is added cannot have its name, or too few stay.
    """
    before = run.listing.labels
    if not added and not remove:
        raise EdgeretrainError("There is nothing to teach. Give --add CLASS with photos, or --remove CLASS.")
    for label in remove:
        if label not in before:
            raise EdgeretrainError(f"{run.folder}: has no class {label!r} to remove. {_meant(label, before)}")
    kept = [label for label in before if label not in remove]
    if not kept:
        raise EdgeretrainError("No class of the model would stay. Make a new one with `edgeretrain retrain`.")
    by_key = {alike_key(label): label for label in kept}
    for label, sources in added.items():
        if not sources:
            raise EdgeretrainError(f"--add {label!r}: no photos are given. Add a folder of photos, or photos.")
        if label in kept:
            continue
        if not is_class_folder_name(label) or "/" in label or "\0" in label:
            raise EdgeretrainError(
                f"--add {label!r}: no class can have this name, as no folder of photos could. Choose another name."
            )
        if alike_key(label) in by_key:
            raise EdgeretrainError(
                f"--add {label!r}: the model has the class {by_key[alike_key(label)]!r}. Give this name to add photos "
                "to that class, or choose one that differs in more than case."
            )
        check_label(label, "--add", "Choose another name.")
        by_key[alike_key(label)] = label
    labels = tuple(sorted(by_key.values()))
    if len(labels) < 2:
        raise EdgeretrainError(
            f"Without {', '.join(remove)} there is one class left; a classifier needs two or more. Remove fewer."
        )
    return labels


def _meant(label: str, labels: Sequence[str]) -> str:
    near = difflib.get_close_matches(label, labels, 1) or [
        known for known in labels if alike_key(known) == alike_key(label)
    ]
    some = ", ".join(labels[:20]) + (", ..." if len(labels) > 20 else "")
    return f"The nearest is {near[0]!r}." if near else f"Its classes are {some}."
