"""The presets: which backbones there are, what each one costs, and how they are found by name.

They are the lines of the families' tables (see families). Beside each MobileNet V1 preset there is the same network not
cut: its bottleneck is the 1000 class scores of ImageNet (`logits`), as retrain.py and TensorFlow for Poets had it.
"""

import difflib
import re
from dataclasses import dataclass, replace
from typing import Literal, get_args

from edgeretrain.backbone.families import FAMILIES, Family
from edgeretrain.errors import EdgeretrainError

DEFAULT_PRESET = "mobilenet_v2_100_224"

BottleneckKind = Literal["features", "logits"]
BOTTLENECKS: tuple[BottleneckKind, ...] = get_args(BottleneckKind)


@dataclass(frozen=True)
class Preset:
    """One backbone of the table.

    Attributes:
        name: TensorFlow Hub's name, such as `mobilenet_v2_035_128`.
        family: what holds for the network at every width and resolution.
        alpha: the depth multiplier (width of every layer relative to 1.0).
        resolution: side of the square input, pixels.
        macs: millions of multiply-adds for one image, published.
        parameters: millions of parameters with the 1001-class head, published.
        top1: ImageNet top-1 accuracy, percent, published.
        logits: whether the bottleneck is the class scores of ImageNet, before the softmax.
    """

    name: str
    family: Family
    alpha: float
    resolution: int
    macs: float
    parameters: float
    top1: float
    logits: bool = False

    @property
    def architecture(self) -> str:
        """The family's name, as on backbones' cards."""
        return self.family.name

    @property
    def short_name(self) -> str:
        """For places with little room: `V2 0.35/128`, `V1 1.0/224 logits`, `NASNet`."""
        alpha = f"{self.alpha:g}" if self.alpha % 1 else f"{self.alpha:.1f}"
        size = f" {alpha}/{self.resolution}" if self.family.scalable else ""
        return f"{self.family.short}{size}{' logits' if self.logits else ''}"

    @property
    def bottleneck(self) -> int:
        """Length of the feature vector."""
        if self.logits:
            return 1000  # Keras' weights leave out the background, the first of the original's 1001 classes
        scaled = round(self.family.features * self.alpha / 8) * 8  # both MobileNets round to multiples of 8
        return scaled if self.family.narrow_features else max(self.family.features, scaled)


def _presets(family: Family) -> list[Preset]:
    """The lines of a family's table."""
    presets = []
    for line in family.table.strip().splitlines():
        alpha, resolution, macs, parameters, top1 = (float(cell) for cell in line.split())
        name = f"{family.name}_{round(alpha * 100):03d}_{resolution:.0f}" if family.scalable else family.name
        presets.append(Preset(name, family, alpha, int(resolution), macs, parameters, top1))
    return presets


PRESETS: dict[str, Preset] = {preset.name: preset for family in FAMILIES for preset in _presets(family)}

LOGITS: dict[str, Preset] = {
    f"{preset.name}_logits": replace(preset, name=f"{preset.name}_logits", logits=True)
    for preset in PRESETS.values()
    if preset.family.weights_with_classifier
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
    for family in FAMILIES:
        if not family.scalable and canonical.startswith(family.name.split("_")[0]):
            resolution = PRESETS[family.name].resolution
            raise EdgeretrainError(
                f"There is no preset {name!r}: {family.title}'s ImageNet weights exist at {resolution} x {resolution} "
                f"only. Use {family.name}."
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
