"""`edgeretrain sweep`."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeretrain.cli.console import Device, Json, Quiet, RuntimeName, Workers, print_json, print_rich, progress_shown
from edgeretrain.cli.options import (
    ClassWeightName,
    FitName,
    FlipLeftRight,
    PhotosFolder,
    Strict,
    TestingPercentage,
    ValidationPercentage,
    one_of,
    parse_precisions,
    separated,
)
from edgeretrain.errors import EdgeretrainError

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
            help="Folder to write; a sweep that was stopped there goes on. Default: the photos folder's name plus "
            "'-sweep', here.",
        ),
    ] = None,
    presets: Annotated[
        list[str] | None,
        typer.Option(
            "--presets",
            "--preset",
            metavar="PATTERN",
            help="Which presets or backbones of your own: names or patterns such as 'mobilenet_v2_*'. Repeat it, or "
            "separate by commas. Default: all presets for phones and boards, so not inception_v3.",
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
            help="float32, float16, dynamic, int8 or all. Repeat it, or separate by commas.",
        ),
    ] = ["all"],  # noqa: B006  Typer copies it
    max_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Of the model file, such as 1MB or 900kB.", show_default=False)
    ] = None,
    max_latency: Annotated[
        str | None, typer.Option(metavar="TIME", help="Of the median inference, such as 20ms.", show_default=False)
    ] = None,
    min_accuracy: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Top-1 on the test photos, such as 0.9 or 90%.", show_default=False),
    ] = None,
    device: Device = None,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="Threads of the interpreter when measured.")] = 1,
    latency: Annotated[
        bool, typer.Option("--latency/--no-latency", help="Measure latency and memory, or leave that out.")
    ] = True,
    remeasure: Annotated[
        bool, typer.Option("--remeasure", help="Measure again what an earlier sweep in this folder has measured.")
    ] = False,
    fit: FitName = "squash",
    validation_percentage: ValidationPercentage = 10,
    testing_percentage: TestingPercentage = 10,
    class_weight: ClassWeightName = "balanced",
    flip_left_right: FlipLeftRight = False,
    strict: Strict = False,
    workers: Workers = None,
    runtime: RuntimeName = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the model for a device: retrain many presets, measure them all, pick one under a budget.

    Every selected preset and precision is retrained, proven on the held-out photos and timed. What comes out: a table
    with the Pareto front marked, report.html with the same in pictures, and the pick with the reason. Exit code 1, and
    the nearest miss, when no model meets the budget. Stop it and run it again: it goes on where it was.

    Example: edgeretrain sweep flower_photos --presets 'mobilenet_v2_*' --max-size 1MB --min-accuracy 0.85
    """
    from edgeretrain.data.pixels import FITS
    from edgeretrain.head.softmax import CLASS_WEIGHTS
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
        fit=one_of("--fit", fit, FITS),
        validation_percentage=validation_percentage,
        testing_percentage=testing_percentage,
        class_weight=one_of("--class-weight", class_weight, CLASS_WEIGHTS),
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
            strict=strict,
            runtime=runtime,
            workers=workers,
            progress=progress,
        )
    _print_sweep(result, folder, as_json=as_json)
    if result["pick"] is None:
        raise typer.Exit(1)


def parse_amount(option: str, text: str | None, units: dict[str, float], example: str) -> float | None:
    """A number with a unit: `1.5MB` -> 1500000.0; None for None.

    Raises:
        EdgeretrainError: it is none.
    """
    if text is None:
        return None
    parts = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*([a-zµ%]*)\s*", text, re.IGNORECASE)
    if parts is None or parts[2].lower() not in units:
        raise EdgeretrainError(f"{option} {text!r} is not understood. Write it like {example}.")
    return float(parts[1]) * units[parts[2].lower()]


def _print_sweep(result: dict[str, Any], folder: Path, *, as_json: bool) -> None:
    from edgeretrain.report.sweep_table import render_sweep_table
    from edgeretrain.sweep.folder import PAGE_FILE

    if as_json:
        print_json(result)
        return
    print_rich(render_sweep_table(result))
    typer.echo(f"All models and the report: {folder / PAGE_FILE}")
