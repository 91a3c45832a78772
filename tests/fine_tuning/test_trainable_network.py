"""The network that learns, on a backbone of five layers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from support.garden import texture

from edgeretrain.fine_tuning.trainable_backbone import TrainableBackbone
from edgeretrain.fine_tuning.trainable_network import TrainableNetwork
from edgeretrain.head.softmax import Head
from edgeretrain.options import Layers
from edgeretrain.tflite.runtime import Network
from fine_tuning.conftest import SIZE, SMALL_LAYERS

pytestmark = pytest.mark.tensorflow
LABELS = np.arange(8) % 2
TARGETS = np.eye(2, dtype=np.float32)[LABELS]


@pytest.fixture(scope="module")
def photos() -> npt.NDArray[np.uint8]:
    return np.stack([texture(("checks", "dots")[label], number)[:SIZE, :SIZE] for number, label in enumerate(LABELS)])


@pytest.fixture
def make(small_backbone: Path) -> Callable[[Layers], TrainableNetwork]:
    def make(layers: Layers) -> TrainableNetwork:
        network = TrainableNetwork(TrainableBackbone(small_backbone, layers), batch_size=8)
        weights = np.random.default_rng(1).normal(0, 0.1, (8, 2)).astype(np.float32)
        network.start_from(Head(weights, np.zeros(2, np.float32)), average_over=4)
        return network

    return make


def learn(network: TrainableNetwork, photos: npt.NDArray[np.uint8], steps: int) -> list[float]:
    return [network.step(photos, TARGETS, np.ones(8, np.float32), 1e-3) for _ in range(steps)]


@pytest.mark.parametrize("layers", [1, 4, "all"])
def test_only_the_top_layers_learn(
    make: Callable[[Layers], TrainableNetwork], photos: npt.NDArray[np.uint8], layers: Layers
) -> None:
    network = make(layers)
    before = network.weights()
    assert len(before) == 2 * (SMALL_LAYERS if layers == "all" else layers) + 2  # weights and bias, and the head's
    losses = learn(network, photos, 5)
    assert losses[-1] < losses[0]
    assert not any(np.array_equal(old, new) for old, new in zip(before, network.weights(), strict=True))


def test_bottlenecks_are_those_of_the_file(
    make: Callable[[Layers], TrainableNetwork], small_backbone: Path, photos: npt.NDArray[np.uint8]
) -> None:
    network, file = make("all"), Network(small_backbone)
    many = np.concatenate([photos, photos[:, ::-1], photos[:, :, ::-1], photos, photos[:3]])  # more than a block
    rows = np.arange(len(many))[::-1]
    expected = np.stack([file(many[row]) for row in rows])
    assert network.bottlenecks(many, rows) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_the_loss_counts_each_photo_by_its_weight(
    make: Callable[[Layers], TrainableNetwork], photos: npt.NDArray[np.uint8]
) -> None:
    network = make(1)

    def loss(weights: npt.NDArray[np.float32]) -> float:
        return network.step(photos, TARGETS, weights, 0)  # at this rate, nothing is learnt

    each = [loss(np.eye(8, dtype=np.float32)[index]) for index in range(8)]
    weights = np.linspace(0.2, 2, 8, dtype=np.float32)
    assert loss(weights) == pytest.approx(float(np.dot(weights, each)), rel=1e-5)


def test_targets_may_be_shared_among_classes(small_backbone: Path, photos: npt.NDArray[np.uint8]) -> None:
    network = TrainableNetwork(TrainableBackbone(small_backbone, 1), batch_size=8)
    network.start_from(Head(np.zeros((8, 2), np.float32), np.array([1, -1], np.float32)), average_over=4)
    sure, wrong = np.log1p(np.exp(-2)), np.log1p(np.exp(2))
    expected = 0.5 * (0.9 * sure + 0.1 * wrong) + 0.5 * (0.9 * wrong + 0.1 * sure)
    smoothed = 0.8 * TARGETS + np.float32(0.1)
    assert network.step(photos, smoothed, np.ones(8, np.float32), 0) == pytest.approx(expected, rel=1e-5)


def test_the_average_follows_the_weights(
    make: Callable[[Layers], TrainableNetwork], photos: npt.NDArray[np.uint8]
) -> None:
    network = make("all")
    expected = network.weights()
    for step in range(1, 31):
        learn(network, photos, 1)
        share = 1 - min(0.75, (1 + step) / (10 + step))
        expected = [old + share * (new - old) for old, new in zip(expected, network.weights(), strict=True)]
    for average, value in zip(network.average(), expected, strict=True):
        assert average == pytest.approx(value, rel=1e-4, abs=1e-5)
    assert not np.array_equal(network.average()[0], network.weights()[0])


def test_weights_and_optimizer_state_bring_a_network_to_the_same_place(
    make: Callable[[Layers], TrainableNetwork], photos: npt.NDArray[np.uint8]
) -> None:
    one, other = make(3), make(3)
    learn(one, photos, 3)
    other.set_weights(one.weights())
    other.set_optimizer_state(one.optimizer_state())
    assert learn(one, photos, 2) == learn(other, photos, 2)
    for mine, yours in ((one.weights(), other.weights()), (one.optimizer_state(), other.optimizer_state())):
        assert all(np.array_equal(a, b) for a, b in zip(mine, yours, strict=True))


def test_mixup_blends_each_photo_and_its_label_with_the_next(
    make: Callable[[Layers], TrainableNetwork], photos: npt.NDArray[np.uint8]
) -> None:
    network = make(1)
    weights = np.linspace(0.2, 2, 8, dtype=np.float32)
    scaled = photos.astype(np.float32) / 127.5 - 1
    mixed = 0.7 * scaled + 0.3 * np.roll(scaled, 1, axis=0)
    log_probabilities = np.log(network.head.probabilities(np.asarray(network.backbone(mixed))))
    wanted = TARGETS * weights[:, None]
    expected = -(0.7 * wanted + 0.3 * np.roll(wanted, 1, axis=0)) * log_probabilities
    assert network.step(photos, TARGETS, weights, 0, 0.7) == pytest.approx(expected.sum() / 8, rel=1e-4)
