"""A data set: photos, their labels, and one split, made once for a whole run."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from edgeretrain.data.photos import Photo, PhotoSet
from edgeretrain.data.split import Split

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """Photos that can be read, and which of them train, validate and test."""

    photo_set: PhotoSet
    split: Split

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, sorted: the columns of a model's output."""
        return self.photo_set.labels

    @property
    def photos(self) -> tuple[Photo, ...]:
        """All photos, sorted by name: the rows of a bottleneck array."""
        return self.photo_set.photos

    @cached_property
    def label_indices(self) -> Rows:
        """The column of each photo's label, `[n]`."""
        return label_indices(self.labels, self.photos)

    def rows(self, photos: Sequence[Photo]) -> Rows:
        """Where some of the photos stand among all, `[m]`."""
        return np.array([self._positions[photo.name, photo.digest] for photo in photos], np.int64)

    @cached_property
    def _positions(self) -> dict[tuple[str, str], int]:
        # Not by name alone: different names that are not valid UTF-8 may look the same.
        return {(photo.name, photo.digest): row for row, photo in enumerate(self.photos)}


def label_indices(labels: Sequence[str], photos: Sequence[Photo]) -> Rows:
    """Each photo's label as a column of the model's output."""
    columns = {label: column for column, label in enumerate(labels)}
    return np.array([columns[photo.label] for photo in photos], np.int64)
