"""The 40 presets: which backbones there are and what each one costs.

MACs, parameters and ImageNet top-1 are the published ones, for the whole 1001-class network at that resolution:

- MobileNet V1: tensorflow/models, research/slim/nets/mobilenet_v1.md (Howard et al., arXiv:1704.04861)
- MobileNet V2: tensorflow/models, research/slim/nets/mobilenet/README.md (Sandler et al., arXiv:1801.04381)
- NASNet-A mobile: tensorflow/models, research/slim/nets/nasnet/README.md (Zoph et al., arXiv:1707.07012)
- Inception V3: top-1 tensorflow/models, research/slim/README.md; MACs and parameters arXiv:1707.07012, table 2, to
  three digits (the network's own paper, arXiv:1512.00567, says "5 billion" and "less than 25 million")

Beside each MobileNet V1 preset there is the same network not cut: its bottleneck is the 1000 class scores of ImageNet
(`logits`), as retrain.py and TensorFlow for Poets had it.
"""

import difflib
import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

from edgeretrain.errors import EdgeretrainError

Architecture = Literal["mobilenet_v1", "mobilenet_v2", "nasnet_mobile", "inception_v3"]

DEFAULT_PRESET = "mobilenet_v2_100_224"

BottleneckKind = Literal["features", "logits"]
BOTTLENECKS: tuple[BottleneckKind, ...] = get_args(BottleneckKind)


@dataclass(frozen=True)
class Preset:
    """One backbone of the table.

    Attributes:
        name: TensorFlow Hub's name, such as `mobilenet_v2_035_128`.
        alpha: the depth multiplier (width of every layer relative to 1.0).
        resolution: side of the square input, pixels.
        macs: millions of multiply-adds for one image, published.
        parameters: millions of parameters with the 1001-class head, published.
        top1: ImageNet top-1 accuracy, percent, published.
        bottleneck: length of the feature vector.
    """

    name: str
    architecture: Architecture
    alpha: float
    resolution: int
    macs: float
    parameters: float
    top1: float

    @property
    def logits(self) -> bool:
        """Whether the bottleneck is the class scores of ImageNet, before the softmax."""
        return self.name.endswith("_logits")

    @property
    def bottleneck(self) -> int:
        if self.logits:
            return 1000  # Keras' weights leave out the background, the first of the original's 1001 classes
        if self.architecture == "inception_v3":
            return 2048
        if self.architecture == "nasnet_mobile":
            return 1056
        if self.architecture == "mobilenet_v1":
            return int(1024 * self.alpha)
        # V2 never narrows its last layer below 1280 (arXiv:1801.04381, section 6.1); it rounds to multiples of 8.
        return max(1280, round(1280 * self.alpha / 8) * 8)


def _family(architecture: Architecture, rows: str) -> list[Preset]:
    """Read `alpha resolution MACs parameters top-1` lines into presets."""
    presets = []
    for row in rows.strip().splitlines():
        alpha, resolution, macs, parameters, top1 = (float(cell) for cell in row.split())
        name = f"{architecture}_{round(alpha * 100):03d}_{resolution:.0f}"
        presets.append(Preset(name, architecture, alpha, int(resolution), macs, parameters, top1))
    return presets


_TABLE = [
    *_family(
        "mobilenet_v1",
        """
        1.00 224 569 4.24 70.9
        1.00 192 418 4.24 70.0
        1.00 160 291 4.24 68.0
        1.00 128 186 4.24 65.2
        0.75 224 317 2.59 68.4
        0.75 192 233 2.59 67.2
        0.75 160 162 2.59 65.3
        0.75 128 104 2.59 62.1
        0.50 224 150 1.34 63.3
        0.50 192 110 1.34 61.7
        0.50 160  77 1.34 59.1
        0.50 128  49 1.34 56.3
        0.25 224  41 0.47 49.8
        0.25 192  34 0.47 47.7
        0.25 160  21 0.47 45.5
        0.25 128  14 0.47 41.5
        """,
    ),
    *_family(
        "mobilenet_v2",
        """
        1.40 224 582 6.06 75.0
        1.30 224 509 5.34 74.4
        1.00 224 300 3.47 71.8
        1.00 192 221 3.47 70.7
        1.00 160 154 3.47 68.8
        1.00 128  99 3.47 65.3
        1.00  96  56 3.47 60.3
        0.75 224 209 2.61 69.8
        0.75 192 153 2.61 68.7
        0.75 160 107 2.61 66.4
        0.75 128  69 2.61 63.2
        0.75  96  39 2.61 58.8
        0.50 224  97 1.95 65.4
        0.50 192  71 1.95 63.9
        0.50 160  50 1.95 61.0
        0.50 128  32 1.95 57.7
        0.50  96  18 1.95 51.2
        0.35 224  59 1.66 60.3
        0.35 192  43 1.66 58.2
        0.35 160  30 1.66 55.7
        0.35 128  20 1.66 50.8
        0.35  96  11 1.66 45.5
        """,
    ),
    Preset("nasnet_mobile", "nasnet_mobile", 1.0, 224, 564, 5.3, 74.0),
    Preset("inception_v3", "inception_v3", 1.0, 299, 5720, 23.8, 78.0),
]

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _TABLE}

LOGITS: dict[str, Preset] = {
    f"{preset.name}_logits": replace(preset, name=f"{preset.name}_logits")
    for preset in _TABLE
    if preset.architecture == "mobilenet_v1"
}
"""The presets whose bottleneck is the class scores, by their names."""

BUILDABLE: dict[str, Preset] = PRESETS | LOGITS
"""All that is made from weights of Keras Applications."""


def _canonical(name: str) -> str:
    """TensorFlow for Poets' `mobilenet_0.50_224` -> `mobilenet_v1_050_224`; other names as they are, in lower case."""
    name = name.strip().lower()
    poets = re.fullmatch(r"mobilenet_(1\.0|0\.75|0\.50|0\.5|0\.25)_(\d+)", name)
    return f"mobilenet_v1_{round(float(poets[1]) * 100):03d}_{poets[2]}" if poets else name


def get_preset(name: str) -> Preset:
    """The preset of that name; TensorFlow for Poets' names are accepted as aliases.

    Raises:
        EdgeretrainError: there is no such preset; the message suggests the nearest names.
    """
    canonical = _canonical(name)
    if canonical in BUILDABLE:
        return BUILDABLE[canonical]
    if canonical.startswith("nasnet"):
        raise EdgeretrainError(
            f"There is no preset {name!r}: NASNet-mobile's ImageNet weights exist at 224 x 224 only "
            "(keras-applications#78). Use nasnet_mobile."
        )
    nearest = difflib.get_close_matches(canonical, PRESETS, n=3, cutoff=0.5) or [DEFAULT_PRESET]
    raise EdgeretrainError(
        f"There is no preset {name!r}. Nearest: {', '.join(nearest)}. `edgeretrain presets` lists all {len(PRESETS)}."
    )


def with_bottleneck(name: str, kind: BottleneckKind) -> str:
    """The name of what `--preset` and `--bottleneck` ask for together.

    Raises:
        EdgeretrainError: class scores are asked of anything but MobileNet V1.
    """
    if kind == "features":
        return name
    preset = get_preset(name)
    if preset.logits:
        return preset.name
    if f"{preset.name}_logits" not in LOGITS:
        raise EdgeretrainError(
            f"--bottleneck logits is for MobileNet V1, as in retrain.py: {preset.name}'s {preset.bottleneck} features "
            "say more than 1000 class scores made of them. Leave it out, or use a preset such as mobilenet_v1_025_128."
        )
    return f"{preset.name}_logits"
