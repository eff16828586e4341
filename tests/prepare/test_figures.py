"""Figures are what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from capture.prepare.figures import (
    angle_error_deg,
    calibration_error,
    detection_threshold,
    rank_correlation,
    roc_auc,
    scene_interval,
    share_at_least,
)


def test_auc_counts_pairs_in_order_and_ties_half() -> None:
    assert roc_auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert roc_auc(np.array([1.0]), np.array([1.0, 1.0])) == 0.5
    assert roc_auc(np.array([0.0, 2.0]), np.array([1.0])) == 0.5


def test_the_threshold_detects_at_least_what_was_asked() -> None:
    scores = np.arange(100.0)
    threshold = detection_threshold(scores, 0.95)
    assert share_at_least(scores, threshold) >= 0.95
    assert share_at_least(scores, threshold + 1.5) < 0.95


def test_directions_meet_at_180_degrees() -> None:
    error = angle_error_deg(np.array([179.0, 10.0, 90.0]), np.array([1.0, 40.0, 0.0]))
    assert error.tolist() == [2.0, 30.0, 90.0]


def test_calibration_error_is_the_gap_between_stated_and_true() -> None:
    stated = np.full(100, 0.8)
    assert calibration_error(stated, np.arange(100) < 80) == pytest.approx(0.0, abs=1e-12)
    assert calibration_error(stated, np.arange(100) < 30) == pytest.approx(0.5)


def test_rank_correlation_sees_order_only() -> None:
    assert rank_correlation(np.array([0.1, 5.0, 6.0]), np.array([1.0, 2.0, 9.0])) == pytest.approx(
        1
    )
    assert rank_correlation(np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0, 9.0])) == pytest.approx(
        -1
    )


def test_an_interval_over_scenes_is_wider_than_over_rows() -> None:
    """Rows of one scene agree, so that ten scenes of ten rows are ten samples, not a hundred."""
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=10), 10)

    def mean(rows: np.ndarray) -> float:
        return float(values[rows].mean())

    by_scene = scene_interval(mean, np.repeat(np.arange(10).astype(str), 10))
    by_row = scene_interval(mean, np.arange(100).astype(str))
    assert by_scene[1] - by_scene[0] > 1.5 * (by_row[1] - by_row[0])


def test_a_constant_estimate_has_no_rank_correlation() -> None:
    assert rank_correlation(np.ones(3), np.array([1.0, 2.0, 9.0])) == 0.0
