"""MACs and parameters counted in the files of all presets against the published figures: costs.md.

    python benchmarks/costs.py [PRESET ...]

Needs the `tensorflow` extra: builds the float32 backbone of every preset, with random weights, in a temporary folder.
"""

import argparse
import math
import tempfile
from pathlib import Path
from typing import Any

from edgeretrain.backbone.build import build_backbones
from edgeretrain.backbone.presets import PRESETS, Preset, get_preset
from edgeretrain.tflite.inspect import inspect_model

CLASSES = 1001
"""Of the published networks: ImageNet's 1,000 and one for the background. Our files end before that layer."""

PER_CHANNEL = {"mobilenet_v1": 3, "mobilenet_v2": 0, "nasnet_mobile": 1, "inception_v3": 1}
"""Numbers that the published parameters count for each channel of batch normalisation; a file has one, the bias.
No others fit V1's and V2's published figures to the last digit; all from 0 to 4 fit NASNet's and Inception's, which
have one decimal."""

KERAS_PER_CHANNEL = {"mobilenet_v1": 4, "mobilenet_v2": 4, "nasnet_mobile": 4, "inception_v3": 3}
"""The same of Keras' networks. Inception V3's has no factor: the ReLU behind it makes one superfluous."""

DIGITS = {"mobilenet_v1": 2, "mobilenet_v2": 2, "nasnet_mobile": 1, "inception_v3": 1}
"""Decimals of the published parameters, millions."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Count MACs and parameters of all presets; compare with the papers'.")
    parser.add_argument("presets", nargs="*", default=list(PRESETS))
    print("| preset | MACs, M | counted as published | published | difference | reason if above 1 % ", end="")
    print("| parameters, M | counted as published | published | difference |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    equal = [0, 0]
    names = parser.parse_args().presets
    for name in names:
        preset = get_preset(name)
        found, keras = count(name)
        macs = (found["macs"] + preset.bottleneck * CLASSES) / 1e6
        parameters = (found["parameters"] + (preset.bottleneck + 1) * CLASSES) / 1e6
        like_macs, reason = published_macs(preset, found, macs)
        channels = (keras - found["parameters"]) / (KERAS_PER_CHANNEL[preset.architecture] - 1)
        like_parameters = parameters + (PER_CHANNEL[preset.architecture] - 1) * channels / 1e6
        equal[0] += like_macs == preset.macs
        equal[1] += round(like_parameters, DIGITS[preset.architecture]) == preset.parameters
        difference = (macs - preset.macs) / preset.macs
        print(
            f"| {name} | {macs:.2f} | {like_macs} | {preset.macs:g} | {difference:+.1%} "
            f"| {reason if abs(difference) > 0.01 else ''} | {parameters:.3f} | {like_parameters:.3f} "
            f"| {preset.parameters:g} | {(parameters - preset.parameters) / preset.parameters:+.1%} |",
            flush=True,
        )
    print(f"\nEqual to the last digit, of {len(names)}: {equal[0]} MACs, {equal[1]} parameters.")


def count(name: str) -> tuple[dict[str, Any], int]:
    """What inspect tells of the preset's float32 backbone, and the parameters of the Keras model it was made of."""
    with tempfile.TemporaryDirectory() as folder:
        (backbone,) = build_backbones(name, ["float32"], weights="random", calibration=None, out=Path(folder))
        return inspect_model(backbone.path), backbone.card["parameters"]


def published_macs(preset: Preset, found: dict[str, Any], macs: float) -> tuple[int, str]:
    """Whole millions of MACs as the published table counts them, and what differs from `macs`."""
    if preset.architecture == "mobilenet_v2":
        return math.floor(macs), "rounded down"
    if preset.architecture == "mobilenet_v1" and preset.alpha == 0.75:
        first = next(layer["macs"] for layer in found["layers"] if layer["macs"])
        return round(macs - first / 1e6), "without the first convolution"
    return round(macs), "rounded" if abs(macs - preset.macs) <= 0.5 else "none: wrong"


if __name__ == "__main__":
    main()
