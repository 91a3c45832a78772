"""The head against SciPy, numeric gradients, and retrain.py's descent written down again in plain NumPy."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from edgeretrain.head import logistic as head_module
from edgeretrain.head.logistic import L2_GRID, choose_logistic, fit_logistic
from edgeretrain.head.sgd import Sgd, fit_sgd
from edgeretrain.head.softmax import ClassWeight, Head, log_loss, photo_weights, softmax

Array = npt.NDArray[np.float64]


def features(n: int, d: int, k: int, *, seed: int = 0, noise: float = 1.0) -> tuple[npt.NDArray[np.float32], Array]:
    """Bottlenecks as they are after a ReLU6, and labels that they tell, more or less; every class occurs."""
    random = np.random.default_rng(seed)
    labels = np.r_[np.arange(k), random.choice(k, n - k, p=np.arange(1, k + 1) / np.arange(1, k + 1).sum())]
    values = random.normal(0, 1, (n, d)) * noise + random.normal(0, 0.6, (k, d))[labels]
    return (values * random.uniform(0.3, 2, d)).clip(0, 6).astype(np.float32), labels.astype(np.int64)


def scipy_probabilities(
    values: npt.NDArray[np.float32], labels: Array, classes: int, l2: float, class_weight: ClassWeight
) -> Array:
    """The documented objective, in float64 and with none of our coordinates, minimised by SciPy."""
    optimize = pytest.importorskip("scipy.optimize")
    special = pytest.importorskip("scipy.special")
    x = values.astype(np.float64)
    deviation = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.maximum(deviation, 0.1 * np.sqrt((deviation**2).mean()))
    counts = np.bincount(labels, minlength=classes)
    share = 1 / (counts[labels] * classes) if class_weight == "balanced" else np.full(len(labels), 1 / len(labels))
    hot = np.eye(classes)[labels]

    def objective(flat: Array) -> tuple[float, Array]:
        weights, bias = flat[:-classes].reshape(-1, classes), flat[-classes:]
        logs = special.log_softmax(x @ weights + bias, axis=1)
        residual = (np.exp(logs) - hot) * share[:, None]
        loss = -(logs * hot).sum(axis=1) @ share + l2 / 2 * (weights**2).sum()
        return float(loss), np.r_[(x.T @ residual + l2 * weights).ravel(), residual.sum(axis=0)]

    start = np.zeros((x.shape[1] + 1) * classes)
    options = {"maxiter": 50_000, "maxfun": 50_000, "ftol": 1e-16, "gtol": 1e-9, "maxcor": 30}
    found = optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    assert np.abs(found.jac).max() < 1e-6
    weights, bias = found.x[:-classes].reshape(-1, classes), found.x[-classes:]
    return np.asarray(special.softmax(x @ weights + bias, axis=1))


@pytest.mark.parametrize("class_weight", ["balanced", "none"])
@pytest.mark.parametrize("l2", [1.0, 0.01, 0.0001])
@pytest.mark.parametrize(("n", "d", "k"), [(40, 90, 4), (300, 30, 5), (60, 60, 2), (500, 8, 2)])
def test_logistic_regression_is_scipys(n: int, d: int, k: int, l2: float, class_weight: ClassWeight) -> None:
    values, labels = features(n, d, k)
    head = fit_logistic(values, labels, np.arange(n), k, l2=l2, class_weight=class_weight)
    assert head.weights.dtype == head.bias.dtype == np.float32
    assert (head.weights.shape, head.bias.shape) == ((d, k), (k,))
    expected = scipy_probabilities(values, labels, k, l2, class_weight)
    # L-BFGS stops at a gradient of 1e-5, which leaves the flattest problems a little further off.
    assert np.abs(head.probabilities(values) - expected).max() < (1e-3 if l2 > 0.001 else 3e-3)


@pytest.mark.parametrize("l2", [0.1, 0.0001])
def test_one_photo_per_class(l2: float) -> None:
    values, labels = features(4, 50, 4)
    head = fit_logistic(values, labels, np.arange(4), 4, l2=l2)
    expected = scipy_probabilities(values, labels, 4, l2, "balanced")
    assert np.abs(head.probabilities(values) - expected).max() < 1e-3
    assert (head.probabilities(values).argmax(axis=1) == labels).all()


def test_constant_features_do_nothing() -> None:
    values, labels = features(80, 20, 3)
    constant = np.repeat(np.float32([[0, 0.1, 5.7]]), 80, axis=0)
    both = np.concatenate([values, constant], axis=1)
    head = fit_logistic(both, labels, np.arange(80), 3, l2=0.01)
    assert np.abs(head.weights[20:]).max() < 1e-6
    expected = scipy_probabilities(both, labels, 3, 0.01, "balanced")
    assert np.abs(head.probabilities(both) - expected).max() < 1e-3


def test_features_that_hardly_vary_get_no_huge_weights() -> None:
    """Else int8, with one scale for all weights, would round the useful ones to 0."""
    values, labels = features(90, 60, 3, noise=0.5)
    rare = np.zeros((90, 40), np.float32)
    rare[np.arange(40), np.arange(40)] = 1e-3  # each feature is seen in one photo, faintly
    both = np.concatenate([values, rare], axis=1)
    training, rest = np.arange(60), np.arange(60, 90)
    head = fit_logistic(both, labels, training, 3, l2=0.001)
    step = np.abs(head.weights).max() / 127
    rounded = Head((np.rint(head.weights / step) * step).astype(np.float32), head.bias)
    assert np.abs(rounded.probabilities(both[rest]) - head.probabilities(both[rest])).max() < 0.1


def test_photos_without_any_difference_get_the_shares_of_the_classes() -> None:
    values = np.full((10, 7), 0.1, np.float32)
    labels = np.array([0] * 7 + [1] * 3)
    head = fit_logistic(values, labels, np.arange(10), 2, l2=0.01, class_weight="none")
    assert np.allclose(head.probabilities(values), [0.7, 0.3], atol=1e-3)
    balanced = fit_logistic(values, labels, np.arange(10), 2, l2=0.01)
    assert np.allclose(balanced.probabilities(values), [0.5, 0.5], atol=1e-3)


def test_only_the_given_rows_count() -> None:
    values, labels = features(120, 25, 3)
    rows = np.random.default_rng(3).permutation(120)[:70]
    some = fit_logistic(values, labels, rows, 3, l2=0.01)
    alone = fit_logistic(values[rows], labels[rows], np.arange(70), 3, l2=0.01)
    assert np.allclose(some.probabilities(values), alone.probabilities(values), atol=1e-6)
    values[np.setdiff1d(np.arange(120), rows)] = np.nan
    assert fit_logistic(values, labels, rows, 3, l2=0.01).weights.tobytes() == some.weights.tobytes()


@pytest.mark.parametrize(("n", "d"), [(30, 70), (400, 12)])
@pytest.mark.parametrize("class_weight", ["balanced", "none"])
def test_gradient_is_the_slope_of_the_loss(n: int, d: int, class_weight: ClassWeight) -> None:
    values, labels = features(n, d, 3)
    problem = head_module._LogisticProblem(values, labels, np.arange(n), 3, class_weight)
    random = np.random.default_rng(0)
    point = random.normal(0, 0.3, problem.shape)
    _, gradient = problem._loss_and_gradient(point, 0.02)
    for _ in range(5):
        direction = random.normal(0, 1, problem.shape)
        direction /= np.linalg.norm(direction)
        ahead, _ = problem._loss_and_gradient(point + 0.01 * direction, 0.02)
        behind, _ = problem._loss_and_gradient(point - 0.01 * direction, 0.02)
        assert (ahead - behind) / 0.02 == pytest.approx(float((gradient * direction).sum()), abs=2e-4)


@pytest.mark.parametrize("class_weight", ["balanced", "none"])
def test_the_strength_with_the_least_validation_loss_is_chosen(class_weight: ClassWeight) -> None:
    chosen = set()
    for noise in (0.5, 1.0, 3.0):
        values, labels = features(260, 40, 4, noise=noise)
        training, validation = np.arange(180), np.arange(180, 260)
        head, choice = choose_logistic(values, labels, training, validation, 4, class_weight=class_weight)
        counts = np.bincount(labels[validation], minlength=4)
        weights = 1 / counts[labels[validation]] if class_weight == "balanced" else np.ones(80)
        losses = {}
        for l2 in L2_GRID:
            one = fit_logistic(values, labels, training, 4, l2=l2, class_weight=class_weight)
            own = one.probabilities(values[validation])[np.arange(80), labels[validation]]
            losses[l2] = float(np.average(-np.log(own), weights=weights))
        assert choice.l2 == min(losses, key=losses.__getitem__)
        assert choice.validation_log_loss == pytest.approx(losses[choice.l2], abs=1e-3)
        predicted = head.probabilities(values[validation]).argmax(axis=1)
        assert choice.validation_top1 == pytest.approx((predicted == labels[validation]).mean())
        again = fit_logistic(values, labels, training, 4, l2=choice.l2, class_weight=class_weight)
        assert np.abs(head.probabilities(values) - again.probabilities(values)).max() < 5e-3
        chosen.add(choice.l2)
    assert len(chosen) > 1  # or the choice would have nothing to do


def test_the_grid_runs_from_strong_to_weak() -> None:
    assert (max(L2_GRID), min(L2_GRID)) == (3.16, 0.0001)
    assert list(L2_GRID) == sorted(L2_GRID, reverse=True)


def retrain_py(
    values: npt.NDArray[np.float32], labels: Array, rows: Array, classes: int, sgd: Sgd, balanced: bool, seed: int
) -> tuple[Array, Array]:
    """Gradient descent photo by photo, in float64, with the draws of `fit_sgd`."""
    random = np.random.default_rng(seed)
    weights = random.normal(0, 1, (values.shape[1], classes))
    while len(places := np.argwhere(np.abs(weights) > 2)):
        for (row, column), again in zip(places, random.normal(0, 1, len(places)), strict=True):
            weights[row, column] = again
    weights *= 0.001
    bias = np.zeros(classes)
    photos_of = [[row for row in rows if labels[row] == label] for label in range(classes)]
    for _ in range(sgd.steps):
        if balanced:
            drawn = random.integers(classes, size=sgd.batch_size)
            places = random.random(sgd.batch_size)
            batch = [photos_of[c][int(place * len(photos_of[c]))] for c, place in zip(drawn, places, strict=True)]
        else:
            batch = [rows[index] for index in random.integers(len(rows), size=sgd.batch_size)]
        weights_step, bias_step = np.zeros_like(weights), np.zeros_like(bias)
        for row in batch:
            photo = values[row].astype(np.float64)
            logits = photo @ weights + bias
            slope = np.exp(logits) / np.exp(logits).sum() - np.eye(classes)[labels[row]]
            weights_step += np.outer(photo, slope) / len(batch)
            bias_step += slope / len(batch)
        weights = weights - sgd.learning_rate * weights_step
        bias = bias - sgd.learning_rate * bias_step
    return weights, bias


@pytest.mark.parametrize("class_weight", ["balanced", "none"])
def test_sgd_is_retrain_pys(class_weight: ClassWeight) -> None:
    values, labels = features(50, 15, 3)
    rows = np.random.default_rng(2).permutation(50)[:40]
    sgd = Sgd(steps=60, learning_rate=0.05, batch_size=10)
    head = fit_sgd(values, labels, rows, 3, sgd, class_weight=class_weight, seed=7)
    weights, bias = retrain_py(values, labels, rows, 3, sgd, class_weight == "balanced", 7)
    assert np.allclose(head.weights, weights, atol=1e-5)
    assert np.allclose(head.bias, bias, atol=1e-5)
    other = fit_sgd(values, labels, rows, 3, sgd, class_weight=class_weight, seed=8)
    assert not np.allclose(head.weights, other.weights, atol=1e-3)


def test_sgd_defaults_are_retrain_pys() -> None:
    assert Sgd() == Sgd(steps=4000, learning_rate=0.01, batch_size=100)


def test_balanced_sgd_draws_every_class_alike() -> None:
    labels = np.array([0] * 95 + [1] * 5)
    values = np.ones((100, 1), np.float32)
    sgd = Sgd(steps=400, learning_rate=0.1)
    balanced = fit_sgd(values, labels, np.arange(100), 2, sgd, class_weight="balanced", seed=0)
    plain = fit_sgd(values, labels, np.arange(100), 2, sgd, class_weight="none", seed=0)
    assert balanced.probabilities(values)[0, 1] == pytest.approx(0.5, abs=0.02)
    assert plain.probabilities(values)[0, 1] == pytest.approx(0.05, abs=0.02)


def test_photo_weights() -> None:
    labels = np.array([0, 0, 0, 1])
    assert photo_weights(labels, 2, "none").tolist() == [1, 1, 1, 1]
    assert np.allclose(photo_weights(labels, 2, "balanced"), [2 / 3, 2 / 3, 2 / 3, 2])
    # A class without photos takes nothing away from the others.
    assert photo_weights(labels, 3, "balanced").sum() == pytest.approx(4)


def test_softmax_and_log_loss_by_hand() -> None:
    assert np.allclose(softmax(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]])
    huge = softmax(np.float32([[1000, 1000, -1000]]))
    assert huge.dtype == np.float32 and huge.tolist() == [[0.5, 0.5, 0]]
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]])
    labels = np.array([0, 0, 1])
    assert log_loss(probabilities, labels) == pytest.approx((np.log(2) + np.log(4) + 7 * np.log(10)) / 3)
    assert log_loss(probabilities[:2], labels[:2], np.array([3, 1])) == pytest.approx((3 * np.log(2) + np.log(4)) / 4)


def test_head_probabilities() -> None:
    head = Head(np.float32([[1, 0], [0, 2]]), np.float32([0.5, 0]))
    expected = 1 / (1 + np.exp(-(1.5 - 4)))
    assert head.probabilities(np.float32([[1, 2]]))[0, 0] == pytest.approx(expected, abs=1e-6)


# Sizes at which OpenBLAS does use several threads.
DIGESTS = """
import hashlib, numpy as np
from edgeretrain.head.sgd import Sgd, fit_sgd
from edgeretrain.head.logistic import choose_logistic, fit_logistic
random = np.random.default_rng(0)
for n, d in ((700, 300), (260, 700)):
    labels = random.integers(0, 6, n)
    values = (random.normal(0, 1, (n, d)) + random.normal(0, 0.3, (6, d))[labels]).clip(0, 6).astype(np.float32)
    half = n // 2
    rows = np.arange(half)
    heads = [
        fit_logistic(values, labels, np.arange(n), 6, l2=0.01),
        choose_logistic(values, labels, rows, np.arange(half, n), 6)[0],
        fit_sgd(values, labels, rows, 6, Sgd(steps=50), class_weight="balanced", seed=1),
    ]
    for head in heads:
        print(hashlib.sha256(head.weights.tobytes() + head.bias.tobytes()).hexdigest())
"""


def test_same_bytes_whatever_the_number_of_blas_threads() -> None:
    outputs = []
    for threads in ("1", "4", "4"):
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
        environment = os.environ | dict.fromkeys(names, threads)
        done = subprocess.run(
            [sys.executable, "-c", DIGESTS], env=environment, capture_output=True, text=True, check=True
        )
        outputs.append(done.stdout.split())
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(set(outputs[0])) == 6


def test_same_bytes_twice_in_one_process() -> None:
    values, labels = features(150, 40, 3)
    digests = {
        hashlib.sha256(fit_logistic(values, labels, np.arange(150), 3, l2=0.01).weights.tobytes()).hexdigest()
        for _ in range(3)
    }
    assert len(digests) == 1
