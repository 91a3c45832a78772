"""How the integers of a quantized tensor stand for real numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""Numbers of any type."""


@dataclass(frozen=True)
class Quantization:
    """Of a whole tensor: real = scale * (q - zero_point). With a scale of 0 the tensor is not quantized."""

    scale: float
    zero_point: int

    def real(self, stored: Array) -> npt.NDArray[np.float32]:
        """The real numbers that a tensor's integers stand for; without a scale, the values as float32."""
        if not self.scale:
            return np.asarray(stored, np.float32)
        return np.asarray((stored.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale))

    def nearest(self, values: npt.NDArray[np.float32], dtype: npt.DTypeLike) -> Array:
        """The integers of `dtype` nearest to real numbers; without a scale, the values in that dtype."""
        if not self.scale:
            return values.astype(dtype)
        ends = np.iinfo(np.dtype(dtype))
        rounded = np.rint(values / np.float32(self.scale)) + np.float32(self.zero_point)
        return np.asarray(np.clip(rounded, ends.min, ends.max, out=rounded), dtype)
