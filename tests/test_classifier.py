"""The classifier answers what the file says, takes photos in every form, and refuses what is not ours."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from garden import Run, encoded, texture
from PIL import Image

from edgeretrain import Classifier, Prediction
from edgeretrain.classifier import read_own_package
from edgeretrain.errors import EdgeretrainError
from edgeretrain.pixels import load_pixels
from edgeretrain.presets import PRECISIONS
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
        assert {one.label: one.score for one in predictions} == dict(
            zip(("checks", "dots", "stripes"), expected.tolist(), strict=True)
        )
        assert [one.score for one in predictions] == sorted(expected.tolist(), reverse=True)
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
    assert sum(one.score for one in expected) == pytest.approx(1, abs=2 / 256)


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
    with pytest.raises(EdgeretrainError, match="Use 1 or more"):
        Classifier(run.model("int8"), threads=0)


def test_read_own_package(run: Run) -> None:
    package = read_own_package(run.model("float16"))
    assert package.labels == ("checks", "dots", "stripes")
    assert package.card["fit"] == "squash"
