"""`edgeretrain retrain`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeretrain.backbone.presets import DEFAULT_PRESET, with_bottleneck
from edgeretrain.cli.console import Json, Quiet, RuntimeName, Workers, print_json, print_rich, progress_shown, say
from edgeretrain.cli.fine_tuning_options import (
    Augmentation,
    Distillation,
    DistillFrom,
    Epochs,
    FineTune,
    Mixup,
    NoMirror,
    Patience,
    Soup,
    WarmUp,
    parse_fine_tuning,
)
from edgeretrain.cli.options import (
    ClassWeightOption,
    FitOption,
    FlipLeftRight,
    InnerBottleneckOption,
    LayoutOption,
    PhotosFolder,
    PrecisionNames,
    Strict,
    TestingPercentage,
    TestPhotos,
    ValidationPercentage,
    ValidationPhotos,
    parse_precisions,
)
from edgeretrain.errors import EdgeretrainError
from edgeretrain.fine_tuning import FineTuning

if TYPE_CHECKING:
    from edgeretrain.head.sgd import Sgd
    from edgeretrain.records.training import Report


def retrain_command(
    photos: PhotosFolder,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Run folder to write. Default: the name of the photos folder plus '-run', in the current folder.",
        ),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="Which backbone to use. `edgeretrain presets` lists them.", metavar="PRESET")
    ] = DEFAULT_PRESET,
    precision: PrecisionNames = ["float32", "int8"],  # noqa: B006  Typer copies it
    bottleneck: InnerBottleneckOption = "features",
    backbone: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A .tflite feature extractor of your own, instead of a preset."),
    ] = None,
    fit: FitOption = "squash",
    validation_percentage: ValidationPercentage = 10,
    testing_percentage: TestingPercentage = 10,
    layout: LayoutOption = "auto",
    validation: ValidationPhotos = None,
    test: TestPhotos = None,
    class_weight: ClassWeightOption = "balanced",
    flip_left_right: FlipLeftRight = False,
    how_many_training_steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Train the head as retrain.py does, with this many steps of gradient descent (retrain.py: "
            "4000), instead of logistic regression.",
            show_default=False,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="RATE",
            help="Learning rate of --how-many-training-steps "
            f"(default: 0.01, as in retrain.py), or highest one of --fine-tune (default: "
            f"{FineTuning.learning_rate}). Needs one of these two options.",
            show_default=False,
        ),
    ] = None,
    train_batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help=f"Photos per step of --how-many-training-steps (default: 100, as in retrain.py) or of "
            f"--fine-tune (default: {FineTuning.batch_size}). Needs one of these two options.",
        ),
    ] = None,
    fine_tune: FineTune = None,
    epochs: Epochs = None,
    warm_up: WarmUp = None,
    patience: Patience = None,
    augmentation: Augmentation = None,
    mixup: Mixup = None,
    distill_from: DistillFrom = None,
    distillation: Distillation = None,
    soup: Soup = None,
    no_mirror: NoMirror = False,
    seed: Annotated[
        int,
        typer.Option(help="Random seed of SGD and fine-tuning; the rest is deterministic.", min=0, metavar="N"),
    ] = 0,
    strict: Strict = False,
    no_bottlenecks: Annotated[
        bool,
        typer.Option(
            "--no-bottlenecks",
            help="Do not keep the bottlenecks in the run folder (up to 4 MB per 1,000 photos and model). `edgeretrain "
            "teach` cannot add classes then.",
        ),
    ] = False,
    workers: Workers = None,
    runtime: RuntimeName = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Retrain a classifier on a folder of photos and test it on held-out ones.

    Writes one model.<precision>.tflite per precision with its bottlenecks.<precision>.npz, labels.txt, report.json and
    report.html into the run folder, and prints the size of each model and its accuracy on the test photos.

    Example: edgeretrain retrain flower_photos --precision all --out flowers
    """
    from edgeretrain.options import Options
    from edgeretrain.training.retrain import retrain

    tuning = parse_fine_tuning(
        fine_tune,
        {
            "learning_rate": learning_rate,
            "batch_size": train_batch_size,
            "epochs": epochs,
            "warm_up": warm_up,
            "patience": patience,
            "augmentation": augmentation,
            "mixup": mixup,
            "distill_from": distill_from,
            "distillation": distillation,
            "soup": soup,
            "mirror": False if no_mirror else None,
        },
    )
    options = Options(
        fit=fit,
        validation_percentage=validation_percentage,
        testing_percentage=testing_percentage,
        class_weight=class_weight,
        flip_left_right=flip_left_right,
        sgd=parse_sgd(how_many_training_steps, None if tuning else learning_rate, None if tuning else train_batch_size),
        seed=seed,
    )
    if backbone is not None and bottleneck == "logits":
        raise EdgeretrainError("--bottleneck logits is for presets. Leave it out with --backbone.")
    run_folder = out or Path(f"{photos.resolve().name}-run")
    with progress_shown(quiet) as progress:
        report = retrain(
            photos,
            run_folder,
            preset=with_bottleneck(preset, "logits") if bottleneck == "logits" else preset,
            precisions=parse_precisions(precision),
            bottleneck="features" if bottleneck == "logits" else bottleneck,
            backbone=backbone,
            options=options,
            layout=layout,
            validation=validation,
            test=test,
            fine_tune=tuning,
            strict=strict,
            keep_bottlenecks=not no_bottlenecks,
            runtime=runtime,
            workers=workers,
            progress=progress,
        )
    print_report(report, run_folder, as_json=as_json)


def parse_sgd(steps: int | None, learning_rate: float | None, batch_size: int | None) -> "Sgd | None":
    """Gradient descent as the command line describes it; None without `--how-many-training-steps`.

    Args:
        steps: the value of `--how-many-training-steps`.
        learning_rate, batch_size: those of `--learning-rate` and `--train-batch-size`; None: was not given.

    Raises:
        EdgeretrainError: one of the others was given without the steps. They alone must not replace logistic
            regression.
    """
    from edgeretrain.head.sgd import Sgd

    if steps is not None:
        return Sgd(
            steps=steps,
            learning_rate=Sgd.learning_rate if learning_rate is None else learning_rate,
            batch_size=Sgd.batch_size if batch_size is None else batch_size,
        )
    for option, value in (("--learning-rate", learning_rate), ("--train-batch-size", batch_size)):
        if value is not None:
            raise EdgeretrainError(
                f"{option} is an option of gradient descent and of fine-tuning. Add --how-many-training-steps "
                f"{Sgd.steps} (the default of retrain.py) or --fine-tune all, or leave it out."
            )
    return None


def print_report(report: "Report", run_folder: Path, *, as_json: bool) -> None:
    """The outcome of a retrain, for people or for scripts."""
    from edgeretrain.records.json_form import to_json
    from edgeretrain.report import render_bottlenecks, render_table, render_tuned

    if as_json:
        print_json(to_json(report))
    else:
        if report.fine_tuning is not None:
            print_rich(render_tuned(report))
        print_rich(render_table(report))
        chosen = render_bottlenecks(report)
        if chosen is not None:
            print_rich(chosen)
        say(f"Models and report: {run_folder / 'report.html'}")
