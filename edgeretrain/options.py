"""The options of a retrain, and of its fine-tuning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edgeretrain.data.photos import Photo, PhotoFile, PhotoSet
from edgeretrain.data.pixels import Fit
from edgeretrain.data.split import Split, Subset, check_enough, hashed_subset, split_photos
from edgeretrain.errors import EdgeretrainError
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


Layers = int | Literal["all"]

BUNDLED = ("mobilenet_v2_100_224", "mobilenet_v1_100_224")
"""The largest bundled backbones; their bottlenecks side by side are better than those of either."""


@dataclass(frozen=True)
class FineTuning:
    """How a backbone is tuned; `report.json` holds the same. The defaults come from benchmarks/fine_tuning.md.

    Attributes:
        layers: how many layers are trained, counted from the bottleneck down, or `all`. Only layers with weights of
            their own count (convolutions); the batch normalisation after a layer belongs to it.
        epochs: passes over the training photos, at most.
        learning_rate: of Adam, at its highest [1].
        batch_size: photos per step.
        warm_up: how long the learning rate rises from 0 [epochs]; then it falls along a cosine, to 0 at the last epoch.
        patience: stop after this many epochs in a row that are worse than the best on the validation photos; see
            `training.best_epoch`. While the learning rate is high, validation may get worse before it gets better.
        augmentation: how much crops, brightness and contrast vary; 0: not at all, 1: as usual [1]; see
            `augmentation.py`.
        mirror: mirror half of the photos left to right, at random; wrong where left and right tell classes apart.
        mixup: every photo is blended with another one of its batch, and so are their labels. The weights are drawn from
            a beta distribution with this parameter, the same for a whole batch; 0: no mixup [1]. Zhang et al., "mixup:
            Beyond Empirical Risk Minimization", arXiv:1710.09412.
        label_smoothing: fraction of every label that is spread over all classes [0 to 1].
        distill_from: names of frozen teacher backbones, presets' or the user's own: the network also learns from the
            soft labels of a head on their bottlenecks; see `targets.py`. Empty: no distillation.
        distillation: weight of the soft labels [0 to 1].
        soup: number of trainings, each with another order and augmentation of the photos; the mean of their weights
            becomes the model; see `soup.py`.
    """

    layers: Layers = "all"
    epochs: int = 24
    learning_rate: float = 1e-3
    batch_size: int = 32
    warm_up: float = 1
    patience: int = 12
    augmentation: float = 1
    mirror: bool = True
    mixup: float = 0
    label_smoothing: float = 0
    distill_from: tuple[str, ...] = BUNDLED
    distillation: float = 0.7
    soup: int = 3

    def __post_init__(self) -> None:
        for name in (
            "learning_rate",
            "warm_up",
            "augmentation",
            "mixup",
            "label_smoothing",
            "distillation",
        ):  # 1 and 1.0: the same report
            object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "distill_from", tuple(self.distill_from))
        checks: list[tuple[str, object, bool, str]] = [
            ("layers", self.layers, self.layers == "all" or _whole(self.layers), "all or a number from 1"),
            ("epochs", self.epochs, _whole(self.epochs), "a number from 1"),
            ("learning rate", self.learning_rate, 0 < self.learning_rate < 1, "between 0 and 1, such as 0.001"),
            ("batch size", self.batch_size, _whole(self.batch_size), "a number from 1"),
            ("warm-up", self.warm_up, 0 <= self.warm_up < self.epochs, f"from 0 to below the epochs ({self.epochs})"),
            ("patience", self.patience, _whole(self.patience), "a number from 1"),
            ("augmentation", self.augmentation, 0 <= self.augmentation <= 1.5, "from 0 to 1.5"),
            ("mixup", self.mixup, 0 <= self.mixup <= 2, "from 0 to 2"),
            ("label smoothing", self.label_smoothing, 0 <= self.label_smoothing < 1, "from 0 to below 1"),
            ("distillation", self.distillation, 0 <= self.distillation <= 1, "from 0 to 1"),
            ("soup", self.soup, _whole(self.soup), "a number from 1"),
        ]
        for name, value, right, allowed in checks:
            if not right:
                raise EdgeretrainError(f"Fine-tuning cannot use {value} as {name}. It must be {allowed}.")


def parse_layers(text: str) -> Layers:
    """`all`, or a number of layers.

    Raises:
        EdgeretrainError: it is neither.
    """
    if text.strip().lower() == "all":
        return "all"
    try:
        return int(text)
    except ValueError:
        raise EdgeretrainError(
            f"--fine-tune {text!r} is not known. Give all, or the number of layers to train, such as 20."
        ) from None


def parse_names(text: str) -> tuple[str, ...]:
    """Names of backbones, separated by commas; `none`: no backbone."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return () if names == ("none",) else names


def _whole(value: object) -> bool:
    return isinstance(value, int) and value >= 1
