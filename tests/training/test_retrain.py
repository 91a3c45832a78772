"""The main job as a whole: what it writes, that it writes the same twice, and what it leaves when it fails."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.garden import Run, encoded, jpeg, put, texture
from support.plain import retrain

from edgeretrain.backbone import find_backbone
from edgeretrain.classifier import Classifier
from edgeretrain.data.photos import find_photos
from edgeretrain.data.split import split_photos
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.extract import Column, Extractor
from edgeretrain.files.fingerprint import sha256
from edgeretrain.head.logistic import L2_GRID, fit_logistic
from edgeretrain.head.sgd import Sgd
from edgeretrain.options import Options
from edgeretrain.precision import PRECISIONS
from edgeretrain.tflite.package import read_package
from edgeretrain.training import run as run_module

pytest.importorskip("ai_edge_litert")
FILES = {
    *(f"model.{precision}.tflite" for precision in PRECISIONS),
    *(f"bottlenecks.{precision}.npz" for precision in PRECISIONS),
    *("labels.txt", "report.json", "report.html", "manifest.json"),
}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture
def photos(textures: Path, tmp_path: Path) -> Path:
    """The photos of `run`, to be spoilt at will."""
    return Path(shutil.copytree(textures, tmp_path / "photos"))


# What it writes


def test_the_run_folder(run: Run) -> None:
    assert set(digests(run.out)) == FILES
    assert (run.out / "labels.txt").read_bytes() == b"checks\ndots\nstripes\n"
    assert json.loads((run.out / "report.json").read_text(encoding="utf-8")) == json.loads(json.dumps(run.report))
    assert [path.name for path in run.out.parent.iterdir()] == [run.out.name]
    page = (run.out / "report.html").read_text(encoding="utf-8")
    assert all(f"model.{precision}.tflite" in page for precision in PRECISIONS)


def test_the_report(run: Run) -> None:
    report = run.report
    split = split_photos(find_photos(run.photos))
    assert report["preset"] == "mobilenet_v2_100_224"
    assert report["runtime"].startswith("ai_edge_litert ")
    assert report["options"] == {
        "fit": "squash",
        "validation_percentage": 10,
        "testing_percentage": 10,
        "class_weight": "balanced",
        "flip_left_right": False,
        "sgd": None,
        "seed": 0,
    }
    photos = report["photos"]
    for place in ("training", "validation", "testing"):
        own = getattr(split, place)
        assert photos[place] == {label: sum(photo.label == label for photo in own) for label in photos["labels"]}
    assert (photos["skipped"], photos["warnings"]) == ([], [])
    assert [model["precision"] for model in report["models"]] == list(PRECISIONS)
    for model in report["models"]:
        path = run.out / model["file"]
        assert (model["bytes"], model["sha256"]) == (path.stat().st_size, sha256(path))
        backbone = find_backbone("mobilenet_v2_100_224", model["precision"])
        assert model["backbone"]["sha256"] == sha256(backbone.path)
        assert model["evaluation"]["photos"] == len(split.testing)
        assert model["head"]["method"] == "L2 logistic regression"
    assert run.report["models"][0]["evaluation"]["agreement_with_float32"] == 1


def test_the_verdict_is_that_of_the_files_themselves(run: Run) -> None:
    testing = split_photos(find_photos(run.photos)).testing
    for model in run.report["models"]:
        classifier = Classifier(run.out / model["file"])
        wrong = [photo.name for photo in testing if classifier(photo.path, top_k=1)[0].label != photo.label]
        assert [mistake["photo"] for mistake in model["evaluation"]["mistakes"]] == wrong
        assert model["evaluation"]["top1"] == pytest.approx(1 - len(wrong) / len(testing))
        assert model["evaluation"]["top1"] > 0.6  # guessing gives a third


def test_the_card_in_each_file(run: Run) -> None:
    for model in run.report["models"]:
        card = read_package(run.out / model["file"]).card
        assert (card["preset"], card["precision"], card["fit"]) == (
            "mobilenet_v2_100_224",
            model["precision"],
            "squash",
        )
        assert (card["head"], card["backbone"]) == (model["head"], model["backbone"])
        assert sum(card["photos"].values()) == 72


def test_nothing_of_this_machine_is_written(run: Run) -> None:
    for path in run.out.iterdir():
        content = path.read_bytes()
        for place in (run.photos.parent, run.out.parent, find_backbone("mobilenet_v2_100_224", "int8").path.parent):
            assert str(place).encode() not in content, path.name


@pytest.mark.parametrize("flip", [False, True])
def test_the_head_learns_from_training_and_validation_photos(run: Run, cache: Path, tmp_path: Path, flip: bool) -> None:
    """At the strength that the validation photos chose; not from the test photos; from mirrored ones if told so."""
    options = Options(flip_left_right=flip)
    report = retrain(run.photos, tmp_path / "run", precisions=["float32"], options=options)
    photo_set = find_photos(run.photos)
    split = split_photos(photo_set)
    learnt = split.training + split.validation
    backbone = find_backbone("mobilenet_v2_100_224", "float32")
    values = Extractor("squash", cache).features(learnt, Column(backbone))
    labels = np.array([photo_set.labels.index(photo.label) for photo in learnt])
    if flip:
        mirrored = Extractor("squash", cache).features(learnt, Column(backbone, flip=True))
        values, labels = np.concatenate([values, mirrored]), np.concatenate([labels, labels])
    head = fit_logistic(values, labels, np.arange(len(labels)), 3, l2=report["models"][0]["head"]["l2"])
    testing = Extractor("squash", cache).features(split.testing, Column(backbone))
    classifier = Classifier(tmp_path / "run" / "model.float32.tflite")
    found = np.stack([classifier.probabilities(photo.path) for photo in split.testing])
    assert np.abs(found - head.probabilities(testing)).max() < 1e-3
    without = fit_logistic(
        values, labels, np.arange(len(split.training)), 3, l2=report["models"][0]["head"]["l2"]
    ).probabilities(testing)
    assert np.abs(found - without).max() > 1e-2


# The same bytes


@pytest.mark.parametrize("workers", [1, 3])
def test_same_bytes_warm_with_any_number_of_workers(run: Run, tmp_path: Path, workers: int) -> None:
    retrain(run.photos, tmp_path / "run", precisions=PRECISIONS, workers=workers)
    assert digests(tmp_path / "run") == digests(run.out)


def test_same_bytes_cold_and_with_the_photos_moved(run: Run, photos: Path, tmp_path: Path) -> None:
    moved = photos.rename(tmp_path / "Fotos, verschoben")
    retrain(moved, tmp_path / "run", precisions=PRECISIONS[::-1], cache=tmp_path / "cache")
    assert digests(tmp_path / "run") == digests(run.out)


def test_same_bytes_with_a_damaged_cache(run: Run, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    retrain(run.photos, tmp_path / "one", precisions=["int8"], cache=cache)
    (file,) = cache.rglob("*.sqlite")
    content = bytearray(file.read_bytes())
    random = np.random.default_rng(0)
    for place in random.integers(4096, len(content), 20):
        content[place] ^= 0xFF
    file.write_bytes(content)
    retrain(run.photos, tmp_path / "two", precisions=["int8"], cache=cache)
    assert digests(tmp_path / "two") == digests(tmp_path / "one")
    name = "model.int8.tflite"
    assert digests(tmp_path / "two")[name] == digests(run.out)[name]


# Options


def test_flip_left_right_trains_on_mirrored_photos(run: Run, tmp_path: Path) -> None:
    report = retrain(run.photos, tmp_path / "run", precisions=["int8"], options=Options(flip_left_right=True))
    learnt = sum(sum(report["photos"][place].values()) for place in ("training", "validation"))
    with np.load(tmp_path / "run" / "bottlenecks.int8.npz") as kept:
        assert len(kept["mirrored"]) == learnt
    (model,) = report["models"]
    assert model["evaluation"]["top1"] > 0.6
    assert model["sha256"] != run.report["models"][3]["sha256"]
    assert sum(report["photos"]["training"].values()) == sum(run.report["photos"]["training"].values())


def test_sgd(run: Run, tmp_path: Path) -> None:
    made = {}
    for seed in (0, 0, 1):
        options = Options(sgd=Sgd(steps=300, learning_rate=0.05), seed=seed)
        report = retrain(run.photos, tmp_path / "run", precisions=["float32"], options=options)
        (model,) = report["models"]
        assert made.setdefault(seed, model["sha256"]) == model["sha256"]
        assert model["evaluation"]["top1"] > 0.6
        assert model["head"]["method"] == "SGD, as retrain.py"
        assert {key: model["head"][key] for key in ("steps", "learning_rate", "batch_size")} == {
            "steps": 300,
            "learning_rate": 0.05,
            "batch_size": 100,
        }
        assert report["options"]["sgd"] == {"steps": 300, "learning_rate": 0.05, "batch_size": 100}
        assert model["evaluation"]["agreement_with_float32"] == 1
    assert made[0] != made[1]


def test_crop_stays_with_the_model(run: Run, tmp_path: Path) -> None:
    retrain(run.photos, tmp_path / "run", precisions=["int8"], options=Options(fit="crop"))
    assert Classifier(tmp_path / "run" / "model.int8.tflite").fit == "crop"
    assert digests(tmp_path / "run")["model.int8.tflite"] != digests(run.out)["model.int8.tflite"]


def test_percentages(run: Run, tmp_path: Path) -> None:
    options = Options(validation_percentage=25, testing_percentage=30)
    photos = retrain(run.photos, tmp_path / "run", precisions=["int8"], options=options)["photos"]
    split = split_photos(find_photos(run.photos), validation_percentage=25, testing_percentage=30)
    assert sum(photos["testing"].values()) == len(split.testing) > 9
    assert sum(photos["validation"].values()) == len(split.validation) > 9


def test_a_backbone_of_the_users_own(run: Run, tmp_path: Path) -> None:
    own = tmp_path / "extractor.tflite"
    shutil.copy(find_backbone("mobilenet_v1_100_224", "int8").path, own)
    report = retrain(run.photos, tmp_path / "run", precisions=["int8"], backbone=own)
    assert report["preset"] is None
    assert report["models"][0]["backbone"] == {"sha256": sha256(own)}
    classifier = Classifier(tmp_path / "run" / "model.int8.tflite")
    assert classifier.card["preset"] == "extractor"
    assert classifier(texture("dots", 1), top_k=1)


def test_float32_is_not_needed_for_a_verdict(run: Run, tmp_path: Path) -> None:
    report = retrain(run.photos, tmp_path / "run", precisions=["int8", "int8"])
    assert [model["evaluation"]["agreement_with_float32"] for model in report["models"]] == [None]


def test_progress_tells_every_step_to_its_end(run: Run, tmp_path: Path) -> None:
    told: dict[str, tuple[int, int]] = {}

    def progress(step: str, done: int, total: int) -> None:
        assert told.get(step, (0, total)) <= (done, total)
        told[step] = (done, total)

    retrain(run.photos, tmp_path / "run", precisions=["int8"], progress=progress)
    testing = sum(run.report["photos"]["testing"].values())
    assert told == {
        "Bottlenecks": (72, 72),
        "Head mobilenet_v2_100_224 int8": (len(L2_GRID), len(L2_GRID)),
        "Evaluation": (testing, testing),
    }


# Photos that cannot be read


def test_a_truncated_photo_is_skipped_and_named(photos: Path, tmp_path: Path) -> None:
    cut = photos / "dots" / "d05.jpeg"
    cut.write_bytes(cut.read_bytes()[:-300])
    put(photos / "checks" / "zero.jpg", b"")
    report = retrain(photos, tmp_path / "run", precisions=["float32", "int8"])
    assert report["photos"]["skipped"] == [
        {"photo": "checks/zero.jpg", "reason": "empty file"},
        {"photo": "dots/d05.jpeg", "reason": "truncated or damaged file"},
    ]
    assert sum(sum(report["photos"][place].values()) for place in ("training", "validation", "testing")) == 71
    # The models are those of the photos without it.
    cut.unlink()
    (photos / "checks" / "zero.jpg").unlink()
    again = retrain(photos, tmp_path / "again", precisions=["float32", "int8"])
    assert [model["sha256"] for model in again["models"]] == [model["sha256"] for model in report["models"]]


def test_strict_refuses_a_truncated_photo(photos: Path, tmp_path: Path) -> None:
    cut = photos / "dots" / "d05.jpeg"
    cut.write_bytes(cut.read_bytes()[:-300])
    with pytest.raises(EdgeretrainError, match=r"1 photo is unreadable \(dots/d05\.jpeg: truncated or damaged file\)"):
        retrain(photos, tmp_path / "run", precisions=["int8"], strict=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_a_class_whose_photos_are_all_damaged(photos: Path, tmp_path: Path) -> None:
    for path in (photos / "dots").iterdir():
        path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(EdgeretrainError, match="The class 'dots' has no photo that can be read: all 24 were skipped"):
        retrain(photos, tmp_path / "run", precisions=["int8"])
    assert not (tmp_path / "run").exists()


def test_the_same_photo_in_two_classes_is_warned_about(photos: Path, tmp_path: Path) -> None:
    shutil.copy(photos / "dots" / "d00.png", photos / "checks" / "same.png")
    report = retrain(photos, tmp_path / "run", precisions=["int8"])
    (warning,) = report["photos"]["warnings"]
    assert "checks/same.png, dots/d00.png" in warning


# Folders


def test_an_earlier_run_is_replaced(run: Run, tmp_path: Path) -> None:
    out = Path(shutil.copytree(run.out, tmp_path / "run"))
    retrain(run.photos, out, precisions=["int8"])
    assert set(digests(out)) == {name for name in FILES if "float" not in name and "dynamic" not in name}
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("place", ["in the midst of the work", "at the end"])
def test_a_failure_leaves_the_earlier_run_and_nothing_else(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    out = Path(shutil.copytree(run.out, tmp_path / "run"))
    monkeypatch.setattr(run_module, "write_classifier" if place.startswith("in") else "render_page", failing)
    with pytest.raises(ZeroDivisionError):
        retrain(run.photos, out, precisions=["int8"])
    assert digests(out) == digests(run.out)
    assert list(tmp_path.iterdir()) == [out]


def test_a_foreign_folder_is_refused_before_any_work(run: Run, tmp_path: Path) -> None:
    put(tmp_path / "run" / "thesis.docx", b"x")
    seen: list[str] = []
    with pytest.raises(EdgeretrainError, match=r"holds thesis\.docx, which edgeretrain did not write"):
        retrain(run.photos, tmp_path / "run", progress=lambda step, *_: seen.append(step))
    assert seen == []
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.docx"]


def test_the_photos_folder_is_no_run_folder(photos: Path) -> None:
    before = digests(photos / "dots")
    for out in (photos, photos / "run", photos / "dots" / "run"):
        with pytest.raises(EdgeretrainError):
            retrain(photos, out, precisions=["int8"])
    assert digests(photos / "dots") == before
    assert sorted(path.name for path in photos.iterdir()) == ["checks", "dots", "stripes"]


# Refusals


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"precisions": ["int4"]}, "There is no precision 'int4'. Use one of float32, float16, dynamic, int8."),
        ({"precisions": []}, "There is no precision given."),
        ({"preset": "resnet"}, "There is no preset 'resnet'"),
        ({"runtime": "onnx"}, "There is no runtime 'onnx'"),
        ({"options": Options(testing_percentage=0)}, "must be above 0"),
        ({"options": Options(validation_percentage=-5)}, "must be above 0"),
        ({"options": Options(validation_percentage=60, testing_percentage=40)}, "leave no photos to train on"),
        ({"backbone": Path("x.tflite")}, "Give one --precision with --backbone."),
        ({"backbone": Path("x.tflite"), "precisions": ["int8"]}, "x.tflite: no such backbone file"),
    ],
)
def test_options_that_make_no_sense(run: Run, tmp_path: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(EdgeretrainError) as caught:
        retrain(run.photos, tmp_path / "deep" / "run", **options)
    assert told in str(caught.value) and "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda photos: shutil.rmtree(photos), "There is no folder"),
        (lambda photos: shutil.rmtree(photos / "dots"), "Class 'few' has too few photos"),
        (lambda photos: [put(photos / "few" / f"{n}.jpg", b"") for n in range(3)], "The class 'few' has no photo"),
    ],
)
def test_photos_that_will_not_do(photos: Path, tmp_path: Path, spoil: Callable[[Path], object], told: str) -> None:
    for number in range(2):
        put(photos / "few" / f"{number}.jpg", jpeg(number))
    spoil(photos)
    with pytest.raises(EdgeretrainError, match=told):
        retrain(photos, tmp_path / "run", precisions=["int8"])
    assert {path.name for path in tmp_path.iterdir()} <= {"photos"}


def test_three_photos_per_class_are_enough(tmp_path: Path) -> None:
    for label in ("checks", "stripes"):
        for number in range(3):
            put(tmp_path / "photos" / label / f"{number}.png", encoded(texture(label, number), "PNG"))
    report = retrain(tmp_path / "photos", tmp_path / "run", precisions=["int8"])
    assert [report["photos"][place] for place in ("training", "validation", "testing")] == [
        {"checks": 1, "stripes": 1}
    ] * 3
    assert len(report["photos"]["warnings"]) == 2
