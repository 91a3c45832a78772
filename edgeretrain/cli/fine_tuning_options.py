"""The options of `retrain` that fine-tune."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any

import typer

from edgeretrain.errors import EdgeretrainError
from edgeretrain.fine_tuning import FineTuning
from edgeretrain.options import parse_layers, parse_names

FineTune = Annotated[
    str | None,
    typer.Option(
        "--fine-tune",
        metavar="LAYERS|all",
        help="Also train the backbone: all of its layers, or this many, counted from its end. Needs the tensorflow "
        "extra and takes minutes to hours. If it is stopped, the same command continues where it was.",
        show_default=False,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        "--epochs",
        metavar="N",
        help=f"Fine-tuning: largest number of passes over the photos. Default: {FineTuning.epochs}.",
    ),
]
WarmUp = Annotated[
    float | None,
    typer.Option(
        "--warm-up",
        metavar="EPOCHS",
        help=f"Fine-tuning: number of epochs in which the learning rate rises. Default: {FineTuning.warm_up:g}.",
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        "--patience",
        metavar="EPOCHS",
        help=f"Fine-tuning: stop after this many epochs without progress. Default: {FineTuning.patience}.",
    ),
]
Augmentation = Annotated[
    float | None,
    typer.Option(
        "--augmentation",
        metavar="STRENGTH",
        help="Fine-tuning: how much crops, brightness and contrast vary, 0 to 1.5. "
        f"Default: {FineTuning.augmentation:g}.",
    ),
]
Mixup = Annotated[
    float | None,
    typer.Option(
        "--mixup",
        metavar="ALPHA",
        help="Fine-tuning: blend each photo and its label with another one. Parameter of the beta distribution, up to "
        f"2; 0: do not blend. Needs more --epochs, such as 30. Default: {FineTuning.mixup:g}.",
    ),
]
DistillFrom = Annotated[
    str | None,
    typer.Option(
        "--distill-from",
        metavar="NAMES|none",
        help=f"Fine-tuning: teacher backbones, comma-separated. Default: {','.join(FineTuning.distill_from)}.",
    ),
]
Distillation = Annotated[
    float | None,
    typer.Option(
        "--distillation",
        metavar="WEIGHT",
        help=f"Fine-tuning: weight of the teachers' soft labels, 0 to 1. Default: {FineTuning.distillation:g}.",
    ),
]
Soup = Annotated[
    int | None,
    typer.Option(
        "--soup",
        metavar="N",
        help="Fine-tuning: train N times and average the weights (a model soup). More accurate than one training, with "
        f"a file of the same size, but N times as slow. Default: {FineTuning.soup}.",
    ),
]
NoMirror = Annotated[
    bool,
    typer.Option(
        "--no-mirror",
        help="Fine-tuning: do not mirror photos. For classes that differ by left and right, such as arrows or letters.",
    ),
]


def parse_fine_tuning(
    layers: str | None, options: Mapping[str, Any], *, shared: Collection[str] = ("learning_rate", "batch_size")
) -> FineTuning | None:
    """Fine-tuning as the command line describes it; None without `--fine-tune`.

    Args:
        layers: the value of `--fine-tune`.
        options: the others, by the name of `FineTuning`'s attribute; None: was not given.
        shared: names of those that mean something else without `--fine-tune`.

    Raises:
        EdgeretrainError: an option that needs `--fine-tune`, or a value that cannot be used.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if "distill_from" in given:
        given["distill_from"] = parse_names(given["distill_from"])
    if layers is not None:
        return FineTuning(layers=parse_layers(layers), **given)
    for name in given:
        if name not in shared:
            option = "no-mirror" if name == "mirror" else name.replace("_", "-")
            raise EdgeretrainError(f"--{option} is an option of fine-tuning. Add --fine-tune all, or leave it out.")
    return None
