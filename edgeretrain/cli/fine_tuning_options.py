"""The options of `retrain` that fine-tune."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any

import typer

from edgeretrain.errors import EdgeretrainError
from edgeretrain.fine_tuning import FineTuning
from edgeretrain.fine_tuning.options import parse_layers, parse_names

FineTune = Annotated[
    str | None,
    typer.Option(
        "--fine-tune",
        metavar="LAYERS|all",
        help="Let the backbone learn, too: all of it, or so many layers counted from its end. Needs the tensorflow "
        "extra and takes minutes to hours; stopped and run again, it goes on where it was.",
        show_default=False,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", metavar="N", help="Fine-tuning: at most so many passes over the photos. Default: 24."),
]
WarmUp = Annotated[
    float | None,
    typer.Option(
        "--warm-up", metavar="EPOCHS", help="Fine-tuning: epochs in which the learning rate rises. Default: 1."
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        "--patience", metavar="EPOCHS", help="Fine-tuning: stop after so many epochs without progress. Default: 12."
    ),
]
Augmentation = Annotated[
    float | None,
    typer.Option(
        "--augmentation",
        metavar="STRENGTH",
        help="Fine-tuning: how much crops, brightness and contrast vary, 0 to 1.5. Default: 1.",
    ),
]
Mixup = Annotated[
    float | None,
    typer.Option(
        "--mixup",
        metavar="ALPHA",
        help="Fine-tuning: blend every photo with another one, and their labels: above 0 and up to 2; wants more "
        "--epochs, such as 30. Default: 0, not at all.",
    ),
]
DistillFrom = Annotated[
    str | None,
    typer.Option(
        "--distill-from",
        metavar="NAMES|none",
        help="Fine-tuning: frozen backbones, separated by commas, whose opinion of the training photos is learnt as "
        "well. Default: the two largest that edgeretrain comes with.",
    ),
]
Distillation = Annotated[
    float | None,
    typer.Option(
        "--distillation",
        metavar="SHARE",
        help="Fine-tuning: how much of a photo's label is the opinion of these backbones, 0 to 1. Default: 0.7.",
    ),
]
Soup = Annotated[
    int | None,
    typer.Option(
        "--soup",
        metavar="N",
        help="Fine-tuning: train N times and average the weights (a model soup): better than one training, the file no "
        "larger, and N times as slow. Default: 3.",
    ),
]
NoMirror = Annotated[
    bool,
    typer.Option(
        "--no-mirror",
        help="Fine-tuning: never mirror a photo; for classes that differ by left and right, such as arrows or letters.",
    ),
]


def fine_tuning(
    layers: str | None, knobs: Mapping[str, Any], *, shared: Collection[str] = ("learning_rate", "batch_size")
) -> FineTuning | None:
    """What the options ask for; None without `--fine-tune`.

    Args:
        layers: the value of `--fine-tune`.
        knobs: what was given, by the name of `FineTuning`'s attribute; None: was not given.
        shared: those that are options of something else without `--fine-tune`.

    Raises:
        EdgeretrainError: an option that needs `--fine-tune`, or a value that cannot be used.
    """
    given = {name: value for name, value in knobs.items() if value is not None}
    if "distill_from" in given:
        given["distill_from"] = parse_names(given["distill_from"])
    if layers is not None:
        return FineTuning(layers=parse_layers(layers), **given)
    alone = [name for name in given if name not in shared]
    if alone:
        option = "no-mirror" if alone[0] == "mirror" else alone[0].replace("_", "-")
        raise EdgeretrainError(f"--{option} is an option of fine-tuning. Add --fine-tune all, or leave it out.")
    return None
