"""Adding and removing classes without the old photos: what comes out is what a retrain on all photos gives."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.garden import Pair, Run, encoded, jpeg, put, texture, write_textures
from support.own_backbone import put_own_backbone
from support.plain import retrain, teach

from edgeretrain.backbone import find_backbone
from edgeretrain.classifier import Classifier
from edgeretrain.data.photos import find_photos
from edgeretrain.data.pixels import PIXELS_VERSION
from edgeretrain.data.split import split_photos
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.store import read_listing
from edgeretrain.head.sgd import Sgd
from edgeretrain.options import Options
from edgeretrain.tflite.package import read_package
from edgeretrain.training import run as run_module

pytest.importorskip("ai_edge_litert")


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def flatbuffers(folder: Path) -> dict[str, str]:
    """SHA-256 of each model without its labels and card."""
    return {path.name: read_package(path).card["flatbuffer_sha256"] for path in sorted(folder.glob("*.tflite"))}


def same_model(one: Path, other: Path) -> None:
    """Check that two run folders hold the same models, but for the card's word on how they came about."""
    assert flatbuffers(one) == flatbuffers(other)
    ours, theirs = bytes_of(one), bytes_of(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        if name.endswith((".npz", ".txt")):
            assert ours[name] == theirs[name], name
        if name.endswith(".tflite"):
            cards = [read_package(folder / name).card for folder in (one, other)]
            for card in cards:
                card.pop("taught", None)
            assert cards[0] == cards[1]
    reports = [json.loads(files["report.json"]) for files in (ours, theirs)]
    for key in ("preset", "runtime", "options"):
        assert reports[0][key] == reports[1][key]
    for key in ("digest", "labels", "training", "validation", "testing"):
        assert reports[0]["photos"][key] == reports[1]["photos"][key]
    for model, again in zip(reports[0]["models"], reports[1]["models"], strict=True):
        for key in ("precision", "file", "backbone", "head", "reject_below", "evaluation"):
            assert model[key] == again[key], key


def test_a_class_added_is_a_retrain_on_all(taught: Run, run: Run) -> None:
    """The figures too: those of `run` come from running the finished files on all test photos."""
    same_model(taught.out, run.out)
    assert (taught.out / "labels.txt").read_bytes() == b"checks\ndots\nstripes\n"


def test_a_class_removed_is_a_retrain_without_it(taught: Run, pair: Pair, tmp_path: Path) -> None:
    report = teach(taught.out, tmp_path / "run", remove=["dots"])
    same_model(tmp_path / "run", pair.run)
    assert report["taught"] == {"added": {}, "removed": {"dots": 24}}
    assert read_package(tmp_path / "run" / "model.int8.tflite").card["taught"] == [
        {"added": {"dots": 24}, "removed": {}},
        {"added": {}, "removed": {"dots": 24}},
    ]


def test_what_is_told_of_the_old_classes(taught: Run, pair: Pair) -> None:
    assert taught.report["taught"] == {"added": {"dots": 24}, "removed": {}}
    assert json.loads((taught.out / "report.json").read_text("utf-8")) == json.loads(json.dumps(taught.report))
    for model, earlier in zip(taught.report["models"], pair.report["models"], strict=True):
        known = model["known"]
        assert known["top1_before"] == earlier["evaluation"]["top1"]
        assert known["photos"] == earlier["evaluation"]["photos"]
        assert [(one["label"], one["photos"], one["recall_before"]) for one in known["classes"]] == [
            (one["label"], one["photos"], one["recall"]) for one in earlier["evaluation"]["classes"]
        ]
        after = {one["label"]: one["recall"] for one in model["evaluation"]["classes"]}
        assert {one["label"]: one["recall_after"] for one in known["classes"]} == {
            label: after[label] for label in ("checks", "stripes")
        }


def test_the_verdict_is_that_of_the_files_themselves(taught: Run, textures: Path) -> None:
    """On the photos that `teach` has not seen, too."""
    testing = split_photos(find_photos(textures)).testing
    for model in taught.report["models"]:
        classifier = Classifier(taught.out / model["file"])
        scores = [classifier.probabilities(photo.path) for photo in testing]
        wrong = {
            photo.name: round(float(score.max()), 4)
            for photo, score in zip(testing, scores, strict=True)
            if classifier.labels[int(score.argmax())] != photo.label
        }
        assert {one["photo"]: one["score"] for one in model["evaluation"]["mistakes"]} == wrong


def test_the_page(taught: Run) -> None:
    page = (taught.out / "report.html").read_text("utf-8")
    assert "What was taught" in page
    assert "Added dots (24 photos)" in page


def test_old_mistakes_have_no_picture(taught: Run, tmp_path: Path) -> None:
    noise = [put(tmp_path / f"{number}.jpg", jpeg(number)) for number in range(3)]
    report = teach(taught.out / "model.int8.tflite", tmp_path / "run", add={"noise": noise})
    wrong = {one["photo"] for model in report["models"] for one in model["evaluation"]["mistakes"]}
    assert any(name.startswith("dots/") for name in wrong)  # or this would show nothing
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert page.count("data:image/jpeg") == sum(name.startswith("noise/") for name in wrong)
    assert page.count('class="file" title="dots/') == sum(name.startswith("dots/") for name in wrong)


def test_the_same_bytes_again(small: Path, pair: Pair, tmp_path: Path) -> None:
    dots = sorted(pair.dots.iterdir())[:6]
    for name, workers, cache in (("one", 1, "a"), ("other", 3, "b")):
        teach(small, tmp_path / name, add={"dots": dots}, workers=workers, cache=tmp_path / cache)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "other")
    for name, content in bytes_of(tmp_path / "one").items():
        assert str(tmp_path).encode() not in content, name
        assert str(pair.dots).encode() not in content, name


def test_one_model_of_a_run(pair: Pair, taught: Run, tmp_path: Path) -> None:
    shutil.copytree(pair.run, tmp_path / "copy")
    model = (tmp_path / "copy" / "model.int8.tflite").rename(tmp_path / "copy" / "renamed.tflite")
    teach(model, tmp_path / "run", add={"dots": [pair.dots]})
    assert flatbuffers(tmp_path / "run") == {"model.int8.tflite": flatbuffers(taught.out)["model.int8.tflite"]}


@pytest.mark.parametrize(
    "options",
    [
        Options(flip_left_right=True, fit="crop"),
        Options(sgd=Sgd(steps=50), seed=3, class_weight="none"),
        pytest.param(Options(validation_percentage=20, testing_percentage=30), marks=pytest.mark.slow),
    ],
    ids=["mirrored", "sgd", "percentages"],
)
def test_the_options_of_the_retrain_hold(tmp_path: Path, options: Options) -> None:
    photos = write_textures(tmp_path / "photos", 8)
    retrain(photos, tmp_path / "all", precisions=["int8"], options=options)
    dots = Path(shutil.move(photos / "dots", tmp_path / "dots"))
    retrain(photos, tmp_path / "two", precisions=["int8"], options=options)
    shutil.rmtree(photos)
    teach(tmp_path / "two", tmp_path / "taught", add={"dots": [dots]})
    same_model(tmp_path / "taught", tmp_path / "all")
    teach(tmp_path / "taught", tmp_path / "again", remove=["dots"])
    same_model(tmp_path / "again", tmp_path / "two")


def test_photos_for_a_class_that_is_there(run: Run, tmp_path: Path) -> None:
    """Those that the model knows are left as they are; the others make it the model of all."""
    few = write_textures(tmp_path / "few", 24)
    for path in sorted((few / "dots").iterdir())[20:]:
        path.unlink()
    retrain(few, tmp_path / "fewer", precisions=["int8"])
    report = teach(tmp_path / "fewer", tmp_path / "run", add={"dots": [run.photos / "dots"]})
    assert report["taught"]["added"] == {"dots": 4}
    assert report["photos"]["warnings"] == ["Class 'dots': photos that the model knew already, left as they were: 20."]
    assert flatbuffers(tmp_path / "run")["model.int8.tflite"] == flatbuffers(run.out)["model.int8.tflite"]
    places = read_listing(tmp_path / "fewer" / "bottlenecks.int8.npz").subsets
    assert places.items() <= read_listing(tmp_path / "run" / "bottlenecks.int8.npz").subsets.items()


def test_a_class_replaced(small: Path, pair: Pair, tmp_path: Path) -> None:
    report = teach(small, tmp_path / "run", add={"stripes": [pair.dots]}, remove=["stripes"])
    assert report["taught"] == {"added": {"stripes": 24}, "removed": {"stripes": 24}}
    assert [one["label"] for one in report["models"][0]["known"]["classes"]] == ["checks"]
    names = {photo.name for photo in read_listing(tmp_path / "run" / "bottlenecks.int8.npz").photos}
    assert {name for name in names if name.startswith("stripes/")} == {
        f"stripes/{path.name}" for path in pair.dots.iterdir()
    }


def test_several_classes_and_single_photos(small: Path, pair: Pair, tmp_path: Path) -> None:
    dots = sorted(pair.dots.iterdir())
    report = teach(small, tmp_path / "run", add={"other": dots[:5], "dots": [*dots[5:], pair.dots / dots[5].name]})
    assert report["taught"]["added"] == {"dots": 19, "other": 5}
    assert report["photos"]["labels"] == ["checks", "dots", "other", "stripes"]


# Without what made the model


def test_a_backbone_of_the_users_own_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = write_textures(tmp_path / "photos", 8)
    own = tmp_path / "extractor.tflite"
    shutil.copy(find_backbone("mobilenet_v1_100_224", "int8").path, own)
    report = retrain(photos, tmp_path / "first", precisions=["int8"], backbone=own)
    own.unlink()
    monkeypatch.setattr("edgeretrain.backbone.store.bundled_folder", lambda: tmp_path / "nothing")
    again = teach(tmp_path / "first", tmp_path / "run", remove=["dots"])
    assert again["preset"] is None
    assert again["models"][0]["backbone"] == report["models"][0]["backbone"]
    taught = teach(tmp_path / "run", tmp_path / "back", add={"dots": [photos / "dots"]})
    assert taught["models"][0]["evaluation"] == report["models"][0]["evaluation"]
    same_model(tmp_path / "back", tmp_path / "first")


def test_other_arithmetic_is_told(small: Path, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeretrain.training.teach.maker", lambda _: "tflite_runtime 2.14.0, Pillow 9, pixels 1")
    report = teach(small, tmp_path / "run", add={"dots": [pair.dots]})
    (warning,) = report["photos"]["warnings"]
    assert "made with ai_edge_litert" in warning and "with tflite_runtime 2.14.0, pixels 1." in warning
    assert len(read_listing(tmp_path / "run" / "bottlenecks.int8.npz").makers) == 2
    assert teach(small, tmp_path / "less", add={"dots": [pair.dots]}, remove=["checks"])["photos"]["warnings"]


def test_pixels_of_another_version_are_told(
    small: Path, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a run folder of pixels version 1 is taught by version 2."""
    monkeypatch.setattr("edgeretrain.features.store.PIXELS_VERSION", PIXELS_VERSION + 1)
    report = teach(small, tmp_path / "run", add={"dots": [pair.dots]})
    (warning,) = report["photos"]["warnings"]
    assert f", pixels {PIXELS_VERSION}, " in warning and f", pixels {PIXELS_VERSION + 1}." in warning


# New photos


def test_photos_that_cannot_be_read(small: Path, pair: Pair, tmp_path: Path) -> None:
    dots = Path(shutil.copytree(pair.dots, tmp_path / "dots"))
    put(dots / "d98.jpg", b"")
    put(dots / "notes.txt", b"not a photo")
    cut = dots / "d05.jpeg"
    cut.write_bytes(cut.read_bytes()[:-300])
    report = teach(small, tmp_path / "run", add={"dots": [dots]})
    assert report["photos"]["skipped"] == [
        {"photo": "dots/d05.jpeg", "reason": "truncated or damaged file"},
        {"photo": "dots/d98.jpg", "reason": "empty file"},
    ]
    assert report["taught"]["added"] == {"dots": 23}
    assert read_package(tmp_path / "run" / "model.int8.tflite").card["taught"][0]["added"] == {"dots": 23}
    with pytest.raises(EdgeretrainError, match=r"2 photos are unreadable \(dots/d05\.jpeg: .*; dots/d98\.jpg: empty"):
        teach(small, tmp_path / "strict", add={"dots": [dots]}, strict=True)
    (dots / "d98.jpg").unlink()
    with pytest.raises(EdgeretrainError, match=r"dots/d05\.jpeg: truncated"):
        teach(small, tmp_path / "strict", add={"dots": [dots]}, strict=True)
    assert not (tmp_path / "strict").exists()


def test_a_camera_that_counts_from_one_again(small: Path, pair: Pair, tmp_path: Path) -> None:
    """A new photo under an old name is another photo; the old one stays in its set."""
    new = put(tmp_path / "today" / "c00.png", encoded(texture("checks", 99), "PNG"))
    more = put(tmp_path / "later" / "c00.png", encoded(texture("checks", 98), "PNG"))
    teach(small, tmp_path / "run", add={"checks": [new, more.parent]})
    listing = read_listing(tmp_path / "run" / "bottlenecks.int8.npz")
    names = [photo.name for photo in listing.photos if photo.name.endswith("c00.png")]
    assert names == ["checks/2/c00.png", "checks/3/c00.png", "checks/c00.png"]
    assert len({photo.digest for photo in listing.photos if photo.name in names}) == 3
    earlier = read_listing(small / "bottlenecks.int8.npz")
    assert listing.subsets["checks/c00.png"] == earlier.subsets["checks/c00.png"]


def test_a_photo_that_another_class_has(small: Path, pair: Pair, textures: Path, tmp_path: Path) -> None:
    """Told as in a retrain; it joins its twin's set, whatever its name says."""
    earlier = read_listing(small / "bottlenecks.int8.npz")
    for photo in earlier.split().testing:
        shutil.copy(textures / photo.name, pair.dots.parent / "twin.png")
        dots = [*sorted(pair.dots.iterdir()), pair.dots.parent / "twin.png"]
        report = teach(small, tmp_path / "run", add={"dots": dots})
        assert any(f"{photo.name}, dots/twin.png" in one for one in report["photos"]["warnings"])
        assert read_listing(tmp_path / "run" / "bottlenecks.int8.npz").subsets["dots/twin.png"] == "testing"
        break


# Folders


def test_in_place(small: Path, pair: Pair, taught: Run) -> None:
    teach(small, small, add={"dots": str(pair.dots)})
    assert flatbuffers(small)["model.int8.tflite"] == flatbuffers(taught.out)["model.int8.tflite"]
    assert sorted(path.name for path in small.parent.iterdir()) == ["small"]


def test_in_place_loses_no_model(small: Path, pair: Pair) -> None:
    shutil.copy(pair.run / "model.float32.tflite", small)
    before = bytes_of(small)
    with pytest.raises(EdgeretrainError, match=r"also holds model\.float32\.tflite, which would be lost"):
        teach(small / "model.int8.tflite", small, add={"dots": [pair.dots]})
    assert bytes_of(small) == before


@pytest.mark.parametrize("place", ["write_classifier", "render_page"])
def test_a_failure_leaves_nothing(
    small: Path, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    before = bytes_of(small)
    monkeypatch.setattr(run_module, place, failing)
    for out in (small, tmp_path / "new"):
        with pytest.raises(ZeroDivisionError):
            teach(small, out, add={"dots": [pair.dots]})
    assert bytes_of(small) == before
    assert list(tmp_path.iterdir()) == [small]


def test_a_model_of_an_own_backbone_keeps_its_name(
    textures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path / "cache"))
    put_own_backbone()
    first = retrain(textures, tmp_path / "run", preset="my_net", precisions=["int8"])
    second = teach(tmp_path / "run", tmp_path / "taught", remove=["dots"])
    assert first["preset"] == second["preset"] == "my_net"
