"""The figures of a verdict, worked out by hand."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.garden import Run

from edgeretrain.data.photos import Photo, find_photos
from edgeretrain.data.split import split_photos
from edgeretrain.errors import EdgeretrainError
from edgeretrain.evaluation.evaluate import evaluate_folder, predict
from edgeretrain.evaluation.metrics import ClassFigures, Mistake, compute_metrics
from edgeretrain.features.inference import InferenceModel
from edgeretrain.records.json_form import to_json


def shots(*labels: str) -> list[Photo]:
    return [Photo(Path(f"{label}/{n}.jpg"), f"{label}/{n}.jpg", label, f"{n}") for n, label in enumerate(labels)]


# Rows: probabilities of a, b, c, d. d is never predicted; c has no photos.
BY_HAND = np.float32(
    [
        [0.70, 0.10, 0.10, 0.10],  # a: right
        [0.40, 0.40, 0.10, 0.10],  # b: a tie, which goes to a
        [0.05, 0.90, 0.03, 0.02],  # b: right
        [0.10, 0.25, 0.60, 0.05],  # d: taken for c; d is the least of the four
        [0.50, 0.20, 0.10, 0.20],  # d: taken for a; shares the second place, d among the three
    ]
)
LABELS = ("a", "b", "c", "d")


def test_by_hand() -> None:
    verdict = compute_metrics(BY_HAND, shots("a", "b", "b", "d", "d"), LABELS)
    assert verdict.photos == 5
    assert verdict.top1 == pytest.approx(2 / 5)
    assert verdict.top3 == pytest.approx(4 / 5)
    assert verdict.confusion == ((1, 0, 0, 0), (1, 1, 0, 0), (0, 0, 0, 0), (1, 0, 1, 0))
    assert verdict.classes == (
        ClassFigures("a", 1, pytest.approx(1 / 3), 1.0),
        ClassFigures("b", 2, 1.0, 0.5),
        ClassFigures("c", 0, 0.0, None),
        ClassFigures("d", 2, None, 0.0),
    )
    expected = -sum(map(math.log, (0.7, 0.4, 0.9, 0.05, 0.2))) / 5
    assert verdict.log_loss == pytest.approx(expected, abs=1e-5)
    assert verdict.mistakes == (
        Mistake("b/1.jpg", "b", "a", 0.4, 0.4),
        Mistake("d/3.jpg", "d", "c", 0.6, 0.05),
        Mistake("d/4.jpg", "d", "a", 0.5, 0.2),
    )
    assert verdict.agreement_with_float32 is None


def test_calibration_error_by_hand() -> None:
    """Bins of 1/15: 0.70 in the 10th (right), 0.40 in the 6th, 0.90 in the 13th (right), 0.60 in the 9th, 0.5 in the
    7th, each alone: gaps 0.3, 0.4, 0.1, 0.6, 0.5."""
    verdict = compute_metrics(BY_HAND, shots("a", "b", "b", "d", "d"), LABELS)
    assert verdict.calibration_error == pytest.approx((0.3 + 0.4 + 0.1 + 0.6 + 0.5) / 5, abs=1e-5)


def test_calibration_error_within_one_bin() -> None:
    # All four in the bin from 14/15 to 1, a probability of exactly 1 too: 3 of 4 right, mean score 0.97.
    scores = np.float32([[0.96, 0.04], [0.95, 0.05], [0.97, 0.03], [1.0, 0.0]])
    verdict = compute_metrics(scores, shots("x", "x", "x", "y"), ("x", "y"))
    assert verdict.calibration_error == pytest.approx(0.97 - 0.75, abs=1e-5)


def test_two_classes_are_always_among_three() -> None:
    verdict = compute_metrics(np.float32([[0.9, 0.1], [0.2, 0.8]]), shots("y", "x"), ("x", "y"))
    assert (verdict.top1, verdict.top3) == (0.0, 1.0)


def test_a_tie_for_the_third_place_goes_to_the_earlier_label() -> None:
    row = np.float32([[0.5, 0.2, 0.1, 0.1, 0.1]])
    labels = ("a", "b", "c", "d", "e")
    assert compute_metrics(row, shots("c"), labels).top3 == 1.0
    assert compute_metrics(row, shots("d"), labels).top3 == 0.0


def test_probabilities_of_zero_cost_a_finite_loss() -> None:
    verdict = compute_metrics(np.float32([[1.0, 0.0]]), shots("y"), ("x", "y"))
    assert verdict.log_loss == pytest.approx(7 * math.log(10), abs=1e-5)


def test_agreement_with_float32() -> None:
    other = BY_HAND.copy()
    other[0] = [0.1, 0.7, 0.1, 0.1]
    other[3] = [0.1, 0.1, 0.7, 0.1]
    verdict = compute_metrics(other, shots("a", "b", "b", "d", "d"), LABELS, float32=BY_HAND)
    assert verdict.agreement_with_float32 == pytest.approx(4 / 5)


def test_it_has_a_form_in_json() -> None:
    verdict = compute_metrics(BY_HAND, shots("a", "b", "b", "d", "d"), LABELS)
    again = json.loads(json.dumps(to_json(verdict), allow_nan=False))
    assert again["classes"][3] == {"label": "d", "photos": 2, "precision": None, "recall": 0.0}
    assert again["confusion"][3] == [1, 0, 1, 0]
    assert again["mistakes"][0]["photo"] == "b/1.jpg"


# Folders and real files


def test_a_folder_gives_what_the_retrain_reported(run: Run) -> None:
    for model in run.report["models"]:
        verdict, skipped = evaluate_folder(run.out / model["file"], run.photos, testing_only=(10, 10))
        expected = dict(model["evaluation"], agreement_with_float32=None)
        assert json.loads(json.dumps(to_json(verdict))) == json.loads(json.dumps(expected))
        assert skipped == []


def test_all_photos_of_a_folder(run: Run) -> None:
    seen: list[tuple[str, int, int]] = []
    verdict, _ = evaluate_folder(run.model("int8"), run.photos, progress=lambda *step: seen.append(step))
    assert verdict.photos == 72
    assert [each.photos for each in verdict.classes] == [24, 24, 24]
    assert seen[-1] == ("Evaluation", 72, 72)


def test_photos_that_cannot_be_read_are_named(run: Run, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(run.photos, photos)
    broken = photos / "dots" / "d01.jpeg"
    broken.write_bytes(broken.read_bytes()[:-400])
    (photos / "checks" / "empty.png").write_bytes(b"")
    verdict, skipped = evaluate_folder(run.model("float32"), photos)
    assert verdict.photos == 71
    assert [one.name for one in skipped] == ["checks/empty.png", "dots/d01.jpeg"]
    (photos / "checks" / "empty.png").unlink()
    with pytest.raises(EdgeretrainError, match=r"dots/d01\.jpeg: truncated or damaged file"):
        evaluate_folder(run.model("float32"), photos, strict=True)


def test_a_class_that_the_model_lacks_is_refused(run: Run, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(run.photos, photos)
    (photos / "dots").rename(photos / "spots")
    with pytest.raises(EdgeretrainError, match=r"the class 'spots' is none of the model's labels \(checks, dots, st"):
        evaluate_folder(run.model("float32"), photos)


def test_a_folder_with_some_of_the_classes_will_do(run: Run, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for label in ("checks", "stripes"):
        shutil.copytree(run.photos / label, photos / label)
    verdict, _ = evaluate_folder(run.model("float32"), photos)
    assert [each.photos for each in verdict.classes] == [24, 0, 24]
    assert verdict.classes[1].recall is None


def test_a_model_of_someone_elses_is_refused(run: Run) -> None:
    foreign = Path(__file__).parents[2] / "models" / "mobilenet_v2_100_224.int8.tflite"
    with pytest.raises(EdgeretrainError, match=r"int8\.tflite: .*Use a model written by `edgeretrain retrain`"):
        evaluate_folder(foreign, run.photos)


def test_predict_keeps_the_order_of_the_photos(run: Run) -> None:
    photo_set = find_photos(run.photos)
    some = split_photos(photo_set).testing
    models = [InferenceModel(run.model("float32"), 224), InferenceModel(run.model("int8"), 224)]
    both = predict(models, some, fit="squash", workers=2)
    assert (both.photos, both.skipped) == (some, ())
    for index in (0, len(some) - 1):
        alone = predict(models[1:], [some[index]], fit="squash")
        assert (both.probabilities[1][index] == alone.probabilities[0][0]).all()
    assert [probabilities.shape for probabilities in both.probabilities] == [(len(some), 3)] * 2


def test_predict_with_nothing_that_can_be_read(run: Run, tmp_path: Path) -> None:
    gone = Photo(tmp_path / "gone.jpg", "a/gone.jpg", "a", "0" * 64)
    with pytest.raises(EdgeretrainError, match="None of the 1 photos can be read"):
        predict([InferenceModel(run.model("int8"), 224)], [gone], fit="squash")
