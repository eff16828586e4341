"""The gyroscope: samples kept, bias learnt while the camera is still, image speed told.

Axes are the camera's: x right, y down, z into the scene, right-handed. A camera that turns
right (y > 0) moves the picture's content left; one that tilts up (x > 0) moves it down; one
that rolls clockwise (z > 0) turns it anticlockwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from capture.errors import SessionError

MAX_SAMPLE_COUNT = 16_384
"""Samples kept; the oldest go first, so that no client makes the memory grow."""

MAX_RATE_RAD_S = 1000.0
"""No gyroscope of a camera tells more; what does is in another unit, or nonsense."""

MAX_TIME_MS = 1e15
"""Times beyond this cannot tell one millisecond from the next."""

_CLOCK_JUMP_MS = 1000.0
_MAX_HOLE_MS = 40.0
_MAX_LATE_MS = 70.0
"""Clients that send a frame before its samples are a frame late with them."""

_BIAS_TIME_CONSTANT_S = 1.0
_MAX_BIAS_RAD_S = 0.05


@dataclass(frozen=True, slots=True)
class GyroSample:
    """One sample of the gyroscope, in the camera's axes.

    Attributes
    ----------
    captured_at_ms : float
        Time on the clock of the previews.
    x_rad_s, y_rad_s, z_rad_s : float
        Angular speed around each axis, in radians per second.
    """

    captured_at_ms: float
    x_rad_s: float
    y_rad_s: float
    z_rad_s: float


@dataclass(frozen=True, slots=True, eq=False)
class GyroTrack:
    """The latest samples in time order, and the bias found so far.

    Attributes
    ----------
    times_ms : (n,) float64
        Rising, without duplicates.
    rates_rad_s : (n, 3) float64
        As sent, bias included.
    bias_rad_s : (3,) float64
        What the gyroscope says when the camera is still.
    bias_learnt_s : float
        For how long it was learnt; 0 when nothing is known of it.
    """

    times_ms: NDArray[np.float64]
    rates_rad_s: NDArray[np.float64]
    bias_rad_s: NDArray[np.float64]
    bias_learnt_s: float = 0.0

    @classmethod
    def empty(cls) -> GyroTrack:
        """Return a track without samples."""
        return cls(np.empty(0), np.empty((0, 3)), np.zeros(3))

    def with_samples(self, samples: Iterable[GyroSample]) -> GyroTrack:
        """Return the track with more samples, which may come late or twice.

        Samples that lie more than a second before all that is kept come from a clock that
        was set back: what was kept is dropped.

        Raises
        ------
        SessionError
            If a sample is not finite, or no gyroscope could have said it.
        """
        rows = np.array(
            [(s.captured_at_ms, s.x_rad_s, s.y_rad_s, s.z_rad_s) for s in samples], float
        ).reshape(-1, 4)
        if not np.isfinite(rows).all():
            raise SessionError("a motion sample is not a finite number")
        if (np.abs(rows[:, 0]) > MAX_TIME_MS).any():
            raise SessionError(f"the time of a motion sample is beyond {MAX_TIME_MS:.0e} ms")
        if (np.abs(rows[:, 1:]) > MAX_RATE_RAD_S).any():
            raise SessionError(f"a motion sample turns faster than {MAX_RATE_RAD_S:.0f} rad/s")
        if not len(rows):
            return self
        times_ms, rates = self.times_ms, self.rates_rad_s
        if len(times_ms) and rows[:, 0].max() < times_ms[-1] - _CLOCK_JUMP_MS:
            times_ms, rates = times_ms[:0], rates[:0]
        # The first of equal times stays: np.unique returns the first index.
        times_ms, first = np.unique(np.concatenate([times_ms, rows[:, 0]]), return_index=True)
        rates = np.concatenate([rates, rows[:, 1:]])[first]
        return replace(
            self, times_ms=times_ms[-MAX_SAMPLE_COUNT:], rates_rad_s=rates[-MAX_SAMPLE_COUNT:]
        )

    def without_before(self, at_ms: float) -> GyroTrack:
        """Return the track without the samples before a time."""
        first = int(np.searchsorted(self.times_ms, at_ms))
        if first == 0:
            return self
        return replace(self, times_ms=self.times_ms[first:], rates_rad_s=self.rates_rad_s[first:])

    def span_at(self, at_ms: float) -> tuple[float, float] | None:
        """Return the span without a hole of 40 ms that reaches a time.

        Returns
        -------
        since_ms, until_ms : float
            The end is the time itself or, where samples come up to 70 ms late, that of the
            newest one. None where there is a hole at that time.
        """
        count = int(np.searchsorted(self.times_ms, at_ms, side="right"))
        is_last = count == len(self.times_ms)
        silent_ms = at_ms - self.times_ms[count - 1] if count else np.inf
        if silent_ms >= (_MAX_LATE_MS if is_last else _MAX_HOLE_MS):
            return None
        holes = np.flatnonzero(np.diff(self.times_ms[:count]) >= _MAX_HOLE_MS)
        since_ms = float(self.times_ms[holes[-1] + 1 if len(holes) else 0])
        return since_ms, float(self.times_ms[-1]) if is_last else at_ms

    def mean_rates(self, edges_ms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Integrate over intervals that are covered, and divide by their lengths.

        Parameters
        ----------
        edges_ms : (n + 1,) float64
            Rising; neighbours bound an interval.

        Returns
        -------
        (n, 3) float64
            Mean angular speed in radians per second, bias removed.
        """
        near = slice(
            max(int(np.searchsorted(self.times_ms, edges_ms[0], side="right")) - 1, 0),
            int(np.searchsorted(self.times_ms, edges_ms[-1])) + 1,
        )
        times_ms, rates = self.times_ms[near], self.rates_rad_s[near]
        knots = np.unique(np.concatenate([times_ms, edges_ms]))
        at_knots = np.stack([np.interp(knots, times_ms, rate) for rate in rates.T], axis=1)
        areas = (at_knots[1:] + at_knots[:-1]) / 2 * np.diff(knots)[:, None]
        turned = np.concatenate([np.zeros((1, 3)), np.cumsum(areas, axis=0)])
        turned = turned[np.searchsorted(knots, edges_ms)]
        means = np.diff(turned, axis=0) / np.diff(edges_ms)[:, None]
        return np.asarray(means - self.bias_rad_s)

    def with_bias_seen(
        self, seen_rad_s: NDArray[np.float64], frames_rad_s: NDArray[np.float64], duration_s: float
    ) -> GyroTrack:
        """Learn the bias from an interval in which the frames say the camera was still.

        Parameters
        ----------
        seen_rad_s, frames_rad_s : (3,) float64
            Mean angular speed by this track (bias removed) and by the frames.
        duration_s : float
            Length of the interval in seconds.

        Returns
        -------
        GyroTrack
            Unchanged where the two differ by more than a bias can be, 0.05 rad/s.
        """
        seen = self.bias_rad_s + seen_rad_s - frames_rad_s
        if np.abs(seen).max() > _MAX_BIAS_RAD_S:
            return self
        learnt_s = self.bias_learnt_s + duration_s
        # A plain mean at first, then a slow one: the bias drifts with the temperature.
        share = duration_s / min(learnt_s, _BIAS_TIME_CONSTANT_S + duration_s)
        bias = self.bias_rad_s + share * (seen - self.bias_rad_s)
        return replace(self, bias_rad_s=bias, bias_learnt_s=learnt_s)


def image_velocities(
    rates_rad_s: NDArray[np.float64], focal_widths: float, roll_radius: float
) -> NDArray[np.float64]:
    """Turn angular speeds into velocities of the picture's content.

    Parameters
    ----------
    rates_rad_s : (..., 3) float64
        Angular speed in the camera's axes.
    focal_widths : float
        Focal length in widths of the picture.
    roll_radius : float
        Distance from the centre at which roll is expressed, in widths.

    Returns
    -------
    (..., 3) float64
        x right, y down and roll from x to y, in widths per second.
    """
    x, y, z = np.moveaxis(rates_rad_s, -1, 0)
    return np.stack([-focal_widths * y, focal_widths * x, -roll_radius * z], axis=-1)


def angular_rate(
    velocity: NDArray[np.float64], focal_widths: float, roll_radius: float
) -> NDArray[np.float64]:
    """Turn the velocity of the picture's content into angular speed: `image_velocities` undone."""
    x, y, roll = velocity
    return np.array([y / focal_widths, -x / focal_widths, -roll / roll_radius])
