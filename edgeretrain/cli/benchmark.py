"""`edgeretrain benchmark`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeretrain.cli.console import Device, Json, Quiet, RuntimeName, print_json, print_rich, progress_shown
from edgeretrain.errors import EdgeretrainError
from edgeretrain.records.benchmark import FACTOR, RUNS, SECONDS, Benchmark, Comparison


def benchmark_command(
    models: Annotated[
        list[Path] | None, typer.Argument(help="Any .tflite files.", metavar="MODEL...", show_default=False)
    ] = None,
    *,
    threads: Annotated[
        str, typer.Option(metavar="N,N...", help="Numbers of threads to measure each model with.")
    ] = "1",
    runs: Annotated[int, typer.Option(metavar="N", help="Smallest number of inferences to time.")] = RUNS,
    seconds: Annotated[float, typer.Option(metavar="S", help="Shortest time to spend on them.")] = SECONDS,
    photos: Annotated[
        list[Path] | None,
        typer.Option(
            "--photo",
            metavar="PATH",
            help="Photo, or folder of photos, for the time from JPEG bytes to label. For several, repeat the option. "
            "Default: a synthetic photo of 1280 x 960 pixels.",
            show_default=False,
        ),
    ] = None,
    end_to_end: Annotated[
        bool,
        typer.Option("--end-to-end/--no-end-to-end", help="Also measure the time from a photo's bytes to its label."),
    ] = True,
    xnnpack: Annotated[
        bool, typer.Option("--xnnpack/--no-xnnpack", help="Let the runtime use its XNNPACK delegate.")
    ] = True,
    runtime: RuntimeName = None,
    device: Device = None,
    compare_with: Annotated[
        Path | None,
        typer.Option(
            "--compare",
            metavar="OLD.json",
            help="Show earlier results (of --json) beside the new ones; exit code 1 if something is worse.",
            show_default=False,
        ),
    ] = None,
    factor: Annotated[
        float,
        typer.Option(
            metavar="X",
            help="With --compare: a median latency, file size or peak memory is worse if above X times the old one.",
        ),
    ] = FACTOR,
    across_machines: Annotated[
        bool,
        typer.Option("--across-machines", help="With --compare: compare even if machine, runtime or delegate differ."),
    ] = False,
    results_file: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="NEW.json",
            help="Do not measure: show, compare or convert these earlier results.",
            show_default=False,
        ),
    ] = None,
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Also write the results as CSV, one row each.", show_default=False),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure models on this machine: latency, size, memory, and time from photo to label.

    Each model runs in a process of its own, in turns with the others. Warnings say when the figures are not reliable;
    docs/measuring.md describes how they are measured. To check a change, save the output of --json before it and give
    the file to --compare after it: the exit code is 1 if something is worse.

    Example: edgeretrain benchmark flowers/model.*.tflite --threads 1,2,4 --photo flower_photos/roses
    """
    from edgeretrain.benchmark import as_csv, compare, read_results
    from edgeretrain.files.atomic import write_atomic
    from edgeretrain.records.json_form import to_json
    from edgeretrain.report.benchmark_table import render_benchmark, render_comparison

    old = None if compare_with is None else read_results(compare_with)  # before minutes go by
    if results_file is not None:
        if models or device:
            raise EdgeretrainError(
                "--results shows earlier results and does not measure. Leave out the models and --device."
            )
        results = read_results(results_file)
    else:
        options: dict[str, Any] = {"threads": parse_threads(threads), "runs": runs, "seconds": seconds}
        options |= {"runtime": runtime, "xnnpack": xnnpack, "end_to_end": end_to_end}
        with progress_shown(quiet) as progress:
            if device is None:
                from edgeretrain.benchmark import benchmark

                results = benchmark(models or [], **options, photos=photos or [], progress=progress)
            elif photos:
                raise EdgeretrainError("--photo cannot be combined with --device. Leave one of them out.")
            else:
                from edgeretrain.remote import benchmark_on

                results = benchmark_on(device, models or [], **options, progress=progress)
    if csv_file is not None:
        write_atomic(csv_file, as_csv(results))
    comparison = None if old is None else compare(old, results, factor=factor, across=across_machines)
    if as_json:
        print_json(to_json(replace(results, comparison=comparison)))
    else:
        print_rich(render_benchmark(results))
        if comparison is not None:
            print_rich(render_comparison(comparison))
    _fail_if_worse(results, comparison)


def parse_threads(text: str) -> list[int]:
    """`1,2,4` -> [1, 2, 4].

    Raises:
        EdgeretrainError: not whole numbers from 1 to 9999, separated by commas.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and len(part) <= 4 and int(part) > 0 for part in parts):
        raise EdgeretrainError(f"--threads must be numbers from 1 to 9999, such as 1,2,4, not {text!r}.")
    return list(dict.fromkeys(map(int, parts)))


def _fail_if_worse(results: Benchmark, comparison: Comparison | None) -> None:
    """Raise EdgeretrainError for models that could not be measured or are worse. Everything has been printed."""
    failed = [
        f"{failure.model}, {failure.threads} threads: {failure.error.rstrip('.')}" for failure in results.failures
    ]
    problems = []
    if failed:
        problems.append(f"{len(failed)} of {len(results.results)} could not be measured: {_first(failed)}")
    if comparison is not None and comparison.regressions:
        problems.append(f"Worse by a factor of more than {comparison.factor:g}: {_first(comparison.regressions)}")
    if problems:
        raise EdgeretrainError(f"{'. '.join(problems)}.")


def _first(problems: Sequence[str]) -> str:
    return problems[0] if len(problems) == 1 else f"{problems[0]}; and {len(problems) - 1} more"
