"""One camera stream, folded: previews, motion samples and verdicts in, guidance out.

Nothing here reads a clock, a socket or a file: a stream is a sequence of calls, and every
call returns a new session. Time is the time of the frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from capture.errors import SessionError
from capture.gates.best_preview import BestPreview
from capture.gates.guidance import guide
from capture.gates.profile import Profile
from capture.gates.scene import SceneGuard
from capture.gates.stability import (
    Holds,
    MotionSource,
    MovementEstimate,
    Stability,
    StabilityState,
    SteadinessState,
    limits_in_still,
)
from capture.gates.verdict import Verdict
from capture.measure.gyro import GyroSample, GyroTrack
from capture.measure.motion import PreviewMeasures, PreviewPlane
from capture.measure.movement import MovementHistory, Optics, Reading

DEFAULT_EXPOSURE_TIME_S = 1 / 60

MAX_GAP_MS = 1500.0
"""Longest time between two previews over which anything is known of the movement."""

CLOCK_JUMP_MS = 1000.0
LATE_IN_SUCCESSION = 3
MIN_INTERVAL_MS = 1.0
LOSS_GRACE_MS = 250.0
KEPT_GYRO_MS = 2000.0
STAYED = 0.02
"""Widths by which a camera may move over a gap and still count as held."""


class ConvergenceState(StrEnum):
    """What the camera's automatic exposure or focus is doing."""

    UNSPECIFIED = "UNSPECIFIED"
    SEARCHING = "SEARCHING"
    CONVERGED = "CONVERGED"


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """What the session knows of the camera; the wire's ``SessionConfig`` field by field.

    Attributes
    ----------
    profile : str
        Name of a profile; empty means the server's default.
    exposure_time_s : float
        Exposure time of the still to come; 0 means unknown, and 1/60 is assumed.
    still_width_px : int
        Width of the still; 0 means unknown, and that of the preview is assumed.
    focal_length_px : float
        Focal length in pixels of the still; 0 means unknown: the gyroscope is not used.
    rolling_shutter_ms : float
        Time the sensor takes from its first row to its last; 0 means unknown.
    skip_classification : bool
        Do not classify accepted stills.
    max_label_count : int
        Labels to return; 0 means 5.
    resume_token : str
        Token of a session to go on with.

    Raises
    ------
    SessionError
        If a number is negative or not finite.
    """

    profile: str = ""
    exposure_time_s: float = 0.0
    still_width_px: int = 0
    focal_length_px: float = 0.0
    rolling_shutter_ms: float = 0.0
    skip_classification: bool = False
    max_label_count: int = 0
    resume_token: str = ""

    def __post_init__(self) -> None:
        for name in (
            "exposure_time_s",
            "still_width_px",
            "focal_length_px",
            "rolling_shutter_ms",
            "max_label_count",
        ):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise SessionError(f"{name} must be finite and not negative, got {value}")


@dataclass(frozen=True, slots=True)
class PreviewFrame:
    """What a client says of a preview beside its pixels.

    Attributes
    ----------
    id : int
        Chosen by the client.
    captured_at_ms : float
        Time on the clock that the motion samples share.
    exposure_time_s : float
        Exposure time the still would have now; 0 means as configured.
    exposure_state, focus_state : ConvergenceState
        Of the automatic exposure and focus.
    """

    id: int
    captured_at_ms: float
    exposure_time_s: float = 0.0
    exposure_state: ConvergenceState = ConvergenceState.UNSPECIFIED
    focus_state: ConvergenceState = ConvergenceState.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class StillOutcome:
    """What a verdict means for the session.

    Attributes
    ----------
    taken_anyway : bool
        The retake limit is reached: the shot is kept although it was refused.
    retake_count : int
        Shots refused since the last accepted one, this one included.
    """

    taken_anyway: bool
    retake_count: int


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """One camera stream after some of its messages.

    Attributes
    ----------
    config : SessionConfig
        As the client sent it.
    profile : Profile
        The limits in force.
    previous_plane : PreviewPlane or None
        With what the next preview is to be compared; hand it to ``measure_preview``.
    retake_count : int
        Shots refused since the last accepted one.
    last : Stability or None
        What was said last.
    """

    config: SessionConfig
    profile: Profile
    previous_plane: PreviewPlane | None = None
    retake_count: int = 0
    last: Stability | None = None
    _newest_ms: float | None = None
    _late_count: int = 0
    _steadiness: SteadinessState = field(default_factory=SteadinessState)
    _history: MovementHistory = field(default_factory=MovementHistory)
    _gyro: GyroTrack = field(default_factory=GyroTrack.empty)
    _scene: SceneGuard = field(default_factory=SceneGuard)
    _best: BestPreview = field(default_factory=BestPreview)

    @classmethod
    def start(cls, config: SessionConfig, profile: Profile) -> Session:
        """Open a session that has seen nothing yet."""
        return cls(config, profile)

    def with_motion_samples(self, samples: Iterable[GyroSample]) -> Session:
        """Return the session with more samples of the gyroscope.

        Raises
        ------
        SessionError
            If a sample is not finite; the session is still good.
        """
        return replace(self, _gyro=self._gyro.with_samples(samples))

    def observe_preview(
        self, frame: PreviewFrame, measures: PreviewMeasures
    ) -> tuple[Session, Stability]:
        """Return the session after one more preview, and what to say of it.

        A frame that comes late or twice changes nothing and repeats what was said last.

        Parameters
        ----------
        frame : PreviewFrame
            What the client says of it.
        measures : PreviewMeasures
            Measured against `previous_plane` of this session.

        Raises
        ------
        SessionError
            If its time or exposure time is not a usable number; the session is still good.
        """
        _check(frame)
        interval_ms = self._interval_ms(frame)
        if interval_ms is None:
            return self._repeat(frame)
        return self._advance(frame, measures, interval_ms)

    def observe_still(self, verdict: Verdict | None) -> tuple[Session, StillOutcome]:
        """Return the session after a still was judged, and what that means.

        Parameters
        ----------
        verdict : Verdict or None
            None when the still could not be judged: that changes nothing.
        """
        if verdict is None:
            return self, StillOutcome(False, self.retake_count)
        if verdict is Verdict.ACCEPT:
            return replace(self, retake_count=0, _scene=self._scene.after_shot()), StillOutcome(
                False, 0
            )
        count = self.retake_count + 1
        if count > self.profile.steadiness.max_retakes:
            return replace(self, retake_count=0, _scene=self._scene.after_shot()), StillOutcome(
                True, count
            )
        return replace(self, retake_count=count), StillOutcome(False, count)

    def _advance(
        self, frame: PreviewFrame, measures: PreviewMeasures, interval_ms: float
    ) -> tuple[Session, Stability]:
        plane = measures.plane
        still_width_px = self.config.still_width_px or plane.source_width_px
        exposure_time_s = self._exposure_time_s(frame)
        optics = Optics(
            focal_widths=self.config.focal_length_px / still_width_px,
            rolling_shutter_ms=self.config.rolling_shutter_ms,
            aspect=plane.source_height_px / plane.source_width_px,
        )
        limits = self.profile.steadiness
        max_blur_px, release_blur_px = limits_in_still(
            limits, still_width_px * max(1.0, optics.aspect)
        )
        is_cut = interval_ms > MAX_GAP_MS
        history, gyro, reading = self._history, self._gyro, None
        if is_cut:
            history = MovementHistory()
        else:
            history, gyro, reading = history.observe(
                measures.motion,
                plane.source_width_px,
                gyro,
                at_ms=frame.captured_at_ms,
                interval_ms=interval_ms,
                exposure_time_s=exposure_time_s,
                optics=optics,
            )
        scene = self._scene.observe(measures, limits.rearm_scene_change)
        holds = Holds(
            is_camera_searching=ConvergenceState.SEARCHING
            in (frame.exposure_state, frame.focus_state),
            is_scene_spent=scene.is_spent,
        )
        blur_px = None
        if reading is not None:
            to_blur_px = still_width_px * exposure_time_s
            blur_px = reading.predicted_speed * to_blur_px
            steadiness = self._steadiness.observe(
                MovementEstimate(
                    blur_px,
                    reading.speed * to_blur_px,
                    reading.peak_speed * to_blur_px,
                    interval_ms,
                    reading.is_backed_by_history,
                ),
                holds,
                max_blur_px,
                release_blur_px,
                limits.dwell_ms,
            )
        elif is_cut and _stayed(measures):
            steadiness = SteadinessState(calm_ms=self._steadiness.calm_ms)
        else:
            steadiness = self._steadiness.observe_nothing(interval_ms, LOSS_GRACE_MS)
            if steadiness.calm_ms == 0:
                history = MovementHistory()
        best = self._best.observe(
            frame.id,
            frame.captured_at_ms,
            measures.sharpness,
            None if reading is None else reading.speed * to_blur_px / max_blur_px,
        )
        hint_code, hint = guide(
            steadiness.state,
            holds,
            predicted_blur_px=blur_px,
            max_blur_px=max_blur_px,
            exposure_time_s=exposure_time_s,
            calm_ms=steadiness.calm_ms,
            dwell_ms=limits.dwell_ms,
            mean_luma=measures.mean_luma,
            is_first=is_cut,
        )
        motion = None if is_cut else measures.motion
        stability = Stability(
            preview_id=frame.id,
            captured_at_ms=frame.captured_at_ms,
            state=steadiness.state,
            ready=steadiness.state is StabilityState.READY,
            predicted_blur_px=blur_px,
            max_predicted_blur_px=max_blur_px,
            speed_px_s=None if reading is None else reading.speed * still_width_px,
            source=_source(reading),
            confidence=0.0 if reading is None else reading.confidence,
            calm_ms=steadiness.calm_ms,
            hint_code=hint_code,
            hint=hint,
            dx_px=None if motion is None else motion.dx_px,
            dy_px=None if motion is None else motion.dy_px,
            inlier_count=0 if motion is None else motion.inlier_count,
            best_preview_id=best.preview_id,
            retake_count=self.retake_count,
        )
        session = replace(
            self,
            previous_plane=plane,
            last=stability,
            _newest_ms=frame.captured_at_ms,
            _late_count=0,
            _steadiness=steadiness,
            _history=history,
            _gyro=gyro.without_before(frame.captured_at_ms - KEPT_GYRO_MS),
            _scene=scene,
            _best=best,
        )
        return session, stability

    def _repeat(self, frame: PreviewFrame) -> tuple[Session, Stability]:
        """Answer a frame that came late or twice with what was said last."""
        assert self.last is not None
        stability = replace(
            self.last,
            preview_id=frame.id,
            captured_at_ms=frame.captured_at_ms,
            dx_px=None,
            dy_px=None,
            inlier_count=0,
            retake_count=self.retake_count,
        )
        return replace(self, _late_count=self._late_count + 1), stability

    def _interval_ms(self, frame: PreviewFrame) -> float | None:
        """Return the time since the frame before; infinite for a cut, None for a late frame."""
        if self._newest_ms is None:
            return math.inf
        interval_ms = frame.captured_at_ms - self._newest_ms
        if interval_ms >= MIN_INTERVAL_MS:
            return interval_ms
        # Frames overtake each other by one or two. More means that the clock was set back.
        if interval_ms < -CLOCK_JUMP_MS or self._late_count + 1 >= LATE_IN_SUCCESSION:
            return math.inf
        return None

    def _exposure_time_s(self, frame: PreviewFrame) -> float:
        return frame.exposure_time_s or self.config.exposure_time_s or DEFAULT_EXPOSURE_TIME_S


def _check(frame: PreviewFrame) -> None:
    if not math.isfinite(frame.captured_at_ms):
        raise SessionError(f"captured_at_ms must be finite, got {frame.captured_at_ms}")
    if not math.isfinite(frame.exposure_time_s) or frame.exposure_time_s < 0:
        raise SessionError(
            f"exposure_time_s must be finite and not negative, got {frame.exposure_time_s}"
        )


def _stayed(measures: PreviewMeasures) -> bool:
    """Whether the camera hardly moved over a gap of unknown length."""
    motion, width_px = measures.motion, measures.plane.source_width_px
    return motion is not None and math.hypot(motion.dx_px, motion.dy_px) < STAYED * width_px


def _source(reading: Reading | None) -> MotionSource:
    if reading is None:
        return MotionSource.NONE
    if reading.uses_frames and reading.uses_gyro:
        return MotionSource.FUSED
    return MotionSource.GYRO if reading.uses_gyro else MotionSource.FRAMES
