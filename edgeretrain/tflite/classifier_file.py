"""A finished classifier file: backbone, head, metadata, labels and card, as bytes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.head.softmax import Head
from edgeretrain.precision import Precision
from edgeretrain.tflite.graft import append_head
from edgeretrain.tflite.metadata import METADATA_NAME, build_metadata
from edgeretrain.tflite.package import pack
from edgeretrain.version import __version__


def write_classifier(
    backbone: Path,
    head: Head,
    precision: Precision,
    bottlenecks: npt.NDArray[np.float32],
    *,
    labels: Sequence[str],
    card: dict[str, Any],
) -> bytes:
    """The bytes of a model file.

    Args:
        backbone: the backbone file.
        head: weights `[d, k]`, bias `[k]`.
        precision: of backbone and head.
        bottlenecks: float32 `[n, d]`, the ones the head was trained on (see `append_head`).
        labels: k class names.
        card: how the model was made; plain JSON.

    Raises:
        EdgeretrainError: the backbone is not one for this head.
    """
    model = append_head(backbone, head, precision, bottlenecks)
    model.tree.description = f"edgeretrain {__version__}"
    metadata = build_metadata(
        f"{card['preset']} {precision}",
        f"Image classifier with {len(labels)} classes, retrained by edgeretrain.",
        float_input=precision != "int8",
        licence=card["backbone"].get("weights", {}).get("licence", "unknown"),
        version=__version__,
    )
    model.set_metadata(METADATA_NAME, metadata)
    return pack(model.write(), tuple(labels), card)
