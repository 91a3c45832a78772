"""Labels as columns."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgeretrain.data.photos import Photo


def label_indices(labels: Sequence[str], photos: Sequence[Photo]) -> npt.NDArray[np.int64]:
    """Each photo's label as a column of the model's output."""
    position = {label: index for index, label in enumerate(labels)}
    return np.array([position[photo.label] for photo in photos], np.int64)
