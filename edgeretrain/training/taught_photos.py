"""The photos of a model that is taught: the old ones that stay, known by their bottlenecks, and the new ones."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from edgeretrain.data.photos import (
    Photo,
    PhotoSet,
    Skipped,
    alike_key,
    check_label,
    check_readable,
    find_class_photos,
    is_class_folder_name,
    photo_warnings,
)
from edgeretrain.data.split import Split
from edgeretrain.errors import EdgeretrainError
from edgeretrain.progress import Progress
from edgeretrain.training.earlier_run import EarlierRun


@dataclass(frozen=True)
class TaughtPhotos:
    """Old photos that stay and new ones.

    Attributes:
        photo_set: all of them.
        fresh: the new ones.
    """

    photo_set: PhotoSet
    fresh: tuple[Photo, ...]

    @cached_property
    def fresh_names(self) -> set[str]:
        """The names of the new ones."""
        return {photo.name for photo in self.fresh}

    def new_of(self, photos: Sequence[Photo]) -> list[Photo]:
        """Those of the photos that are new, in the same order."""
        return [photo for photo in photos if photo.name in self.fresh_names]

    def old_of(self, photos: Sequence[Photo]) -> list[Photo]:
        """Those of the photos that the earlier run knew, in the same order."""
        return [photo for photo in photos if photo.name not in self.fresh_names]

    def split(self, run: EarlierRun) -> Split:
        """Old photos stay in the sets that they were in; new ones fall as in a retrain."""
        settled = {photo.name: run.listing.places[photo.name] for photo in self.old_of(self.photo_set.photos)}
        return run.options.split(self.photo_set, settled)

    def without(self, skipped: Sequence[Skipped], strict: bool) -> "TaughtPhotos":
        """The same less photos that turned out unreadable; see `PhotoSet.without`."""
        names = {one.name for one in skipped}
        fresh = tuple(photo for photo in self.fresh if photo.name not in names)
        return TaughtPhotos(self.photo_set.without(skipped, strict=strict), fresh)


def gather_photos(
    run: EarlierRun,
    labels: tuple[str, ...],
    added: Mapping[str, Sequence[Path]],
    removed: frozenset[str],
    made_by: str,
    strict: bool,
    progress: Progress,
) -> TaughtPhotos:
    """The old photos that stay, and the new ones under names that no old one has.

    Args:
        labels: of the new model.
        added: folders of photos and photos, by class.
        removed: classes whose photos do not stay.
        made_by: see `bottleneck_file.maker`.
        strict: a photo that cannot be read is an error.

    Raises:
        EdgeretrainError: there are no new photos, or a new class has none that can be read.
    """
    old = [photo for photo in run.listing.photos if photo.label not in removed]
    known = {(photo.label, photo.digest) for photo in old}
    digests = {photo.name: photo.digest for photo in old}
    fresh: list[Photo] = []
    skipped: list[Skipped] = []
    warnings: list[str] = []
    for label, sources in sorted(added.items()):
        found, unusable = find_class_photos(label, sources, progress=progress)
        _check_own_folder(label, labels, found)
        skipped += unusable
        again = 0
        for photo in found:
            if (label, photo.digest) in known:
                again += 1
                continue
            name, number = photo.name, 1
            while digests.get(name, photo.digest) != photo.digest:  # cameras count from 1 again
                number += 1
                name = f"{label}/{number}/{photo.name.removeprefix(f'{label}/')}"
            if name not in digests:
                digests[name] = photo.digest
                fresh.append(replace(photo, name=name))
        if again:
            warnings.append(f"Class {label!r}: photos that the model knew already, left as they were: {again}.")
    foreign = sorted({one for one in run.listing.makers if _arithmetic(one) != _arithmetic(made_by)})
    if foreign and fresh:
        warnings.append(
            f"The bottlenecks of the old photos were made with {_arithmetic(foreign[0])}, those of the new ones with "
            f"{_arithmetic(made_by)}. These may round differently; the figures of old photos are of the former."
        )
    photos = tuple(sorted([*old, *fresh], key=lambda photo: (photo.name, str(photo.path))))
    skipped.sort(key=lambda one: one.name)
    check_readable(labels, photos, skipped, strict)
    if not fresh and not removed:
        why = f"none of these photos can be read ({skipped[0].name}: {skipped[0].reason})" if skipped else ""
        raise EdgeretrainError(
            f"There is nothing to teach: {why or 'the model knows all these photos already'}. Add others."
        )
    warnings += photo_warnings(labels, photos)
    return TaughtPhotos(PhotoSet(labels, photos, tuple(skipped), tuple(warnings)), tuple(fresh))


def _arithmetic(made_by: str) -> str:
    """The runtime and pixels of a maker; versions of Pillow hardly differ."""
    return re.sub(r", Pillow [^,]*", "", made_by)


def _check_own_folder(label: str, labels: Sequence[str], photos: Sequence[Photo]) -> None:
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
    near = difflib.get_close_matches(label, labels, 1) or [one for one in labels if alike_key(one) == alike_key(label)]
    some = ", ".join(labels[:20]) + (", ..." if len(labels) > 20 else "")
    return f"The nearest is {near[0]!r}." if near else f"Its classes are {some}."
