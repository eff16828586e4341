"""Foretelling speed: exact where movement is regular, cautious where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from capture.measure.prediction import FRAME_ORDER, expected_squares, predict_speed


def test_a_constant_speed_goes_on() -> None:
    """Predicted as it is, whatever the direction."""
    velocities = np.tile([3.0, 4.0], (20, 1))
    assert predict_speed(velocities) == pytest.approx(5, rel=0.01)


def test_a_camera_that_stands_will_stand() -> None:
    """No division by nothing."""
    assert predict_speed(np.zeros((32, 3))) == 0


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_short_history_predicts_what_it_saw(count: int) -> None:
    """Fewer than twice the order: no autoregression, still a number."""
    assert predict_speed(np.full((count, 2), 2.0)) == pytest.approx(np.sqrt(8))


def test_a_zero_crossing_of_tremor_is_not_rest() -> None:
    """The last speed is nothing, and 10 Hz tremor sampled at 30 Hz comes back."""
    phase = 2 * np.pi * 10.2 * np.arange(24) / 30
    tremor = np.stack([np.sin(phase - phase[-1]), np.zeros(24)], axis=1)
    assert np.linalg.norm(tremor[-1]) < 1e-9
    assert predict_speed(tremor) > 0.5
    next_speed = abs(np.sin(2 * np.pi * 10.2 / 30))
    foretold = np.sqrt(expected_squares(tremor, FRAME_ORDER, 1)[0])
    assert foretold == pytest.approx(next_speed, rel=0.05)


def test_a_halt_is_believed_by_and_by() -> None:
    """After moving, the prediction falls with every calm frame."""
    moving = np.tile([5.0, 0.0], (12, 1))
    predicted = [predict_speed(np.vstack([moving, np.zeros((calm, 2))])) for calm in range(7)]
    assert predicted == sorted(predicted, reverse=True)
    assert predicted[0] == pytest.approx(5, rel=0.01)
    assert predicted[-1] < 2.5


def test_the_error_of_foretelling_grows_with_time() -> None:
    """White noise cannot be foretold: its own variance is what to expect."""
    noise = np.random.default_rng(2).standard_normal((400, 2))
    expected = [expected_squares(noise[:end], 8, 10)[-1] for end in range(60, 400, 10)]
    assert np.mean(expected) == pytest.approx(2, rel=0.2)
    walk = np.cumsum(noise, axis=0)
    foretold = expected_squares(walk, 8, 10)
    assert foretold[-1] - foretold[0] > 3
