"""`edgeretrain sweep`."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeretrain.cli.console import (
    Device,
    Json,
    Quiet,
    RuntimeName,
    Workers,
    print_json,
    print_rich,
    progress_shown,
    say,
)
from edgeretrain.cli.options import (
    ClassWeightOption,
    FitOption,
    FlipLeftRight,
    LayoutOption,
    PhotosFolder,
    Strict,
    TestingPercentage,
    TestPhotos,
    ValidationPercentage,
    ValidationPhotos,
    parse_precisions,
    separated,
)
from edgeretrain.errors import EdgeretrainError

if TYPE_CHECKING:
    from edgeretrain.records.sweep import Sweep

_SIZES = {"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_TIMES = {"": 1.0, "ms": 1.0, "s": 1e3, "us": 1e-3, "µs": 1e-3}
_SHARES = {"": 1.0, "%": 0.01}


def sweep_command(
    photos: PhotosFolder,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Folder to write. A sweep that was stopped there continues. Default: the name of the photos folder "
            "plus '-sweep', in the current folder.",
        ),
    ] = None,
    presets: Annotated[
        list[str] | None,
        typer.Option(
            "--presets",
            "--preset",
            metavar="PATTERN",
            help="Presets, or backbones of your own: names or patterns such as 'mobilenet_v2_*'. For several, repeat "
            "the option or separate them by commas. Default: all presets for phones and boards, so not "
            "inception_v3.",
            show_default=False,
        ),
    ] = None,
    precisions: Annotated[
        list[str],
        typer.Option(
            "--precisions",
            "--precision",
            "-p",
            metavar="PRECISION",
            help="float32, float16, dynamic, int8 or all. For several, repeat the option or separate them by commas.",
        ),
    ] = ["all"],  # noqa: B006  Typer copies it
    max_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Largest size of the model file, such as 1MB or 900kB.", show_default=False),
    ] = None,
    max_latency: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Longest median inference time, such as 20ms.", show_default=False),
    ] = None,
    min_accuracy: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE", help="Lowest top-1 accuracy on the test photos, such as 0.9 or 90%.", show_default=False
        ),
    ] = None,
    device: Device = None,
    threads: Annotated[
        int, typer.Option(min=1, metavar="N", help="Threads of the interpreter for the measurement.")
    ] = 1,
    latency: Annotated[
        bool, typer.Option("--latency/--no-latency", help="Measure latency and memory, or leave it out.")
    ] = True,
    remeasure: Annotated[
        bool, typer.Option("--remeasure", help="Measure again what an earlier sweep in this folder measured.")
    ] = False,
    fit: FitOption = "squash",
    validation_percentage: ValidationPercentage = 10,
    testing_percentage: TestingPercentage = 10,
    layout: LayoutOption = "auto",
    validation: ValidationPhotos = None,
    test: TestPhotos = None,
    class_weight: ClassWeightOption = "balanced",
    flip_left_right: FlipLeftRight = False,
    strict: Strict = False,
    workers: Workers = None,
    runtime: RuntimeName = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the model for a device: retrain many presets, measure them all, pick one under a budget.

    Every selected preset and precision is retrained, tested on held-out photos and timed. The result is a table that
    marks the Pareto front, report.html with charts, and the recommended model with the reason. If no model meets the
    budget, the nearest one is shown and the exit code is 1. A sweep that was stopped continues when it is run again.

    Example: edgeretrain sweep flower_photos --presets 'mobilenet_v2_*' --max-size 1MB --min-accuracy 0.85
    """
    from edgeretrain.options import Options
    from edgeretrain.sweep import Budget, sweep
    from edgeretrain.sweep.backbones import SMALL

    size = parse_amount("--max-size", max_size, _SIZES, "1MB or 900kB")
    budget = Budget(
        max_size=None if size is None else int(size),
        max_latency=parse_amount("--max-latency", max_latency, _TIMES, "20ms"),
        min_accuracy=parse_amount("--min-accuracy", min_accuracy, _SHARES, "0.9 or 90%"),
    )
    options = Options(
        fit=fit,
        validation_percentage=validation_percentage,
        testing_percentage=testing_percentage,
        class_weight=class_weight,
        flip_left_right=flip_left_right,
    )
    folder = out or Path(f"{photos.resolve().name}-sweep")
    with progress_shown(quiet) as progress:
        result = sweep(
            photos,
            folder,
            presets=separated(presets) if presets else SMALL,
            precisions=parse_precisions(precisions),
            budget=budget,
            latency=latency,
            device=device,
            threads=threads,
            remeasure=remeasure,
            options=options,
            layout=layout,
            validation=validation,
            test=test,
            strict=strict,
            runtime=runtime,
            workers=workers,
            progress=progress,
        )
    _print_sweep(result, folder, as_json=as_json)
    if result.pick is None:
        raise typer.Exit(1)


def parse_amount(option: str, text: str | None, units: dict[str, float], example: str) -> float | None:
    """A number with a unit: `1.5MB` -> 1500000.0; None for None.

    Raises:
        EdgeretrainError: it is not a number with one of these units.
    """
    if text is None:
        return None
    parts = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*([a-zµ%]*)\s*", text, re.IGNORECASE)
    if parts is None or parts[2].lower() not in units:
        raise EdgeretrainError(f"{option} {text!r} is not a number with a unit. Write it like {example}.")
    return float(parts[1]) * units[parts[2].lower()]


def _print_sweep(result: "Sweep", folder: Path, *, as_json: bool) -> None:
    from edgeretrain.records.json_form import to_json
    from edgeretrain.report.sweep_table import render_sweep_table
    from edgeretrain.sweep.folder import PAGE_FILE

    if as_json:
        print_json(to_json(result))
        return
    print_rich(render_sweep_table(result))
    say(f"All models and the report: {folder / PAGE_FILE}")
