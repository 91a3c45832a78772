"""One retrain on real photos in all four precisions, and environments of other packages to run its files in."""

import os
from pathlib import Path

import pytest

from compat.environments import Environment, Retrained, make_environment

TESTING_PERCENTAGE = 50


@pytest.fixture(scope="session")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Retrained:
    pytest.importorskip("ai_edge_litert")
    flowers = Path(os.environ.get("EDGERETRAIN_PHOTOS", "nowhere")) / "flower_photos"
    if not flowers.is_dir():
        pytest.skip("EDGERETRAIN_PHOTOS names no folder that holds flower_photos")
    from support.plain import retrain

    from edgeretrain.data.photos import find_photos
    from edgeretrain.data.split import split_photos
    from edgeretrain.files.run_folder import model_file
    from edgeretrain.options import Options
    from edgeretrain.precision import PRECISIONS

    root = tmp_path_factory.mktemp("retrained")
    # Half of the photos held out: a model is sure of photos that it was trained on, so they prove little.
    options = Options(testing_percentage=TESTING_PERCENTAGE)
    retrain(
        flowers,
        root / "run",
        precisions=PRECISIONS,
        options=options,
        cache=root / "cache",
        runtime="ai_edge_litert",
    )
    found = find_photos(flowers)
    photos = [photo.path for photo in found.photos]
    position = {path: index for index, path in enumerate(photos)}
    testing = split_photos(found, validation_percentage=10, testing_percentage=TESTING_PERCENTAGE).testing
    return Retrained(
        folder=root / "run",
        models=[root / "run" / model_file(precision) for precision in PRECISIONS],
        labels=(root / "run" / "labels.txt").read_text(encoding="utf-8").splitlines(),
        photos=photos,
        testing=[position[photo.path] for photo in testing],
    )


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return lambda *requirements: make_environment(tmp_path_factory.mktemp("environment"), *requirements)
