"""Options that several commands share, and their values as the package takes them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from edgeretrain.errors import EdgeretrainError
from edgeretrain.precision import PRECISIONS, Precision

PrecisionNames = Annotated[
    list[str],
    typer.Option(
        "--precision",
        "-p",
        help="float32, float16, dynamic, int8 or all. Repeat it for several models, or separate by commas.",
        metavar="PRECISION",
    ),
]

PhotosFolder = Annotated[
    Path, typer.Argument(help="Folder with one sub-folder of photos per class.", metavar="PHOTOS", show_default=False)
]
BottleneckName = Annotated[
    str,
    typer.Option(
        "--bottleneck",
        help="Of a MobileNet V1 preset: its features, or its 1000 ImageNet class scores, as in retrain.py and "
        "TensorFlow for Poets; stored as PRESET_logits.",
        metavar="features|logits",
    ),
]
FitName = Annotated[
    str, typer.Option("--fit", help="How a photo is made square: squash it, or crop its centre.", metavar="squash|crop")
]
ValidationPercentage = Annotated[
    float,
    typer.Option(
        "--validation-percentage",
        help="Share of the photos that choose the head's strength.",
        min=0,
        max=100,
        metavar="PERCENT",
    ),
]
TestingPercentage = Annotated[
    float,
    typer.Option(
        "--testing-percentage",
        help="Share of the photos held out for the verdict.",
        min=0,
        max=100,
        metavar="PERCENT",
    ),
]
ClassWeightName = Annotated[
    str,
    typer.Option(
        "--class-weight",
        help="balanced: every class has the same say however few its photos; none: every photo has.",
        metavar="balanced|none",
    ),
]
FlipLeftRight = Annotated[
    bool, typer.Option("--flip-left-right", help="Train on the mirrored photos too: doubles the time.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at a photo that cannot be read in place of skipping it.")]


def parse_precisions(names: list[str]) -> list[Precision]:
    """The precisions of these names, which commas may join; `all` stands for every one.

    Raises:
        EdgeretrainError: an unknown name.
    """
    names = separated(names)
    if "all" in names:
        return list(PRECISIONS)
    for name in names:
        if name not in PRECISIONS:
            raise EdgeretrainError(f"There is no precision {name!r}. Use {', '.join(PRECISIONS)} or all.")
    return [precision for precision in PRECISIONS if precision in names]


def separated(texts: list[str]) -> list[str]:
    """`["a,b", "c"]` -> `["a", "b", "c"]`."""
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def one_of(option: str, value: str, allowed: tuple[Any, ...]) -> Any:
    """The value, if it is allowed.

    Raises:
        EdgeretrainError: it is not.
    """
    if value not in allowed:
        raise EdgeretrainError(f"{option} {value!r} is not known. Use one of {', '.join(allowed)}.")
    return value
