"""How a network's input is scaled: raw RGB times a factor plus an offset."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError


@dataclass(frozen=True)
class Scaling:
    """photo * factor + offset, where the photo is raw RGB, 0 to 255.

    Attributes:
        factor, offset: one number for all three colour channels, or one for each.
    """

    factor: tuple[float, ...]
    offset: tuple[float, ...]

    @classmethod
    def between(cls, low: float, high: float) -> "Scaling":
        """0 becomes `low`, 255 becomes `high`."""
        return cls(((high - low) / 255,), (float(low),))

    @classmethod
    def normalized(cls, mean: tuple[float, ...], std: tuple[float, ...]) -> "Scaling":
        """(photo - mean) / std, both in raw pixel values; one number each, or one per channel."""
        count = max(len(mean), len(std))
        means, stds = (numbers * (count // len(numbers)) for numbers in (mean, std))
        pairs = list(zip(means, stds, strict=True))
        if len(set(pairs)) == 1:
            pairs = pairs[:1]
        return cls(tuple(1 / s for _, s in pairs), tuple(-m / s for m, s in pairs))

    @property
    def uniform(self) -> bool:
        """Whether all channels have the same scaling: then int8 can use the input's quantization for it."""
        return len(self.factor) == 1

    def __call__(self, pixels: npt.NDArray[np.uint8] | npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Scale photos `[...,3]`, raw RGB; float32."""
        return np.asarray(self.of_tensor(pixels.astype(np.float32)))

    def of_tensor(self, photo: Any) -> Any:
        """The same for a tensor `float32 [...,3]`, TensorFlow's or NumPy's."""
        return photo * np.asarray(self.factor, np.float32) + np.asarray(self.offset, np.float32)

    def __str__(self) -> str:
        """As `--scale` takes it: `-1..1`, or `mean/std`."""
        if self.uniform:
            factor, offset = self.factor[0], self.offset[0]
            return f"{_text(offset)}..{_text(offset + factor * 255)}"
        stds = [1 / factor for factor in self.factor]
        means = [-offset * std for offset, std in zip(self.offset, stds, strict=True)]
        return "/".join(",".join(_text(number) for number in numbers) for numbers in (means, stds))


def parse_scaling(text: str) -> Scaling:
    """`-1..1`, `0..1`, `0..255` or any other range; or `mean/std` in pixel values, such as `127.5/127.5` or
    `123.675,116.28,103.53/58.395,57.12,57.375` for red, green, blue.

    Raises:
        EdgeretrainError: the text has none of these forms.
    """
    try:
        if ".." in text:
            low, high = (float(end) for end in text.split(".."))
            if math.inf > high > low > -math.inf:
                return Scaling.between(low, high)
        elif "/" in text:
            mean, std = (tuple(float(number) for number in part.split(",")) for part in text.split("/"))
            if len(mean) in (1, 3) and len(std) in (1, 3) and min(std) > 0 and max(map(abs, (*mean, *std))) < math.inf:
                return Scaling.normalized(mean, std)
    except ValueError:
        pass
    raise EdgeretrainError(
        f"--scale {text!r} is not known. Give the range of the pixels that the network expects, such as --scale=-1..1, "
        "--scale=0..1 or --scale=0..255, or mean/std in pixel values, such as "
        "--scale=123.675,116.28,103.53/58.395,57.12,57.375."
    )


def _text(number: float) -> str:
    return f"{number:.6g}"
