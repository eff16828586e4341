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

from capture.measure.gyro import GyroTrack, angular_rate, image_velocities
from capture.measure.motion import Motion
from capture.measure.prediction import RECENT_COUNT, predict_speed
from capture.measure.shutter import Optics, predict_by_gyro

RECENT_MS = 165.0
"""How long the recent intervals last at least: more than one period of tremor."""

_KEPT_COUNT = 32
_SLOW_PREVIEW_SPAN_MS = 1000.0
_EDGE_MS = 10.0

_STILL_WIDTHS_S = 0.02
"""A camera that the frames see move slower than this may teach the gyroscope its zero."""

_EXCESS_RATIO = 1.5
_EXCESS_WIDTHS = 3e-4
"""What frames must see beyond the gyroscope: this share, and six times their own error."""

_MIN_SCENE_INLIERS = 16


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
    center_speed : float
        Of the picture's centre, mean over the frame's interval, in preview widths per second.
    speed : float
        The same with roll: root mean square over the picture.
    peak_speed : float
        The largest of the recent ones.
    predicted_speed : float
        While the shutter will be open.
    uses_frames, uses_gyro : bool
        Which sources spoke.
    confidence : float
        How sure it is, in [0, 1].
    is_backed_by_history : bool
        Whether at least five intervals speak, or at least two over a second.
    """

    center_speed: float
    speed: float
    peak_speed: float
    predicted_speed: float
    uses_frames: bool
    uses_gyro: bool
    confidence: float
    is_backed_by_history: bool


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
        by_gyro = None
        read_at_ms = at_ms + optics.rolling_shutter_ms / 2
        span = gyro.span_at(read_at_ms)
        if optics.focal_widths > 0 and span and span[1] - interval_ms > span[0] - _EDGE_MS:
            interval = np.array([span[1] - interval_ms, span[1]])
            rate = gyro.mean_rates(interval)[0]
            if by_frames is not None and _norm(by_frames) < _STILL_WIDTHS_S:
                seen_by_frames = angular_rate(
                    np.array(by_frames), optics.focal_widths, optics.roll_radius
                )
                gyro = gyro.with_bias_seen(rate, seen_by_frames, interval_ms / 1000)
                rate = gyro.mean_rates(interval)[0]
            by_gyro = image_velocities(rate, optics.focal_widths, optics.roll_radius)
        if by_frames is None and by_gyro is None:
            return self, gyro, None
        step = Step(at_ms, interval_ms, by_frames, _frozen(by_gyro))
        history = MovementHistory((*self.steps, step)[-_KEPT_COUNT:])
        return history, gyro, history._read(motion, gyro, span, read_at_ms, exposure_time_s, optics)

    def _read(
        self,
        motion: Motion | None,
        gyro: GyroTrack,
        span: tuple[float, float] | None,
        read_at_ms: float,
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
        recent = self.steps[-self._recent_count() :]
        if newest.by_gyro is None or span is None:
            return Reading(
                center_speed=_norm(newest.by_frames, 2),
                speed=_norm(newest.by_frames),
                peak_speed=max(_norm(step.by_frames or step.by_gyro) for step in recent),
                predicted_speed=predict_speed(frames, len(recent)),
                uses_frames=True,
                uses_gyro=False,
                confidence=agreement * backing,
                is_backed_by_history=is_backed,
            )
        predicted = predict_by_gyro(gyro, span, read_at_ms, exposure_time_s, optics)
        center_speed, speed = _norm(newest.by_gyro, 2), _norm(newest.by_gyro)
        peak = max(_norm(step.by_gyro or step.by_frames) for step in recent)
        confidence = 0.9 if gyro.bias_learnt_s > 0 else 0.7
        if newest.by_frames is not None and motion is not None:
            if self._excess_by_frames() and _speaks_for_the_scene(motion):
                # A sideways movement, which no gyroscope sees; close by it blurs the most.
                predicted = max(predicted, predict_speed(frames, len(recent)))
                center_speed = max(center_speed, _norm(newest.by_frames, 2))
                speed = max(speed, _norm(newest.by_frames))
                peak = max(peak, *(_norm(step.by_frames) for step in recent))
                confidence = 0.5 * agreement
            else:
                confidence = max(confidence, 0.9 + 0.1 * agreement)
        return Reading(
            center_speed=center_speed,
            speed=speed,
            peak_speed=peak,
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
        noise = _EXCESS_WIDTHS / (np.mean([s.interval_ms for s in recent]) / 1000)
        frames = math.sqrt(np.mean([_norm(s.by_frames) ** 2 for s in recent]))
        gyro = math.sqrt(np.mean([_norm(s.by_gyro) ** 2 for s in recent]))
        return bool(frames > _EXCESS_RATIO * gyro + noise)


def _speaks_for_the_scene(motion: Motion) -> bool:
    """Whether so many corners agree that it cannot be somebody who walks through."""
    return motion.inlier_count >= max(_MIN_SCENE_INLIERS, motion.corner_count / 2)


def _velocity(
    motion: Motion | None, preview_width_px: int, interval_ms: float, optics: Optics
) -> tuple[float, float, float] | None:
    if motion is None:
        return None
    rolled = math.radians(motion.rotation_deg) * optics.roll_radius
    return (
        motion.dx_px / preview_width_px * 1000 / interval_ms,
        motion.dy_px / preview_width_px * 1000 / interval_ms,
        rolled * 1000 / interval_ms,
    )


def _frozen(velocity: NDArray[np.float64] | None) -> tuple[float, float, float] | None:
    return (
        None if velocity is None else (float(velocity[0]), float(velocity[1]), float(velocity[2]))
    )


def _norm(velocity: tuple[float, ...] | None, component_count: int = 3) -> float:
    return 0.0 if velocity is None else math.hypot(*velocity[:component_count])
