"""The range of the pixels that the networks of Keras Applications expect; each is known by a layer that only it has.

The ranges are those of `preprocess_input` in Keras' `keras/src/applications`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeretrain.backbone.families import FAMILIES
from edgeretrain.data.scaling import Scaling
from edgeretrain.importers.graph import CutGraph
from edgeretrain.importers.keras_graph import KerasGraph

_TF = Scaling.between(-1, 1)
_TORCH = Scaling.normalized((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_RAW = Scaling.between(0, 255)


@dataclass(frozen=True)
class Known:
    """A network of Keras Applications.

    Attributes:
        layer: that only it has.
        architecture: for the card.
        name: for people.
        scaling: None: it expects BGR with the mean subtracted, which no `--scale` can express.
    """

    layer: str
    architecture: str
    name: str
    scaling: Scaling | None


_KNOWN = (
    Known("expanded_conv_10_project", "mobilenet_v3", "MobileNet V3", _TF),
    Known("stem_bn1", "nasnet", "NASNet", _TF),
    Known("conv_7b", "inception_resnet_v2", "Inception-ResNet V2", _TF),
    Known("block14_sepconv2", "xception", "Xception", _TF),
    Known("post_bn", "resnet_v2", "ResNet V2", _TF),
    Known("conv5_block16_concat", "densenet", "DenseNet", _TORCH),
    Known("conv5_block3_out", "resnet", "ResNet", None),
    Known("block5_conv3", "vgg", "VGG", None),
    # After `NASNet`: the presets know NASNet-mobile, but other sizes have the same layer.
    *(Known(family.layer, family.name, family.title, family.scaling) for family in FAMILIES),
)


def known_network(layers: Iterable[str]) -> Known | None:
    """The network of Keras Applications that has these layers, or None."""
    names = set(layers)
    return next((known for known in _KNOWN if known.layer in names), None)


def own_scaling(cut: CutGraph, graph: KerasGraph) -> Scaling | None:
    """The pixels that a network wants which scales them itself (Rescaling, Normalization ...); None: it does not.

    Read off what reaches its first convolution or batch normalisation when the photo is black, and when it is white:
    the pixels that become 0 are somewhere in the middle of the range that it wants, or at its lower end.

    Args:
        cut: of `graph`, at any place.

    Raises:
        ValueError: there is no convolution, or an unusual scaling.
    """
    black, white = _entering(cut, graph)
    factor, offset = float((white - black).mean()) / 255, float(black.mean())
    if abs(factor - 1) < 1e-6 and abs(offset) < 1e-6:
        return None
    middle = -offset / factor if factor > 0 else -1.0
    if (factor <= 16 / 255 and 0 <= middle < 255) or (abs(factor - 1) < 1e-6 and 16 < middle < 255):
        return _RAW
    if 16 / 255 < factor <= 16 and 0 < middle < 1:
        return Scaling.between(0, 1)
    raise ValueError(f"it turns 0 into {offset:g} and 255 into {offset + 255 * factor:g}")


def _entering(cut: CutGraph, graph: KerasGraph) -> npt.NDArray[np.float32]:
    """The middle of what reaches the first such layer from a black photo and from a white one, `[2,c]`."""
    photos = np.stack([np.full((cut.size, cut.size, 3), value, np.float32) for value in (0, 255)])
    for call in graph.calls:
        if ("Conv2D" in call.kind or call.kind == "BatchNormalization") and call.input is not None:
            values = cut.run(call.input, photos)
            return values[:, values.shape[1] // 2, values.shape[2] // 2]
    raise ValueError("it has no convolution")
