"""The split into training, validation (for choosing hyperparameters) and test photos, by the hash of their names."""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from edgeretrain.data.photos import Photo, PhotoFile, PhotoSet
from edgeretrain.errors import EdgeretrainError

Subset = Literal["training", "validation", "testing"]
SUBSETS: tuple[Subset, ...] = get_args(Subset)

_MAX_PER_CLASS = 2**27 - 1  # retrain.py's MAX_NUM_IMAGES_PER_CLASS


@dataclass(frozen=True)
class Split:
    """Three disjoint subsets, each sorted by name."""

    training: tuple[Photo, ...]
    validation: tuple[Photo, ...]
    testing: tuple[Photo, ...]

    @property
    def subsets(self) -> dict[str, Subset]:
        """The subset of each photo, by its name."""
        return {photo.name: subset for subset in SUBSETS for photo in getattr(self, subset)}


def _group_name(photo: Photo | PhotoFile) -> str:
    """What the split hashes: the path below the class folder, its name without `_nohash_` and all after it.

    In NFC, as Linux and macOS differ.
    """
    *folders, name = _whole_group_name(photo).split("/")
    label = unicodedata.normalize("NFC", photo.label)
    return "/".join([*(folders[folders.index(label) + 1 :] if label in folders else []), name])


def _whole_group_name(photo: Photo | PhotoFile) -> str:
    """The whole path, its name without `_nohash_` and all after it: photos of one such path belong together."""
    folder, slash, name = unicodedata.normalize("NFC", photo.name).rpartition("/")
    return folder + slash + re.sub(r"_nohash_.*$", "", name)


def _percent(group_name: str) -> float:
    """retrain.py's hash of a name, 0 to 100."""
    number = int(hashlib.sha1(group_name.encode("utf-8"), usedforsecurity=False).hexdigest(), 16)
    return (number % (_MAX_PER_CLASS + 1)) * (100.0 / _MAX_PER_CLASS)


@dataclass(slots=True)
class _Family:
    """Photos that must be in one subset: of a class with the same name up to `_nohash_`, or byte-identical, or linked
    by such photos.

    Attributes:
        pinned: an earlier run has decided the subset.
    """

    photos: list[Photo]
    percent: float
    subset: Subset
    pinned: bool

    @property
    def labels(self) -> set[str]:
        return {photo.label for photo in self.photos}


def photo_families(photos: Iterable[Photo]) -> list[list[Photo]]:
    """Union-find over group names and digests; ordered by smallest group name."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def top(node: tuple[str, str]) -> tuple[str, str]:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    ordered = sorted(photos, key=lambda photo: (_group_name(photo), photo.name))
    for photo in ordered:
        parent[top((photo.label, _whole_group_name(photo)))] = top(("", photo.digest))  # no label is ""
    families: defaultdict[tuple[str, str], list[Photo]] = defaultdict(list)
    for photo in ordered:
        families[top(("", photo.digest))].append(photo)
    return list(families.values())


def hashed_subset(photo: Photo | PhotoFile, validation_percentage: float, testing_percentage: float) -> Subset:
    """The subset of a photo by its name alone.

    `split_photos` moves a photo to another one only if a class would be missing in a subset, or because of a copy.
    """
    percent = _percent(_group_name(photo))
    if percent < validation_percentage:
        return "validation"
    return "testing" if percent < validation_percentage + testing_percentage else "training"


def check_enough(
    labels: Iterable[str], files: Iterable[PhotoFile | Photo], validation_percentage: float, testing_percentage: float
) -> None:
    """Refuse classes with too few photos, by their names alone, before any photo is opened.

    Raises:
        EdgeretrainError: the percentages are invalid; a class has too few photos to be in every subset.
    """
    to_fill = _subsets_to_fill(validation_percentage, testing_percentage)
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for file in files:
        groups[file.label].add(_whole_group_name(file))
    for label in labels:
        _check_class(label, len(groups[label]), to_fill)


def _check_percentages(validation_percentage: float, testing_percentage: float) -> None:
    if not (validation_percentage >= 0 and testing_percentage >= 0):
        raise EdgeretrainError("The validation and testing percentages must not be negative.")
    if not validation_percentage + testing_percentage < 100:
        raise EdgeretrainError(
            f"{validation_percentage:g} % for validation and {testing_percentage:g} % for testing leave no photos to "
            "train on. Together they must stay below 100."
        )


def _subsets_to_fill(validation_percentage: float, testing_percentage: float) -> list[Subset]:
    """The subsets that need photos of every class."""
    _check_percentages(validation_percentage, testing_percentage)
    percentages: dict[Subset, float] = {"validation": validation_percentage, "testing": testing_percentage}
    return [*(subset for subset, percentage in percentages.items() if percentage), "training"]


def _check_class(label: str, groups: int, to_fill: Sequence[Subset]) -> None:
    if groups < len(to_fill):
        raise EdgeretrainError(
            f"Class {label!r} has too few photos: to be in {', '.join(reversed(to_fill))} it needs {len(to_fill)} "
            f"that differ and has {groups} (copies, and names alike up to _nohash_, count once). Add photos."
        )


def split_photos(
    photo_set: PhotoSet,
    *,
    validation_percentage: float = 10,
    testing_percentage: float = 10,
    pinned: Mapping[str, Subset] | None = None,
) -> Split:
    """Split as retrain.py does, by the hash of a photo's base name, but so that every class is in every subset.

    The hash sees neither the class folder nor the other photos, so renaming the one or adding to the others moves no
    photo; of folders below the class folder it sees the names: photos of one name in different folders are different
    photos. Photos of a folder whose names agree up to `_nohash_`, and byte-identical ones, stay together; what joins
    several names goes by the smallest. Where the hash leaves a class without photos in a subset, those nearest to the
    subset's percentages are moved there; this alone depends on the other photos, and ends as soon as the class has
    enough of them.

    Args:
        validation_percentage, testing_percentage: of the photos; 0 leaves a subset empty.
        pinned: subsets that an earlier run has decided, by the photo's name: these photos stay there whatever is added
            or removed, and photos that belong together with one of them join it.

    Raises:
        EdgeretrainError: the percentages are invalid; a class has too few photos to be in every subset.

    Source of the rule: tensorflow/hub, examples/image_retraining/retrain.py, create_image_lists.
    """
    to_fill = _subsets_to_fill(validation_percentage, testing_percentage)
    middle, end = validation_percentage, validation_percentage + testing_percentage
    spans: dict[Subset, tuple[float, float]] = {
        "validation": (0.0, middle),
        "testing": (middle, end),
        "training": (end, 100.0),
    }
    pinned = pinned or {}

    families = []
    for photos in photo_families(photo_set.photos):
        percent = _percent(_group_name(photos[0]))
        subset = hashed_subset(photos[0], validation_percentage, testing_percentage)
        decided = [pinned[photo.name] for photo in photos if photo.name in pinned]
        families.append(_Family(photos, percent, decided[0] if decided else subset, bool(decided)))
    _fill(families, photo_set.labels, spans, to_fill)

    sets: dict[Subset, list[Photo]] = {subset: [] for subset in spans}
    for family in families:
        for photo in family.photos:
            sets[pinned.get(photo.name, family.subset)].append(photo)
    in_order = {subset: tuple(sorted(photos, key=lambda photo: photo.name)) for subset, photos in sets.items()}
    return Split(**in_order)


def _fill(
    families: list[_Family], labels: Iterable[str], spans: dict[Subset, tuple[float, float]], to_fill: list[Subset]
) -> None:
    """Move families until each class has one in each subset to fill; never the last one of a class out of a subset.

    Pinned families stay.
    """
    count = Counter((label, family.subset) for family in families for label in family.labels)
    for label in labels:
        own = [family for family in families if label in family.labels]
        _check_class(label, len(own), to_fill)
        for subset in to_fill:
            if count[label, subset]:
                continue
            low, high = spans[subset]
            spare = [f for f in own if not f.pinned and all(count[other, f.subset] > 1 for other in f.labels)]
            if not spare:
                raise EdgeretrainError(
                    f"Class {label!r} gets no photos for {subset}: it shares too many with other classes. Add photos "
                    "that are in this class only."
                )
            nearest = min(spare, key=lambda f: max(low - f.percent, f.percent - high))
            for other in nearest.labels:
                count[other, nearest.subset] -= 1
                count[other, subset] += 1
            nearest.subset = subset
