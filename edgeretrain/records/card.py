"""What a model file says of itself: the card inside the `.tflite`."""

from dataclasses import dataclass, field

from edgeretrain.data.pixels import Fit
from edgeretrain.precision import Precision
from edgeretrain.records.json_form import LEFT_OUT
from edgeretrain.records.training import BackboneRecord, HeadRecord, TaughtChanges


@dataclass(frozen=True, kw_only=True)
class PhotoCounts:
    """How many photos a model was made with.

    Attributes:
        training, validation, testing: photos in this set.
    """

    training: int
    validation: int
    testing: int


@dataclass(frozen=True, kw_only=True)
class Card:
    """How a model that `edgeretrain retrain` or `edgeretrain teach` wrote came about.

    Attributes:
        edgeretrain: version that made it.
        preset: name of the backbone.
        precision: of its weights and arithmetic.
        fit: how photos are made square for it.
        reject_below: the score of the best class below which a photo is none of the classes [0 to 1].
        backbone: what it was made of.
        head: how its head was made.
        photos: how many it was made with.
        taught: what each teach changed, the first one first. Absent: it was not taught.
    """

    edgeretrain: str
    preset: str
    precision: Precision
    fit: Fit
    reject_below: float
    backbone: BackboneRecord
    head: HeadRecord
    photos: PhotoCounts
    taught: tuple[TaughtChanges, ...] | None = field(default=None, metadata=LEFT_OUT)
