"""What the network is to say of the training photos: labels, smoothed, softened by other backbones."""

import numpy as np
import pytest

from edgeretrain.fine_tuning import FineTuning
from edgeretrain.fine_tuning import targets as module
from edgeretrain.fine_tuning.targets import folds, soft_labels, targets
from edgeretrain.head.logistic import choose_logistic, fit_logistic

LABELS = np.array([2, 0, 1, 2])


def test_without_distillation_they_are_the_labels() -> None:
    wanted = targets(LABELS, 3, FineTuning())
    assert wanted.dtype == np.float32
    assert np.array_equal(wanted, np.eye(3)[LABELS])


def test_soft_labels_have_their_share() -> None:
    soft = np.array([[0.5, 0.3, 0.2], [1, 0, 0], [0, 0.25, 0.75], [0.1, 0.2, 0.7]], np.float32)
    wanted = targets(LABELS, 3, FineTuning(distillation=0.4), soft)
    assert wanted[0] == pytest.approx([0.2, 0.12, 0.68])
    assert wanted[2] == pytest.approx([0, 0.7, 0.3])
    assert targets(LABELS, 3, FineTuning(distillation=1), soft) == pytest.approx(soft)


def test_smoothing_comes_last() -> None:
    soft = np.full((4, 3), 1 / 3, np.float32)
    wanted = targets(LABELS, 3, FineTuning(distillation=0.5, label_smoothing=0.3), soft)
    assert wanted[0] == pytest.approx(0.7 * np.array([1 / 6, 1 / 6, 2 / 3]) + 0.1)
    assert wanted.sum(axis=1) == pytest.approx(np.ones(4))


@pytest.fixture(scope="module")
def clouds() -> tuple[np.ndarray, np.ndarray]:
    """Bottlenecks of three classes that overlap, and their labels."""
    random = np.random.default_rng(2)
    labels = random.integers(0, 3, 150)
    return (random.normal(0, 1, (150, 12)) + 1.2 * np.eye(3, 12)[labels]).astype(np.float32), labels


def test_soft_labels_are_of_heads_that_have_not_seen_the_photo(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    values, labels = clouds
    training, validation = np.arange(10, 120), np.arange(120, 150)
    soft, choice = soft_labels(values, labels, 3, training, validation, "balanced")
    assert not soft[:10].any()
    assert not soft[120:].any()
    assert soft[training].sum(axis=1) == pytest.approx(np.ones(110), abs=1e-5)
    head, expected = choose_logistic(values, labels, training, validation, 3)
    assert choice == expected
    fold = folds(labels[training])
    one = training[fold == 3]
    without = fit_logistic(values, labels, training[fold != 3], 3, l2=choice.l2)
    assert soft[one] == pytest.approx(without.probabilities(values[one]))
    # Whoever has seen them is surer of them.
    own = labels[training]
    assert soft[training, own].mean() < head.probabilities(values[training])[np.arange(110), own].mean() - 0.02


def test_a_photo_has_no_say_in_its_own_soft_label(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    values, labels = clouds
    training, validation = np.arange(120), np.arange(120, 150)
    before, choice = soft_labels(values, labels, 3, training, validation, "balanced")
    other = values.copy()
    other[7] += 3
    with pytest.MonkeyPatch.context() as patch:  # the strength is of all training photos
        patch.setattr(module, "choose_logistic", lambda *_, **__: (None, choice))
        after, _ = soft_labels(other, labels, 3, training, validation, "balanced")
    fold = folds(labels[training])
    same = np.abs(before - after).max(axis=1) < 1e-7
    others = np.arange(120) != 7
    assert (same[training] == (fold == fold[7]))[others].all()
    assert not same[7]


def test_each_class_is_dealt_out_in_turn() -> None:
    labels = np.array([0] * 10 + [1] * 7 + [2] + [3] * 2)
    fold = folds(labels)
    assert fold[:10].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
    assert fold[10:17].tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert fold[17] == -1
    assert fold[18] != fold[19]


def test_the_only_photo_of_a_class_keeps_its_label(clouds: tuple[np.ndarray, np.ndarray]) -> None:
    values, labels = clouds
    labels = labels.copy()
    labels[5] = 3
    soft, _ = soft_labels(values, labels, 4, np.arange(120), np.arange(120, 150), "balanced")
    assert soft[5].tolist() == [0, 0, 0, 1]
    assert np.isfinite(soft).all()
