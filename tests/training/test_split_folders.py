"""Photos that are split already, and the user's own test set, from the folder to the report."""

from pathlib import Path
from typing import Any

import pytest
from support.garden import TEXTURES, encoded, put, texture
from support.plain import retrain, sweep, teach

from edgeretrain.errors import EdgeretrainError
from edgeretrain.evaluation.evaluate import evaluate_folder
from edgeretrain.options import Options
from edgeretrain.records.json_form import to_json

pytest.importorskip("ai_edge_litert")


def write(folder: Path, first: int, count: int) -> Path:
    """`count` photos of each texture; the names begin at 0 again."""
    for label in TEXTURES:
        for number in range(count):
            put(folder / label / f"{number}.jpg", encoded(texture(label, first + number)))
    return folder


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("split") / "textures"
    for part, first, count in (("Train", 0, 24), ("valid", 100, 6), ("TEST", 200, 6)):
        write(root / part, first, count)
    put(root / "README.txt", b"about")
    return root


def run(photos: Path, out: Path, cache: Path, **options: Any) -> dict[str, Any]:
    return retrain(photos, out, precisions=["int8"], cache=cache, **options)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def trained(parts: Path, cache: Path) -> Path:
    return Path(run(parts, parts.parent / "run", cache) and parts.parent / "run")


def test_a_split_folder_trains_its_classes(parts: Path, cache: Path, tmp_path: Path) -> None:
    report = run(parts, tmp_path / "run", cache)
    assert report["photos"]["labels"] == list(TEXTURES)
    assert report["photos"]["training"] == dict.fromkeys(TEXTURES, 24)
    assert report["photos"]["validation"] == report["photos"]["testing"] == dict.fromkeys(TEXTURES, 6)
    assert report["photos"]["warnings"][0] == (
        "The photos are split already, and used so: Train/ (72), valid/ (18), TEST/ (18)."
    )
    (model,) = report["models"]
    assert model["evaluation"]["photos"] == 18
    assert {mistake["photo"].split("/")[0] for mistake in model["evaluation"]["mistakes"]} <= {"TEST"}
    evaluation, _ = evaluate_folder(tmp_path / "run" / "model.int8.tflite", parts / "TEST")
    assert to_json(evaluation)["confusion"] == model["evaluation"]["confusion"]


def test_evaluate_takes_its_test_photos(trained: Path, parts: Path) -> None:
    model, told = trained / "model.int8.tflite", list[str]()
    for testing_only in (None, (10.0, 10.0)):
        evaluation, skipped = evaluate_folder(model, parts, testing_only=testing_only, notify=told.append)
        assert evaluation.photos == 18 and not skipped
    assert told[1] == "Evaluated on its 18 test photos only. Give one folder of them for others."
    with pytest.raises(EdgeretrainError, match="the class 'TEST' is none of the model's labels"):
        evaluate_folder(model, parts, layout="classes")


def test_evaluate_finds_a_test_set_that_was_cut(parts: Path, cache: Path, tmp_path: Path) -> None:
    photos = tmp_path / "two"
    write(photos / "train", 0, 24)
    write(photos / "val", 100, 6)
    report = run(photos, tmp_path / "run", cache)
    assert report["photos"]["validation"] == dict.fromkeys(TEXTURES, 6)
    evaluation, _ = evaluate_folder(tmp_path / "run" / "model.int8.tflite", photos, testing_only=(10, 10))
    assert to_json(evaluation)["confusion"] == report["models"][0]["evaluation"]["confusion"]


def test_a_test_set_of_the_users_own(parts: Path, cache: Path, tmp_path: Path) -> None:
    options = Options(testing_percentage=0)
    report = run(parts / "Train", tmp_path / "run", cache, options=options, test=parts / "TEST")
    photos = report["photos"]
    assert photos["testing"] == dict.fromkeys(TEXTURES, 6)
    assert sum(photos["training"].values()) + sum(photos["validation"].values()) == 72
    assert report["options"]["testing_percentage"] == 0
    with pytest.raises(EdgeretrainError, match="0 is for photos of your own: --validation FOLDER, --test FOLDER"):
        run(parts / "Train", tmp_path / "not", cache, options=options)
    with pytest.raises(EdgeretrainError, match="0 is for photos of your own"):
        run(parts / "Train", tmp_path / "not", cache, options=options, validation=parts / "valid")


def test_what_was_split_can_be_taught(trained: Path, cache: Path, tmp_path: Path) -> None:
    before = write(tmp_path / "new", 300, 9)
    (before / "dots").rename(before / "spots")
    report = teach(trained, tmp_path / "taught", add={"spots": before / "spots"}, cache=cache)
    assert report["photos"]["testing"] == dict.fromkeys(TEXTURES, 6) | {"spots": report["photos"]["testing"]["spots"]}


def test_a_sweep_sees_the_same_split(parts: Path, cache: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"presets": ["mobilenet_v2_100_224"], "precisions": ["int8"], "latency": False}
    first = sweep(parts, tmp_path / "sweep", cache=cache, **given)
    assert first["photos"]["labels"] == list(TEXTURES)
    assert first["photos"]["testing"] == 18
    assert sweep(parts, tmp_path / "sweep", cache=cache, **given) == first
    classes = sweep(parts, tmp_path / "sweep", cache=cache, layout="classes", **given)
    assert classes["photos"]["labels"] == ["TEST", "Train", "valid"]
