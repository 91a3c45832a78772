"""A network that a backbone is made from, of any file format, and what the user can override."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from edgeretrain.backbone.weights import WeightsCard
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.tensorflow_types import TfTensor


class SourceCard(TypedDict, total=False):
    """The part of a backbone's card that says where it comes from.

    Keys:
        architecture: a family's name, or what the source calls itself.
        alpha: of a preset, its width.
        weights: of a preset; see `Weights.card`.
        source: of another network: its kind, file, SHA-256, and more that depends on the kind.
        fine_tuned: options and trainings of a tuned backbone.
    """

    architecture: str
    alpha: float | None
    weights: WeightsCard
    source: dict[str, Any]
    fine_tuned: dict[str, Any]


@dataclass(frozen=True)
class BackboneSource:
    """A network cut at its bottleneck, in TensorFlow.

    Attributes:
        network: scaled photo, a tensor `float32 [1,S,S,3]` -> bottleneck, `float32 [1,d]` (or `[1,1,1,d]`). Can be
            traced by `tf.function`, has no state, and is in inference mode.
        size: S, pixels.
        scaling: how raw RGB becomes the scaled photo.
        parameters: number of weights up to the bottleneck.
        card: the origin, for the backbone's card; no path, nothing that differs between two runs.
        notes: lines for the user: what was read from the source, such as the tensor where it was cut.
    """

    network: Callable[[TfTensor], TfTensor]
    size: int
    scaling: Scaling
    parameters: int
    card: SourceCard
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceOverrides:
    """What the user overrides. None: it is read from the source; if that is impossible, an error says what to give.

    Attributes:
        size: side of the photo, pixels (`--size`).
        scaling: of the pixels (`--scale`).
        layer: where to cut the network: the layer, tensor or output that is the bottleneck (`--layer`).
        input: the tensor that takes the scaled photo (`--input`); graphs only.
    """

    size: int | None = None
    scaling: Scaling | None = None
    layer: str | None = None
    input: str | None = None


def unknown_scale(what: str, detail: str = "") -> EdgeretrainError:
    """The error for a network whose pixel values are unknown.

    Args:
        what: its name.
        detail: what is known of it.
    """
    known = f" ({detail})" if detail else ""
    return EdgeretrainError(
        f"{what}: does not say which pixel values it expects{known}. Give --scale, the range it was trained with, such "
        "as --scale=-1..1, --scale=0..1 or --scale=0..255."
    )
