"""A network that a backbone is made from, whatever it came as, and what a user may say of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError


@dataclass(frozen=True)
class Source:
    """A network cut at its bottleneck, still TensorFlow's.

    Attributes:
        network: scaled photo, a tensor `float32 [1,S,S,3]` -> bottleneck, `float32 [1,d]` (or `[1,1,1,d]`). Can be
            traced by `tf.function`, has no state that a call changes, and is in inference mode.
        size: S, pixels.
        scaling: how raw RGB becomes the scaled photo.
        parameters: numbers in the weights that the bottleneck needs.
        card: what the backbone's card says of where it comes from; no path, nothing that differs between two runs.
        notes: lines for the user: what was read from the source, such as the tensor it was cut at.
    """

    network: Callable[[Any], Any]
    size: int
    scaling: Scaling
    parameters: int
    card: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceOverrides:
    """What a user says of a source. None: it is read from the source, or refused with what to say.

    Attributes:
        size: side of the photo, pixels (`--size`).
        scaling: of the pixels (`--scale`).
        layer: where the network is cut: the layer, tensor or output whose values are the bottleneck (`--layer`).
        input: the tensor that the scaled photo is fed to (`--input`); graphs only.
    """

    size: int | None = None
    scaling: Scaling | None = None
    layer: str | None = None
    input: str | None = None


def unknown_scale(what: str, detail: str = "") -> EdgeretrainError:
    """The refusal of a network whose pixel values nobody knows.

    Args:
        what: its name.
        detail: what was seen of it.
    """
    seen = f" ({detail})" if detail else ""
    return EdgeretrainError(
        f"{what}: does not say which pixel values it expects{seen}. Give --scale, the range it was trained with, such "
        "as --scale=-1..1, --scale=0..1 or --scale=0..255."
    )
