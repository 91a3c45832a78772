"""The coordinates that a head is fitted in, against NumPy's own linear algebra."""

import numpy as np
import numpy.typing as npt
import pytest

from edgeretrain.head import coordinates as module
from edgeretrain.head.coordinates import Coordinates
from edgeretrain.head.softmax import Floats

MANY, FEW = (700, 300), (60, 200)
"""Photos and features: more photos than a block holds; fewer photos than features."""


def bottlenecks(photos: int, features: int) -> Floats:
    random = np.random.default_rng(1)
    values = random.normal(0, 1, (photos, features)) * random.uniform(0.5, 2, features) + random.uniform(0, 3, features)
    return values.astype(np.float32)


def standardised(values: Floats, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    used = values[rows].astype(np.float64)
    return np.asarray((values - used.mean(axis=0)) / used.std(axis=0))


@pytest.mark.parametrize("shape", [MANY, FEW], ids=["many photos", "few photos"])
def test_products_are_those_of_standardised_bottlenecks(shape: tuple[int, int]) -> None:
    values = bottlenecks(*shape)
    rows = np.random.default_rng(2).permutation(len(values))[: len(values) * 3 // 4]
    expected = standardised(values, rows)
    coordinates = Coordinates(values, rows)
    own = coordinates.photos.astype(np.float64)
    scale = float(np.abs(expected[rows] @ expected[rows].T).max())
    assert np.abs(own @ own.T - expected[rows] @ expected[rows].T).max() < 1e-5 * scale
    others = coordinates.of(values)
    assert np.abs(others @ own.T - expected @ expected[rows].T).max() < 1e-5 * scale
    assert coordinates.variance == pytest.approx(np.square(expected[rows]).sum() / len(rows), rel=1e-5)


@pytest.mark.parametrize("shape", [MANY, FEW], ids=["many photos", "few photos"])
def test_weights_go_back_to_bottlenecks_as_they_are(shape: tuple[int, int]) -> None:
    values = bottlenecks(*shape)
    rows = np.arange(0, len(values), 2)
    coordinates = Coordinates(values, rows)
    random = np.random.default_rng(3)
    # Weights that a fit can come to: sums of photos.
    own = coordinates.photos.T.astype(np.float64) @ random.normal(0, 0.01, (len(rows), 3))
    bias = random.normal(0, 1, 3)
    weights, offset = coordinates.to_features(own, bias)
    assert weights.dtype == offset.dtype == np.float32
    expected = coordinates.of(values) @ own + bias
    assert np.abs(values @ weights + offset - expected).max() < 1e-3 * np.abs(expected).max()
    # The penalty is the same in both.
    spread = values[rows].astype(np.float64).std(axis=0)[:, None]
    assert np.square(weights * spread).sum() == pytest.approx(np.square(own).sum(), rel=1e-3)


def test_few_photos_make_short_vectors() -> None:
    assert Coordinates(bottlenecks(*FEW), np.arange(50)).photos.shape == (50, 50)
    assert Coordinates(bottlenecks(*MANY), np.arange(600)).photos.shape == (600, 300)


@pytest.mark.parametrize("features", [5, 40])
def test_copies_and_photos_without_any_difference(features: int) -> None:
    values = np.repeat(bottlenecks(3, features), 4, axis=0)
    for rows in (np.arange(12), np.arange(4)):
        coordinates = Coordinates(values, rows)
        assert np.isfinite(coordinates.photos).all()
        own, bias = np.ones((coordinates.photos.shape[1], 2)), np.zeros(2)
        assert all(np.isfinite(part).all() for part in coordinates.to_features(own, bias))
    assert np.abs(coordinates.photos).max() < 1e-3  # the four are all one photo


def test_no_float64_copy_of_all_bottlenecks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows_at_a_time = []
    apply = module._Standardisation.apply

    def recorded(self: module._Standardisation, block: Floats) -> npt.NDArray[np.float64]:
        rows_at_a_time.append(len(block))
        return apply(self, block)

    monkeypatch.setattr(module._Standardisation, "apply", recorded)
    Coordinates(bottlenecks(*MANY), np.arange(700))
    assert sum(rows_at_a_time) == 700
    assert max(rows_at_a_time) <= 256
