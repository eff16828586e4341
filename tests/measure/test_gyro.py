"""The gyroscope: integration, holes, late samples and the bias."""

from __future__ import annotations

import math

import numpy as np
import pytest

from capture.errors import SessionError
from capture.measure.gyro import (
    MAX_SAMPLE_COUNT,
    GyroSample,
    GyroTrack,
    angular_rate,
    image_velocities,
)


def samples(
    from_ms: float, to_ms: float, step_ms: float = 5.0, rate: tuple[float, float, float] = (0, 0, 0)
) -> list[GyroSample]:
    return [GyroSample(float(t), *rate) for t in np.arange(from_ms, to_ms, step_ms)]


def test_a_constant_turn_is_integrated_exactly() -> None:
    """Whatever the edges of the intervals."""
    track = GyroTrack.empty().with_samples(samples(0, 200, rate=(0.1, -0.2, 0.3)))
    rates = track.mean_rates(np.array([12.3, 45.6, 50.0, 170.0]))
    np.testing.assert_allclose(rates, [[0.1, -0.2, 0.3]] * 3, rtol=1e-12)


def test_a_ramp_has_the_mean_of_its_middle() -> None:
    """Integration, not the nearest sample."""
    ramp = [GyroSample(float(t), t / 1000, 0.0, 0.0) for t in range(0, 101, 10)]
    rates = GyroTrack.empty().with_samples(ramp).mean_rates(np.array([20.0, 60.0]))
    assert rates[0, 0] == pytest.approx(0.04)


def test_samples_may_come_late_and_twice() -> None:
    """The track is in time order, each time once, and the first word counts."""
    given = samples(0, 100, rate=(0.1, 0, 0))
    mixed = GyroTrack.empty().with_samples(given[10:]).with_samples(given[:12])
    ordered = GyroTrack.empty().with_samples(given)
    np.testing.assert_array_equal(mixed.times_ms, ordered.times_ms)
    again = mixed.with_samples([GyroSample(50.0, 9.0, 0.0, 0.0)])
    np.testing.assert_array_equal(again.rates_rad_s, ordered.rates_rad_s)


def test_a_clock_that_was_set_back_starts_anew() -> None:
    """Old samples of the old clock would fill the hole with nonsense."""
    track = GyroTrack.empty().with_samples(samples(50_000, 50_100)).with_samples(samples(0, 50))
    assert track.times_ms[-1] < 100


def test_a_hole_is_not_bridged() -> None:
    """40 ms and more without a sample is a hole."""
    track = GyroTrack.empty().with_samples(samples(0, 100) + samples(145, 200))
    assert track.span_at(90) == (0, 90)
    assert track.span_at(120) == (0, 120)
    assert track.span_at(140) is None
    assert track.span_at(190) == (145, 190)
    assert track.span_at(230) == (145, 195), "late samples: the newest must do"
    assert track.span_at(270) is None
    assert GyroTrack.empty().span_at(0) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_sample_that_is_not_finite_is_refused(value: float) -> None:
    """The track stays as it was."""
    track = GyroTrack.empty().with_samples(samples(0, 50))
    with pytest.raises(SessionError, match="finite"):
        track.with_samples([GyroSample(60.0, 0.0, value, 0.0)])
    assert len(track.times_ms) == 10


def test_degrees_in_place_of_radians_are_noticed() -> None:
    """No camera turns a hundred and fifty times a second."""
    with pytest.raises(SessionError, match="faster than 1000 rad/s"):
        GyroTrack.empty().with_samples([GyroSample(0.0, 0.0, -2000.0, 0.0)])


def test_the_track_does_not_grow_for_ever() -> None:
    """The oldest go first."""
    track = GyroTrack.empty()
    for start in range(0, 60_000, 6000):
        track = track.with_samples(samples(start, start + 6000, step_ms=2.5))
    assert len(track.times_ms) == MAX_SAMPLE_COUNT
    assert track.times_ms[-1] == pytest.approx(59_997.5)


def test_the_bias_is_learnt_while_the_frames_stand_still() -> None:
    """0.02 rad/s of bias is found to a twentieth in one second, and then removed."""
    bias = np.array([0.02, -0.01, 0.005])
    rng = np.random.default_rng(1)
    track = GyroTrack.empty().with_samples(
        GyroSample(float(t), *map(float, bias + 0.002 * rng.standard_normal(3)))
        for t in range(0, 1100, 5)
    )
    for end_ms in range(40, 1080, 33):
        seen = track.mean_rates(np.array([end_ms - 33.0, end_ms]))[0]
        track = track.with_bias_seen(seen, np.zeros(3), 0.033)
    np.testing.assert_allclose(track.bias_rad_s, bias, atol=0.001)
    assert np.abs(track.mean_rates(np.array([500.0, 1000.0]))).max() < 0.001


def test_a_turn_that_frames_deny_is_no_bias() -> None:
    """0.3 rad/s is a turn, whatever stands in front of the lens."""
    track = GyroTrack.empty().with_samples(samples(0, 100, rate=(0, 0.3, 0)))
    denied = track.with_bias_seen(np.array([0, 0.3, 0]), np.zeros(3), 0.033)
    assert denied.bias_learnt_s == 0
    assert not denied.bias_rad_s.any()


@pytest.mark.parametrize(
    ("rate", "velocity"),
    [
        ((0.0, 0.1, 0.0), (-0.08, 0.0, 0.0)),
        ((0.1, 0.0, 0.0), (0.0, 0.08, 0.0)),
        ((0.0, 0.0, 0.1), (0.0, 0.0, -0.035)),
    ],
    ids=["turning right moves content left", "tilting up moves it down", "rolls against"],
)
def test_axes(rate: tuple[float, ...], velocity: tuple[float, ...]) -> None:
    """x right, y down, z into the scene, right-handed; focal length of 0.8 widths."""
    given = np.array(rate)
    seen = image_velocities(given, 0.8, 0.35)
    np.testing.assert_allclose(seen, velocity, atol=1e-12)
    np.testing.assert_allclose(angular_rate(seen, 0.8, 0.35), given, atol=1e-12)
