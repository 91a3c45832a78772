"""`edgeretrain demo`."""

from pathlib import Path
from typing import Annotated

import typer

from edgeretrain.cli.console import Json, Quiet, progress_shown, say
from edgeretrain.cli.retrain import print_report


def demo_command(
    *,
    flowers: Annotated[
        bool,
        typer.Option(
            "--flowers", help="Use TensorFlow's flower_photos (3,670 photos, a download of 229 MB) instead of surfaces."
        ),
    ] = False,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the photos and the run.")
    ] = Path("edgeretrain-demo"),
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Retrain on a small set of real photos, in all four precisions, and show the results.

    The photos are ground surfaces, cut from photographs that come with scikit-image: nothing is downloaded. Training
    and test photos come from different regions of a photograph.
    """
    from edgeretrain.data.walk import photo_files
    from edgeretrain.demo import fetch_flowers, make_surfaces
    from edgeretrain.options import Options
    from edgeretrain.precision import PRECISIONS
    from edgeretrain.training.retrain import retrain

    with progress_shown(quiet) as progress:
        if flowers:
            photos = fetch_flowers(out / "flower_photos", progress=progress)
        else:
            photos = make_surfaces(out / "photos", progress=progress)
        # There are few surfaces: at 10 % a single mistake would be 4.5 points.
        options = Options() if flowers else Options(validation_percentage=20, testing_percentage=20)
        run_folder = out / "run"
        report = retrain(photos, run_folder, precisions=PRECISIONS, options=options, progress=progress)
    print_report(report, run_folder, as_json=as_json)
    if not as_json:
        example = min(photo for photo, _ in photo_files(photos / report.photos.labels[0]))
        say(f"Next: edgeretrain classify {run_folder / 'model.int8.tflite'} {example}")
