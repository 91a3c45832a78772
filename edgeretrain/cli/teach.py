"""`edgeretrain teach`."""

import re
from pathlib import Path
from typing import Annotated

import typer

from edgeretrain.cli.console import Json, Quiet, RuntimeName, Workers, print_json, print_rich, progress_shown, say
from edgeretrain.cli.options import Strict
from edgeretrain.errors import EdgeretrainError


def teach_command(
    model: Annotated[
        Path,
        typer.Argument(
            help="Run folder written by retrain or teach, or one model in it.", metavar="MODEL", show_default=False
        ),
    ],
    photos: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Photos of the class given with --add: folders or files.", metavar="PHOTOS...", show_default=False
        ),
    ] = None,
    *,
    add: Annotated[
        list[str] | None,
        typer.Option(
            "--add",
            metavar="CLASS",
            help="Class to add the PHOTOS to; a new class or one of the model. For several classes, write --add "
            "CLASS=PHOTOS for each and no PHOTOS at the end.",
            show_default=False,
        ),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            "--remove", metavar="CLASS", help="Class to remove. For several, repeat the option.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FOLDER",
            help="Run folder to write; give the folder of MODEL to replace it. Default: a new folder beside it, with "
            "'-taught' in its name.",
        ),
    ] = None,
    strict: Strict = False,
    workers: Workers = None,
    runtime: RuntimeName = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Add classes to a model, or remove some, without the photos that it was trained on.

    The run folder holds the bottlenecks of the old photos and how they were split. New photos are split by the same
    rule, the head is fitted again, and the new models are tested on the old and the new test photos. All models of a
    run folder are taught, or only one if MODEL is a file. Photos of a class that the model has are added to it.
    TensorFlow and the backbone are not needed.

    Example: edgeretrain teach flowers --add orchids orchid_photos
    """
    from edgeretrain.records.json_form import to_json
    from edgeretrain.report import render_table, render_taught
    from edgeretrain.training.teach import teach

    added = parse_added(add or [], photos or [])
    run_folder = out or free_folder(model if model.is_dir() else model.parent)
    with progress_shown(quiet) as progress:
        report = teach(
            model,
            run_folder,
            add=added,
            remove=remove or [],
            strict=strict,
            runtime=runtime,
            workers=workers,
            progress=progress,
        )
    if as_json:
        print_json(to_json(report))
        return
    print_rich(render_taught(report))
    print_rich(render_table(report))
    say(f"Models and report: {run_folder / 'report.html'}")


def parse_added(classes: list[str], photos: list[Path]) -> dict[str, list[Path]]:
    """The photos of each class: one class and its photos, or `CLASS=PHOTOS` for each.

    Raises:
        EdgeretrainError: it is not clear which photos show which class.
    """
    if photos:
        if len(classes) != 1:
            count = f"{len(classes)} classes are" if classes else "no class is"
            raise EdgeretrainError(
                f"Photos are given ({photos[0]}), but {count} given with --add. Name one class with --add CLASS, or "
                "write --add CLASS=PHOTOS for each."
            )
        return {classes[0]: photos}
    added: dict[str, list[Path]] = {}
    for text in classes:
        label, separator, source = text.partition("=")
        if not (separator and source):
            raise EdgeretrainError(
                f"--add {text!r}: no photos are given. Add them at the end, or write --add {label}=PHOTOS."
            )
        added.setdefault(label, []).append(Path(source))
    return added


def free_folder(run_folder: Path) -> Path:
    """The first free name for the taught run beside the earlier one: `flowers-taught`, `flowers-taught-2`."""
    earlier = run_folder.resolve()
    stem = re.sub(r"-taught(-\d+)?$", "", earlier.name) or "run"
    parent = run_folder.parent if run_folder.name not in ("", "..") else earlier.parent
    number = 1
    while (parent / (name := f"{stem}-taught" + (f"-{number}" if number > 1 else ""))).exists():
        number += 1
    return parent / name
