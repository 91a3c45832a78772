"""Options that several commands share, and their values as the package takes them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from edgeretrain.backbone.presets import BottleneckKind
from edgeretrain.errors import EdgeretrainError
from edgeretrain.precision import PRECISIONS, Precision

PrecisionNames = Annotated[
    list[str],
    typer.Option(
        "--precision",
        "-p",
        help="float32, float16, dynamic, int8 or all. For several, repeat the option or separate them by commas.",
        metavar="PRECISION",
    ),
]

PhotosFolder = Annotated[
    Path, typer.Argument(help="Folder with one sub-folder of photos per class.", metavar="PHOTOS", show_default=False)
]
BottleneckOption = Annotated[
    BottleneckKind,
    typer.Option(
        "--bottleneck",
        help="What the head learns from. features: the output of the backbone; logits: the 1000 ImageNet class scores "
        "of a MobileNet V1 preset, as in TensorFlow for Poets (stored as PRESET_logits).",
    ),
]
InnerBottleneckOption = Annotated[
    Literal["features", "multi", "auto", "logits"],
    typer.Option(
        "--bottleneck",
        help="What the head learns from. features: the output of the backbone; multi: that and the averages of inner "
        "layers; auto: which of the two does better on these photos, by cross-validation; logits: the 1000 ImageNet "
        "class scores of a MobileNet V1 preset, as in TensorFlow for Poets.",
    ),
]
# The choices of --fit and --class-weight are written out: importing data.pixels and head.softmax here would slow down
# the start of every command.
FitOption = Annotated[
    Literal["squash", "crop"], typer.Option("--fit", help="How a photo is made square: squash it, or crop its centre.")
]
LayoutOption = Annotated[
    Literal["auto", "classes", "split"],
    typer.Option(
        "--layout",
        help="What the folders in PHOTOS are. classes: the classes; split: train, valid and test, or two of them, with "
        "the classes inside; auto: what their names and their own folders say.",
    ),
]
ValidationPhotos = Annotated[
    Path | None,
    typer.Option(
        "--validation",
        metavar="FOLDER",
        help="Validation photos of your own, one sub-folder per class; none of PHOTOS are used for that.",
        show_default=False,
    ),
]
TestPhotos = Annotated[
    Path | None,
    typer.Option(
        "--test",
        metavar="FOLDER",
        help="Test photos of your own, one sub-folder per class; none of PHOTOS are used for that.",
        show_default=False,
    ),
]
ValidationPercentage = Annotated[
    float,
    typer.Option(
        "--validation-percentage",
        help="Share of the photos for validation: they choose the regularisation of the head.",
        min=0,
        max=100,
        metavar="PERCENT",
    ),
]
TestingPercentage = Annotated[
    float,
    typer.Option(
        "--testing-percentage",
        help="Share of the photos for the final test: no model is trained on them.",
        min=0,
        max=100,
        metavar="PERCENT",
    ),
]
ClassWeightOption = Annotated[
    Literal["balanced", "none"],
    typer.Option("--class-weight", help="balanced: weight classes equally; none: weight photos equally."),
]
FlipLeftRight = Annotated[
    bool, typer.Option("--flip-left-right", help="Also train on the mirrored photos. Takes twice as long.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at a photo that cannot be read instead of skipping it.")]


def parse_precisions(names: list[str]) -> list[Precision]:
    """Names of precisions, also joined by commas -> precisions in their usual order; `all` stands for every one.

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
