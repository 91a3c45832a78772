"""The options of a retrain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeretrain.data.photos import Photo, PhotoFile, PhotoSet
from edgeretrain.data.pixels import Fit
from edgeretrain.data.split import Split, Subset, check_enough, hashed_subset, split_photos
from edgeretrain.head.sgd import Sgd
from edgeretrain.head.softmax import ClassWeight


@dataclass(frozen=True)
class Options:
    """Options of a retrain; `report.json` repeats them.

    Attributes:
        fit: how a photo is made square: `squash` or `crop`.
        validation_percentage: share of the photos held out for choosing the head's strength [%].
        testing_percentage: share of the photos held out for the verdict [%].
        class_weight: `balanced` gives every class the same say, `none` every photo.
        flip_left_right: train on the mirrored photos too.
        sgd: train the head as retrain.py did. None: by logistic regression.
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

    def split(self, photo_set: PhotoSet, pinned: Mapping[str, Subset] | None = None) -> Split:
        """The photos in three sets of these percentages; see `split_photos`."""
        return split_photos(
            photo_set,
            validation_percentage=self.validation_percentage,
            testing_percentage=self.testing_percentage,
            pinned=pinned,
        )

    def hashed_subset(self, photo: Photo) -> Subset:
        """The subset of a photo by its name alone; see `hashed_subset`."""
        return hashed_subset(photo, self.validation_percentage, self.testing_percentage)

    def check_enough(self, labels: Sequence[str], files: Sequence[PhotoFile | Photo]) -> None:
        """Refuse classes with too few photos for these percentages before any is opened; see `check_enough`."""
        check_enough(labels, files, self.validation_percentage, self.testing_percentage)
