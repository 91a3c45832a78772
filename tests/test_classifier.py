"""The classifier answers what the file says, takes photos in every form, and refuses what is not ours."""

import os
import shutil
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.garden import Run, encoded, texture

from edgeretrain import Classifier, Prediction
from edgeretrain.classifier import read_own_package
from edgeretrain.data.pixels import load_pixels
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto
from edgeretrain.precision import PRECISIONS
from edgeretrain.tflite.runtime import Network

MODELS = Path(__file__).parents[1] / "models"


@pytest.fixture(scope="module")
def classifier(run: Run) -> Classifier:
    return Classifier(run.model("int8"))


def test_what_it_says_of_itself(run: Run) -> None:
    for precision in PRECISIONS:
        classifier = Classifier(str(run.model(precision)))
        assert classifier.labels == ("checks", "dots", "stripes")
        assert (classifier.fit, classifier.size) == ("squash", 224)
        assert classifier.card["precision"] == precision
        assert classifier.runtime.name == "ai_edge_litert"


def test_it_says_what_the_file_says(run: Run) -> None:
    for precision in PRECISIONS:
        classifier, network = Classifier(run.model(precision)), Network(run.model(precision))
        photo = run.photos / "dots" / "d00.png"
        expected = network(load_pixels(photo, 224))
        assert (classifier.probabilities(photo) == expected).all()
        predictions = classifier(photo)
        assert {prediction.label: prediction.score for prediction in predictions} == dict(
            zip(("checks", "dots", "stripes"), expected.tolist(), strict=True)
        )
        assert [prediction.score for prediction in predictions] == sorted(expected.tolist(), reverse=True)
        assert isinstance(predictions[0].score, float)


def test_it_knows_most_photos_that_it_was_trained_on(run: Run, classifier: Classifier) -> None:
    photos = sorted(run.photos.glob("*/*"))
    right = sum(classifier(photo, top_k=1)[0].label == photo.parent.name for photo in photos)
    assert len(photos) == 72 and right >= 65


def test_photos_in_every_form(classifier: Classifier) -> None:
    pixels = texture("dots", 500)
    content = encoded(pixels, "PNG")
    expected = classifier(content)
    assert classifier(pixels) == classifier(Image.fromarray(pixels)) == expected
    assert sum(prediction.score for prediction in expected) == pytest.approx(1, abs=2 / 256)


def test_top_k(run: Run, classifier: Classifier) -> None:
    photo = run.photos / "checks" / "c00.png"
    every = classifier(photo)
    assert len(every) == 3
    assert classifier(photo, top_k=2) == every[:2]
    assert classifier(photo, top_k=9) == every


def test_a_tie_goes_to_the_earlier_label(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "_network", lambda _: np.float32([0.25, 0.375, 0.375]))
    assert classifier(texture("dots", 1)) == [
        Prediction("dots", 0.375),
        Prediction("stripes", 0.375),
        Prediction("checks", 0.25),
    ]


def test_several_threads_give_the_same(run: Run, classifier: Classifier) -> None:
    photo = run.photos / "checks" / "c01.jpeg"
    assert Classifier(run.model("int8"), threads=2)(photo) == classifier(photo)


def test_photos_that_cannot_be_read(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(EdgeretrainError, match=r"empty\.jpg: empty file"):
        classifier(tmp_path / "empty.jpg")
    with pytest.raises(EdgeretrainError, match=r"none\.jpg: "):
        classifier(tmp_path / "none.jpg")


# Batches, threads, closing


def test_a_batch_says_the_same_in_the_given_order(run: Run, classifier: Classifier) -> None:
    photos = sorted(run.photos.glob("*/*"))[::-6]
    for workers in (None, 1, 3):
        answers = list(classifier.batch(photos, top_k=2, workers=workers))
        assert [photo for photo, _ in answers] == photos
        assert [predictions for _, predictions in answers] == [classifier(photo, top_k=2) for photo in photos]


def test_a_batch_of_every_form_and_of_none(classifier: Classifier) -> None:
    pixels = texture("dots", 500)
    forms: list[Any] = [pixels, encoded(pixels, "PNG"), Image.fromarray(pixels)]
    answers = [predictions for _, predictions in classifier.batch(iter(forms))]
    assert answers == [classifier(pixels)] * 3
    assert list(classifier.batch([])) == []


def test_a_batch_goes_on_after_a_bad_photo(run: Run, classifier: Classifier, tmp_path: Path) -> None:
    good = run.photos / "checks" / "c00.png"
    (tmp_path / "empty.jpg").write_bytes(b"")
    photos = [tmp_path / "empty.jpg", good, tmp_path / "none.jpg", good]
    outcomes = [outcome for _, outcome in classifier.batch(photos)]
    assert [isinstance(outcome, UnreadablePhoto) for outcome in outcomes] == [True, False, True, False]
    assert str(outcomes[2]).startswith(f"{tmp_path / 'none.jpg'}: no such file")
    with pytest.raises(EdgeretrainError, match="must be uint8"):  # no photo at all: a mistake in the program
        list(classifier.batch([np.zeros((3, 3))]))


def test_a_batch_runs_ahead_only_so_far(run: Run, classifier: Classifier) -> None:
    """Photos are taken as they are needed: memory does not grow with their number."""
    good = run.photos / "checks" / "c00.png"
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        while True:
            taken += 1
            yield good

    before = set(threading.enumerate())
    answers = classifier.batch(endless(), workers=2)
    for number in range(1, 20):
        next(answers)
        assert taken <= number + 4
    answers.close()  # type: ignore[attr-defined]
    assert not set(threading.enumerate()) - before


def test_decoding_and_inference_overlap(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second photo is decoded before the first has been through the model."""
    decoded = threading.Event()
    count = 0

    def load(*_: object) -> np.ndarray:
        nonlocal count
        count += 1
        if count == 2:
            decoded.set()
        return np.zeros((224, 224, 3), np.uint8)

    def network(_: object) -> np.ndarray:
        assert decoded.wait(10)
        return np.float32([0, 1, 0])

    monkeypatch.setattr("edgeretrain.classifier.load_pixels", load)
    monkeypatch.setattr(classifier, "_network", network)
    assert len(list(classifier.batch([b"", b"", b""], workers=1))) == 3


def test_threads_may_share_one(run: Run, classifier: Classifier) -> None:
    photos = sorted(run.photos.glob("*/*"))[::6]
    expected = [classifier.probabilities(photo).tolist() for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert [scores.tolist() for scores in pool.map(classifier.probabilities, photos)] == expected


def test_closing(run: Run) -> None:
    photo = run.photos / "checks" / "c00.png"
    with Classifier(run.model("int8")) as classifier:
        assert classifier(photo)
    assert classifier.labels == ("checks", "dots", "stripes")
    for call in (
        lambda: classifier(photo),
        lambda: classifier.probabilities(photo),
        lambda: list(classifier.batch([photo])),
    ):
        with pytest.raises(EdgeretrainError, match=r"^This classifier is closed\. Create a new one"):
            call()
    classifier.close()


@pytest.mark.parametrize(
    ("value", "expected"), [(None, 0.0), (0.625, 0.625), (0, 0.0), (1, 1.0), (1.5, 0.0), (-1, 0.0), ("x", 0.0)]
)
def test_the_score_to_reject_below(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch, value: Any, expected: float
) -> None:
    card = {name: entry for name, entry in classifier.card.items() if name != "reject_below"}
    monkeypatch.setattr(classifier, "card", card if value is None else {**card, "reject_below": value})
    assert classifier.reject_below == expected


# Models that are not ours


def refusal(model: str | os.PathLike[str]) -> str:
    with pytest.raises(EdgeretrainError) as caught:
        Classifier(model)
    message = str(caught.value)
    assert message.startswith(f"{model}: ") and "\n" not in message
    return message


def test_no_model(tmp_path: Path) -> None:
    assert "cannot be read (No such file" in refusal(tmp_path / "none.tflite")
    (tmp_path / "page.tflite").write_text("<html>")
    assert "this is not a TFLite model" in refusal(str(tmp_path / "page.tflite"))


def test_a_model_without_labels() -> None:
    assert "Use a model written by `edgeretrain retrain`" in refusal(MODELS / "mobilenet_v2_100_224.int8.tflite")


def test_a_model_with_labels_but_no_card(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    shutil.copy(MODELS / "mobilenet_v2_100_224.int8.tflite", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "a\nb\n")
    assert "was not written by edgeretrain" in refusal(path)


def test_a_damaged_model(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    content = bytearray(run.model("int8").read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "damaged" in refusal(path)
    path.write_bytes(run.model("int8").read_bytes()[:-100])
    refusal(path)


def test_other_options_that_make_no_sense(run: Run) -> None:
    with pytest.raises(EdgeretrainError, match="There is no runtime 'onnx'"):
        Classifier(run.model("int8"), runtime="onnx")
    with pytest.raises(EdgeretrainError, match="threads must be at least 1, not"):
        Classifier(run.model("int8"), threads=0)


def test_read_own_package(run: Run) -> None:
    package = read_own_package(run.model("float16"))
    assert package.labels == ("checks", "dots", "stripes")
    assert package.card["fit"] == "squash"
