"""K-fold cross-validation: the documented objective, no photo judged by a head that knows it, odd sets of photos."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edgeretrain.data.photos import Photo
from edgeretrain.head.folds import (
    HeldOut,
    choose_narrowest,
    cross_validate,
    deal_folds,
    log_loss_difference,
    top1_difference,
)
from edgeretrain.head.softmax import ClassWeight, softmax

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


def some_photos(n: int, d: int, k: int, seed: int = 0, noise: float = 1.0) -> tuple[Floats, Rows, Rows]:
    random = np.random.default_rng(seed)
    labels = np.r_[np.arange(k).repeat(2), random.integers(0, k, n - 2 * k)]
    values = random.normal(0, noise, (n, d)) + random.normal(0, 0.6, (k, d))[labels]
    return values.clip(0, 6).astype(np.float32), labels, np.arange(n) % 5


def photo(name: str, digest: str) -> Photo:
    return Photo(Path(name), name, name.split("/")[0], digest)


def judged(losses: list[float], l2: float = 0.1) -> HeldOut:
    found = np.array(losses, np.float64)
    return HeldOut(l2, found, found < 0.5, np.ones(len(found)), np.arange(len(found)) % 4)


@pytest.mark.parametrize("class_weight", ["balanced", "none"])
@pytest.mark.parametrize(("n", "d"), [(30, 45), (60, 8)])
def test_losses_are_those_of_the_documented_objective(n: int, d: int, class_weight: ClassWeight) -> None:
    optimize = pytest.importorskip("scipy.optimize")
    special = pytest.importorskip("scipy.special")
    values, labels, folds = some_photos(n, d, 3)
    (found,) = cross_validate(values, labels, folds, 3, class_weight=class_weight, strengths=[0.03])
    x = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    deviation = x.std(axis=0)
    x /= np.maximum(deviation, 0.1 * np.sqrt((deviation**2).mean()))
    for fold in range(5):
        learnt = folds != fold
        counts = np.bincount(labels[learnt], minlength=3)
        share = (
            1 / (3 * counts[labels[learnt]]) if class_weight == "balanced" else np.full(learnt.sum(), 1 / learnt.sum())
        )

        def objective(flat: npt.NDArray[np.float64], learnt: Rows = learnt, share: Floats = share) -> float:
            weights = flat.reshape(d + 1, 3)
            logits = x[learnt] @ weights[:-1] + weights[-1]
            own = logits[np.arange(len(logits)), labels[learnt]]
            losses = special.logsumexp(logits, axis=1) - own
            return float((losses * share).sum() + 0.015 * (weights[:-1] ** 2).sum())

        solved = optimize.minimize(objective, np.zeros((d + 1) * 3), method="L-BFGS-B", options={"maxfun": 10**6})
        weights = solved.x.reshape(d + 1, 3)
        probabilities = softmax(x[~learnt] @ weights[:-1] + weights[-1])
        expected = -np.log(probabilities[np.arange(len(probabilities)), labels[~learnt]])
        assert np.allclose(found.losses[~learnt], expected, atol=0.01)
        assert np.array_equal(found.right[~learnt], probabilities.argmax(axis=1) == labels[~learnt])


def test_a_photo_is_judged_by_a_head_that_has_not_seen_it() -> None:
    random = np.random.default_rng(1)
    values, labels = random.normal(0, 1, (200, 400)).astype(np.float32), np.arange(200) % 2
    (found,) = cross_validate(values, random.permutation(labels), np.arange(200) % 5, 2)
    assert 0.35 < found.top1 < 0.65  # a head that has seen 200 photos with 400 features knows them all by heart
    assert found.log_loss > 0.6


def test_the_figures() -> None:
    values, labels, folds = some_photos(100, 30, 4, noise=2)
    (found,) = cross_validate(values, labels, folds, 4, class_weight="none")
    assert found.log_loss == pytest.approx(found.losses.mean())
    assert 0.4 < found.top1 < 1
    assert found.fold_top1().mean() == pytest.approx(found.top1)
    assert found.fold_log_losses() == pytest.approx([found.losses[folds == fold].mean() for fold in range(5)])


def test_the_first_features_serve_as_if_there_were_no_others() -> None:
    values, labels, folds = some_photos(80, 120, 3)
    together = cross_validate(values, labels, folds, 3, lengths=[20, 70, 120])
    for length, found in zip([20, 70, 120], together, strict=True):
        (alone,) = cross_validate(values[:, :length], labels, folds, 3)
        assert found.l2 == alone.l2
        assert np.allclose(found.losses, alone.losses, atol=1e-3)


def test_the_same_figures_twice() -> None:
    values, labels, folds = some_photos(80, 120, 3)
    one, other = (cross_validate(values, labels, folds, 3)[0] for _ in range(2))
    assert np.array_equal(one.losses, other.losses)


@pytest.mark.parametrize("odd", ["alike", "one photo of a class", "two photos a class", "two folds", "a dead feature"])
def test_odd_sets(odd: str) -> None:
    values, labels, folds = some_photos(40, 30, 3)
    if odd == "alike":
        values[:] = values[0]
    elif odd == "one photo of a class":
        labels[labels == 2] = 1
        labels[7] = 2
    elif odd == "two photos a class":
        values, labels, folds = values[:6], np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 2, 3, 4, 0])
    elif odd == "two folds":
        folds %= 2
    else:
        values[:, 3] = 0
    (found,) = cross_validate(values, labels, folds, 3)
    assert np.isfinite(found.losses).all()
    assert 0 <= found.top1 <= 1


def test_folds_are_even_and_keep_together_what_belongs_together() -> None:
    photos = [photo(f"{label}/{number}.jpg", f"{label}{number}") for label in "ab" for number in range(50)]
    photos += [photo(f"a/burst_nohash_{number}.jpg", f"burst{number}") for number in range(7)]
    photos += [photo("a/copy.jpg", "b3"), photo("b/copy.jpg", "b3")]
    folds = deal_folds(photos, 5)
    numbers = {one.name: int(number) for one, number in zip(photos, folds, strict=True)}
    assert len({numbers[one.name] for one in photos if "burst" in one.name}) == 1
    assert numbers["a/copy.jpg"] == numbers["b/copy.jpg"] == numbers["b/3.jpg"]
    for label in "ab":
        counts = np.bincount([numbers[f"{label}/{number}.jpg"] for number in range(50)], minlength=5)
        assert counts.min() >= 8 and counts.max() <= 11


def test_folds_do_not_depend_on_the_order() -> None:
    photos = [photo(f"a/{number}.jpg", f"a{number}") for number in range(20)]
    order = np.random.default_rng(0).permutation(20)
    assert np.array_equal(deal_folds([photos[row] for row in order]), deal_folds(photos)[order])
    assert not np.array_equal(deal_folds(photos, seed=1), deal_folds(photos))


def test_paired_differences() -> None:
    one, other = judged([1.0, 0.2, 0.6, 0.4]), judged([0.5, 0.1, 0.7, 0.2])
    found = log_loss_difference(one, other)
    differences = np.array([0.5, 0.1, -0.1, 0.2])
    assert found.mean == pytest.approx(differences.mean())
    assert found.standard_error == pytest.approx(differences.std(ddof=1) / 2)
    assert top1_difference(one, other).mean == 0.0


def test_the_narrowest_that_is_as_good() -> None:
    plain = 1 + np.random.default_rng(0).normal(0, 0.1, 40)
    better = plain - 0.2
    hardly = better - 0.001 + 0.02 * np.tile([1, 0, 0, -1], 10)  # differs by fold, by more than its mean
    assert choose_narrowest([judged(list(losses)) for losses in (plain, better, hardly)]) == 1
    assert choose_narrowest([judged(list(losses)) for losses in (plain, plain + 0.2)]) == 0
    assert choose_narrowest([judged(list(plain))]) == 0
