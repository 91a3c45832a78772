"""The minimiser against the solution of a linear system."""

import numpy as np

from edgeretrain.head.lbfgs import Doubles, minimise


def test_minimise_solves_an_ill_conditioned_quadratic() -> None:
    random = np.random.default_rng(1)
    root = random.normal(0, 1, (12, 12)) * np.logspace(0, 1.5, 12)
    matrix, target = root.T @ root + np.eye(12), random.normal(0, 1, 12)
    calls = 0

    def quadratic(point: Doubles) -> tuple[float, Doubles]:
        nonlocal calls
        calls += 1
        return float(point @ matrix @ point / 2 - target @ point), matrix @ point - target

    start = np.zeros(12)
    found = minimise(quadratic, start, tolerance=1e-9)
    assert np.allclose(found, np.linalg.solve(matrix, target), atol=1e-7)
    assert not start.any()
    assert calls < 500
    calls = 0
    assert (minimise(quadratic, found, tolerance=1e-3) == found).all()
    assert calls == 1  # at the minimum already


def test_minimise_gives_up_at_the_limit() -> None:
    quadratic = lambda point: (float(point @ point), 2 * point)  # noqa: E731
    assert (minimise(quadratic, np.ones(2), iterations=0) == 1).all()


def test_rounding_errors_of_the_value_do_not_stop_it() -> None:
    """Values from float32 products differ by noise near the minimum; the gradient still leads there."""
    random = np.random.default_rng(2)
    scales, target = np.logspace(0, 2, 30), random.normal(0, 1, 30)
    calls = 0

    def noisy(point: Doubles) -> tuple[float, Doubles]:
        nonlocal calls
        calls += 1
        away = point - target
        return 1 + float(scales @ away**2) / 2 + 1e-8 * random.normal(), scales * away

    found = minimise(noisy, np.zeros(30), tolerance=1e-6)
    assert np.abs(scales * (found - target)).max() <= 1e-6
    assert calls < 100
