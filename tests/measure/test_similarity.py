"""The similarity that most points agree on."""

from __future__ import annotations

import cmath

import numpy as np
import pytest
from numpy.typing import NDArray

from capture.measure.similarity import fit_similarity, quadrant_count


def grid(columns: int, rows: int, width_px: float, height_px: float) -> NDArray[np.float64]:
    x, y = np.meshgrid(
        np.linspace(-width_px / 2, width_px / 2, columns),
        np.linspace(-height_px / 2, height_px / 2, rows),
    )
    return np.stack([x.ravel(), y.ravel()], axis=1)


def moved(points: NDArray[np.float64], turn: complex, shift: complex) -> NDArray[np.float64]:
    there = turn * (points[:, 0] + 1j * points[:, 1]) + shift
    return np.stack([there.real, there.imag], axis=1)


def test_an_exact_similarity_is_found_exactly() -> None:
    """Turn, zoom and shift."""
    points = grid(8, 6, 300, 220)
    turn = cmath.rect(1.01, 0.02)
    fit = fit_similarity(points, moved(points, turn, 3 - 2j))
    assert fit is not None
    assert fit.turn == pytest.approx(turn, abs=1e-9)
    assert fit.shift == pytest.approx(3 - 2j, abs=1e-9)
    assert fit.inliers.all()


def test_a_compact_majority_does_not_win() -> None:
    """30 corners of somebody who walks through against 18 of the scene behind."""
    scene, walker = grid(6, 3, 300, 220), grid(6, 5, 120, 90)
    before = np.concatenate([scene, walker])
    after = np.concatenate([moved(scene, 1, 0.5 + 0j), moved(walker, 1, 4 + 3j)])
    fit = fit_similarity(before, after)
    assert fit is not None
    assert fit.shift == pytest.approx(0.5 + 0j, abs=1e-6)
    assert fit.inliers.sum() == len(scene)


def test_noise_is_averaged_away() -> None:
    """48 points that are each 0.1 px out: the shift within 0.05 px."""
    points = grid(8, 6, 300, 220)
    noise = 0.1 * np.random.default_rng(3).standard_normal(points.shape)
    fit = fit_similarity(points, moved(points, 1, 1 + 1j) + noise)
    assert fit is not None
    assert abs(fit.shift - (1 + 1j)) < 0.05


def test_too_little_makes_no_similarity() -> None:
    """One point, points in one place, and points that went anywhere."""
    one = np.zeros((1, 2))
    assert fit_similarity(one, one) is None
    heap = np.random.default_rng(0).random((20, 2))
    assert fit_similarity(heap, heap) is None
    points = grid(2, 1, 100, 0)
    assert fit_similarity(points, points[::-1]) is None, "turned by half: no preview does that"


def test_quadrants_are_counted() -> None:
    """Around the origin."""
    assert quadrant_count(np.empty((0, 2))) == 0
    assert quadrant_count(np.array([[1.0, 1.0], [2.0, 3.0]])) == 1
    assert quadrant_count(grid(2, 2, 10, 10)) == 4
