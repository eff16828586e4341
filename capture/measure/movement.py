"""How fast the picture moves, from frames and gyroscope, and how fast it will move next.

Velocities are (x, y, roll): x right and y down in preview widths per second, so that they
hold for the preview and for the still; roll is given as the speed it causes at the root mean
square distance from the centre, so that the three add up like the sides of a box.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.measure.gyro import GyroTrack, angular_rate, image_velocity
from capture.measure.motion import Motion

RECENT_COUNT = 5
"""Speeds that speak for the present. Tremor of 8 to 12 Hz aliases in fewer."""

RECENT_MS = 165.0
"""The same as a time, for previews faster than 30 a second: more than one tremor's period."""

_KEPT_COUNT = 32
_SLOW_PREVIEW_SPAN_MS = 1000.0
_ORDER = 4
_RIDGE = 0.05

_STILL_WIDTHS_S = 0.01
_FRAME_NOISE_WIDTHS = 1e-4
_EXCESS_RATIO = 1.5
_MIN_GYRO_WINDOW_MS = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """Movement in the interval of one frame.

    Attributes
    ----------
    at_ms, interval_ms : float
        End and length of the interval.
    by_frames, by_gyro : tuple of float or None
        Mean velocity (x, y, roll); None where that source was silent.
    """

    at_ms: float
    interval_ms: float
    by_frames: tuple[float, float, float] | None
    by_gyro: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Reading:
    """Speed of the picture at one preview.

    Attributes
    ----------
    speed : float
        Mean over the frame's interval, in preview widths per second.
    predicted_speed : float
        While the shutter will be open.
    uses_frames, uses_gyro : bool
        Which sources spoke.
    confidence : float
        How sure it is, in [0, 1].
    is_backed_by_history : bool
        Whether at least five intervals speak, or at least two over a second.
    """

    speed: float
    predicted_speed: float
    uses_frames: bool
    uses_gyro: bool
    confidence: float
    is_backed_by_history: bool


@dataclass(frozen=True, slots=True)
class Optics:
    """What turns angles into widths.

    Attributes
    ----------
    focal_widths : float
        Focal length in widths of the picture; 0 means unknown: the gyroscope is not used.
    rolling_shutter_ms : float
        First row to last. The middle row stands for the frame: half of this after its time.
    aspect : float
        Height of the picture in widths.
    """

    focal_widths: float
    rolling_shutter_ms: float
    aspect: float

    @property
    def roll_radius(self) -> float:
        """Root mean square distance of the pixels from the centre, in widths."""
        return math.sqrt((1 + self.aspect**2) / 12)


@dataclass(frozen=True, slots=True)
class MovementHistory:
    """The last intervals of one camera, folded.

    Attributes
    ----------
    steps : tuple of Step
        Oldest first, at most 32.
    """

    steps: tuple[Step, ...] = ()

    def observe(
        self,
        motion: Motion | None,
        preview_width_px: int,
        gyro: GyroTrack,
        *,
        at_ms: float,
        interval_ms: float,
        exposure_time_s: float,
        optics: Optics,
    ) -> tuple[MovementHistory, GyroTrack, Reading | None]:
        """Return the history and the track after one more frame, and what they say.

        Parameters
        ----------
        motion : Motion or None
            What the frames say; None where they cannot.
        preview_width_px : int
            Width of the preview that `motion` is in.
        gyro : GyroTrack
            What the gyroscope said so far. Its bias is learnt here.
        at_ms, interval_ms : float
            Time of the frame, and since the frame before.
        exposure_time_s : float
            Of the still to come.
        optics : Optics
            What turns angles into widths.

        Returns
        -------
        MovementHistory, GyroTrack, Reading or None
            The reading is None where neither source spoke.
        """
        by_frames = _velocity(motion, preview_width_px, interval_ms, optics)
        read_at_ms = at_ms + optics.rolling_shutter_ms / 2
        from_ms = read_at_ms - interval_ms
        # The latest sample may be older than the middle row: then its time must do.
        until_ms = min(read_at_ms, float(gyro.times_ms[-1])) if len(gyro.times_ms) else read_at_ms
        by_gyro = None
        if optics.focal_widths > 0 and gyro.covers(from_ms, read_at_ms):
            rate = gyro.mean_rate(from_ms, until_ms)
            if by_frames is not None and np.linalg.norm(by_frames) < _STILL_WIDTHS_S:
                seen_by_frames = angular_rate(by_frames, optics.focal_widths, optics.roll_radius)
                gyro = gyro.with_bias_seen(rate, seen_by_frames, interval_ms / 1000)
                rate = gyro.mean_rate(from_ms, until_ms)
            by_gyro = image_velocity(rate, optics.focal_widths, optics.roll_radius)
        if by_frames is None and by_gyro is None:
            return self, gyro, None
        step = Step(at_ms, interval_ms, _frozen(by_frames), _frozen(by_gyro))
        history = MovementHistory((*self.steps, step)[-_KEPT_COUNT:])
        return history, gyro, history._read(motion, gyro, until_ms, exposure_time_s, optics)

    def _read(
        self,
        motion: Motion | None,
        gyro: GyroTrack,
        until_ms: float,
        exposure_time_s: float,
        optics: Optics,
    ) -> Reading:
        newest = self.steps[-1]
        span_ms = newest.at_ms - self.steps[0].at_ms + self.steps[0].interval_ms
        count = len(self.steps)
        is_backed = count >= RECENT_COUNT or (count >= 2 and span_ms >= _SLOW_PREVIEW_SPAN_MS)
        backing = min(1.0, count / RECENT_COUNT)
        frames = self._recent_frames()
        agreement = 0.0
        if motion is not None:
            agreement = motion.inlier_count / motion.corner_count * motion.quadrant_count / 4
        if newest.by_gyro is None:
            return Reading(
                speed=_norm(newest.by_frames),
                predicted_speed=predict_speed(frames, self._recent_count()),
                uses_frames=True,
                uses_gyro=False,
                confidence=agreement * backing,
                is_backed_by_history=is_backed,
            )
        predicted = _predict_by_gyro(gyro, until_ms, exposure_time_s, optics)
        speed = _norm(newest.by_gyro)
        confidence = 0.9 if gyro.bias_learnt_s > 0 else 0.7
        if newest.by_frames is not None:
            excess = self._excess_by_frames()
            if excess:
                # A sideways movement, which no gyroscope sees; close by it blurs the most.
                predicted = max(predicted, predict_speed(frames, self._recent_count()))
                speed = max(speed, _norm(newest.by_frames))
                confidence = 0.5 * agreement
            else:
                confidence = max(confidence, 0.9 + 0.1 * agreement)
        return Reading(
            speed=speed,
            predicted_speed=predicted,
            uses_frames=newest.by_frames is not None,
            uses_gyro=True,
            confidence=confidence * backing,
            is_backed_by_history=is_backed,
        )

    def _recent_count(self) -> int:
        newest_ms = self.steps[-1].at_ms
        within = sum(newest_ms - step.at_ms < RECENT_MS for step in self.steps)
        return max(RECENT_COUNT, within)

    def _recent_frames(self) -> NDArray[np.float64]:
        return np.array([s.by_frames for s in self.steps if s.by_frames is not None]).reshape(-1, 3)

    def _excess_by_frames(self) -> bool:
        recent = [
            step
            for step in self.steps[-self._recent_count() :]
            if step.by_frames is not None and step.by_gyro is not None
        ]
        noise = _FRAME_NOISE_WIDTHS * 3 / (np.mean([s.interval_ms for s in recent]) / 1000)
        frames = math.sqrt(np.mean([_norm(s.by_frames) ** 2 for s in recent]))
        gyro = math.sqrt(np.mean([_norm(s.by_gyro) ** 2 for s in recent]))
        return bool(frames > _EXCESS_RATIO * gyro + noise)


def predict_speed(velocities: NDArray[np.float64], recent_count: int = RECENT_COUNT) -> float:
    """Predict the speed during the next frame's interval.

    Parameters
    ----------
    velocities : (n, k) float64
        Mean velocity in each frame's interval, newest last, in any unit; n >= 1.
    recent_count : int
        How many of them speak for the present.

    Returns
    -------
    float
        Speed in the same unit, >= 0: the root mean square of the recent speeds, of the last
        one, and of an autoregressive prediction of order 4.

    Notes
    -----
    Hand tremor lies near a third of the frame rate, so that the last speed alone may be a
    zero crossing. Even the true past motion at 30 frames a second foretells a still only
    with an AUC of 0.95 at 1/60 s.
    """
    squares = np.square(velocities).sum(axis=1)
    recent = float(squares[-recent_count:].mean())
    foretold = float(np.square(_autoregress(velocities)).sum())
    return math.sqrt((recent + foretold + float(squares[-1])) / 3)


def _autoregress(velocities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Predict the next velocity; all components share their coefficients."""
    count = len(velocities)
    if count < 2 * _ORDER:
        return np.asarray(velocities[-1])
    lagged = np.concatenate(
        [
            np.stack([v[_ORDER - 1 - lag : count - 1 - lag] for lag in range(_ORDER)], axis=1)
            for v in velocities.T
        ]
    )
    following = velocities[_ORDER:].T.ravel()
    ridge = _RIDGE * float(np.square(lagged).sum()) / _ORDER + 1e-18
    weights = np.linalg.solve(lagged.T @ lagged + ridge * np.eye(_ORDER), lagged.T @ following)
    foretold: NDArray[np.float64] = weights @ velocities[::-1][:_ORDER]
    return foretold


def _predict_by_gyro(
    gyro: GyroTrack, until_ms: float, exposure_time_s: float, optics: Optics
) -> float:
    """Predict from the speed over the last exposure time and its mean over the last frames."""
    window_ms = min(max(exposure_time_s * 1000, _MIN_GYRO_WINDOW_MS), RECENT_MS)
    squares = []
    end_ms = until_ms
    while end_ms > until_ms - RECENT_MS and gyro.covers(end_ms - window_ms, end_ms):
        rate = gyro.mean_rate(end_ms - window_ms, end_ms)
        velocity = image_velocity(rate, optics.focal_widths, optics.roll_radius)
        squares.append(float(velocity @ velocity))
        end_ms -= window_ms
    if not squares:
        rate = gyro.mean_rate(until_ms - window_ms, until_ms)
        velocity = image_velocity(rate, optics.focal_widths, optics.roll_radius)
        return _norm(tuple(velocity))
    return math.sqrt((squares[0] + sum(squares) / len(squares)) / 2)


def _velocity(
    motion: Motion | None, preview_width_px: int, interval_ms: float, optics: Optics
) -> NDArray[np.float64] | None:
    if motion is None:
        return None
    moved = (
        motion.dx_px / preview_width_px,
        motion.dy_px / preview_width_px,
        math.radians(motion.rotation_deg) * optics.roll_radius,
    )
    return np.array(moved) * 1000 / interval_ms


def _frozen(velocity: NDArray[np.float64] | None) -> tuple[float, float, float] | None:
    return (
        None if velocity is None else (float(velocity[0]), float(velocity[1]), float(velocity[2]))
    )


def _norm(velocity: tuple[float, ...] | None) -> float:
    return 0.0 if velocity is None else math.hypot(*velocity)
