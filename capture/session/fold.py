"""One camera stream, folded: previews, motion samples and verdicts in, guidance out.

Nothing here reads a clock, a socket or a file: a stream is a sequence of calls, and every
call returns a new session. Time is the time of the frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

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
)
from capture.gates.verdict import Verdict
from capture.measure.gyro import GyroSample, GyroTrack
from capture.measure.motion import Motion, PreviewMeasures, PreviewPlane
from capture.measure.movement import MovementHistory, Reading
from capture.session.camera import PreviewFrame, SessionConfig
from capture.session.frame_clock import FrameClock
from capture.session.view import View

MAX_GAP_MS = 1500.0
"""Longest time between two previews over which anything is known of the movement."""

LOSS_GRACE_MS = 250.0
"""How long nothing may be seen before the dwell and the history are lost."""

KEPT_GYRO_MS = 2000.0
STAYED_WIDTHS = 0.02
"""How far a camera may have moved over a gap and still count as held."""


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
    _clock: FrameClock = field(default_factory=FrameClock)
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
        """
        interval_ms = self._clock.interval_ms(frame.captured_at_ms)
        if interval_ms is None and self.last is not None:
            return self._repeat(frame, self.last)
        if interval_ms is None or interval_ms > MAX_GAP_MS:
            return self._start_over(frame, measures)
        return self._go_on(frame, measures, interval_ms)

    def observe_still(self, verdict: Verdict | None) -> tuple[Session, StillOutcome]:
        """Return the session after a still was judged, and what that means.

        Parameters
        ----------
        verdict : Verdict or None
            None when the still could not be judged: that changes nothing.
        """
        if verdict is None:
            return self, StillOutcome(False, self.retake_count)
        is_accepted = verdict is Verdict.ACCEPT
        count = 0 if is_accepted else self.retake_count + 1
        taken_anyway = count > self.profile.steadiness.max_retakes
        if is_accepted or taken_anyway:
            session = replace(self, retake_count=0, _scene=self._scene.after_shot())
        else:
            session = replace(self, retake_count=count)
        return session, StillOutcome(taken_anyway, count)

    def _start_over(
        self, frame: PreviewFrame, measures: PreviewMeasures
    ) -> tuple[Session, Stability]:
        """Take the first frame, or the first after a gap or a jump of the clock.

        What was known of the movement is gone. The dwell is kept where the picture shows
        that the camera has hardly moved since.
        """
        view = View.of(self.config, self.profile, frame, measures.plane)
        calm_ms = self._steadiness.calm_ms if _stayed(measures) else 0.0
        return replace(
            self,
            _history=MovementHistory(),
            _scene=self._scene.observe(measures, self.profile.steadiness.rearm_scene_change),
            _steadiness=SteadinessState(calm_ms=calm_ms),
        )._say(view, frame, measures, None, None)

    def _go_on(
        self, frame: PreviewFrame, measures: PreviewMeasures, interval_ms: float
    ) -> tuple[Session, Stability]:
        view = View.of(self.config, self.profile, frame, measures.plane)
        history, gyro, reading = self._history.observe(
            measures.motion,
            measures.plane.source_width_px,
            self._gyro,
            at_ms=frame.captured_at_ms,
            interval_ms=interval_ms,
            exposure_time_s=view.exposure_time_s,
            optics=view.optics,
        )
        scene = self._scene.observe(measures, self.profile.steadiness.rearm_scene_change)
        if reading is None:
            steadiness = self._steadiness.observe_nothing(interval_ms, LOSS_GRACE_MS)
            if steadiness.unseen_ms > LOSS_GRACE_MS:
                history = MovementHistory()
        else:
            steadiness = self._steadiness.observe(
                MovementEstimate(
                    view.blur_px(reading.predicted_speed),
                    view.blur_px(reading.speed),
                    view.blur_px(reading.peak_speed),
                    interval_ms,
                    reading.is_backed_by_history,
                ),
                Holds(frame.is_camera_searching, scene.is_spent),
                view.terms,
            )
        return replace(
            self, _history=history, _gyro=gyro, _scene=scene, _steadiness=steadiness
        )._say(view, frame, measures, measures.motion, reading)

    def _say(
        self,
        view: View,
        frame: PreviewFrame,
        measures: PreviewMeasures,
        motion: Motion | None,
        reading: Reading | None,
    ) -> tuple[Session, Stability]:
        """Keep what the next frame needs, and put the state into words."""
        state, calm_ms = self._steadiness.state, self._steadiness.calm_ms
        blur_px = None if reading is None else view.blur_px(reading.predicted_speed)
        best = self._best.observe(
            frame.id,
            frame.captured_at_ms,
            measures.sharpness,
            None if reading is None else view.blur_px(reading.speed) / view.terms.max_blur_px,
        )
        hint_code, hint = guide(
            state,
            Holds(frame.is_camera_searching, self._scene.is_spent),
            view.terms,
            predicted_blur_px=blur_px,
            exposure_time_s=view.exposure_time_s,
            calm_ms=calm_ms,
            mean_luma=measures.mean_luma,
            is_first=not self._history.steps and reading is None and motion is None,
        )
        stability = Stability(
            preview_id=frame.id,
            captured_at_ms=frame.captured_at_ms,
            state=state,
            ready=state is StabilityState.READY,
            predicted_blur_px=blur_px,
            max_predicted_blur_px=view.terms.max_blur_px,
            speed_px_s=None if reading is None else reading.center_speed * view.still_width_px,
            source=_source(reading),
            confidence=0.0 if reading is None else reading.confidence,
            calm_ms=calm_ms,
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
            previous_plane=measures.plane,
            last=stability,
            _clock=FrameClock(frame.captured_at_ms),
            _gyro=self._gyro.without_before(frame.captured_at_ms - KEPT_GYRO_MS),
            _best=best,
        )
        return session, stability

    def _repeat(self, frame: PreviewFrame, last: Stability) -> tuple[Session, Stability]:
        """Answer a frame that came late or twice with what was said last."""
        stability = replace(
            last,
            preview_id=frame.id,
            captured_at_ms=frame.captured_at_ms,
            dx_px=None,
            dy_px=None,
            inlier_count=0,
            retake_count=self.retake_count,
        )
        return replace(self, _clock=self._clock.after_late(frame.captured_at_ms)), stability


def _stayed(measures: PreviewMeasures) -> bool:
    """Whether the camera hardly moved over a gap of unknown length."""
    motion, width_px = measures.motion, measures.plane.source_width_px
    return motion is not None and math.hypot(motion.dx_px, motion.dy_px) < STAYED_WIDTHS * width_px


def _source(reading: Reading | None) -> MotionSource:
    if reading is None:
        return MotionSource.NONE
    if reading.uses_frames and reading.uses_gyro:
        return MotionSource.FUSED
    return MotionSource.GYRO if reading.uses_gyro else MotionSource.FRAMES
