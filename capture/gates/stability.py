"""Judge the movement of one camera: may the shutter be released?

A pure fold. What is calm is decided by the blur that the movement would cause in the still,
not by the movement itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from capture.gates.profile import SteadinessLimits
from capture.measure.luma import REFERENCE_LONG_EDGE_PX

_READY_ENTRY_SHARE, _READY_EXIT_SHARE = 0.8, 0.9
"""Shares of the limit at which READY is given and taken back: foretelling errs by some 20 %."""


class StabilityState(StrEnum):
    """How steady the camera is."""

    UNKNOWN = "UNKNOWN"
    MOVING = "MOVING"
    SETTLING = "SETTLING"
    STEADY = "STEADY"
    READY = "READY"


class MotionSource(StrEnum):
    """Where the motion was read; NONE where there is none yet."""

    NONE = "NONE"
    FRAMES = "FRAMES"
    GYRO = "GYRO"
    FUSED = "FUSED"


class HintCode(StrEnum):
    """What a person should do."""

    NONE = "NONE"
    HOLD_STILL = "HOLD_STILL"
    BRACE_OR_SHORTEN = "BRACE_OR_SHORTEN"
    KEEP_HOLDING = "KEEP_HOLDING"
    SHOOT = "SHOOT"
    MORE_LIGHT = "MORE_LIGHT"
    NOTHING_TO_MEASURE = "NOTHING_TO_MEASURE"
    CHANGE_SCENE = "CHANGE_SCENE"
    WAIT_FOR_CAMERA = "WAIT_FOR_CAMERA"


@dataclass(frozen=True, slots=True)
class MovementEstimate:
    """What the movement would do to the still.

    Attributes
    ----------
    predicted_blur_px : float
        Extent over which the content would move while the shutter is open, in pixels of the
        still, from several frames and a prediction.
    momentary_blur_px : float
        The same from the last interval alone.
    peak_blur_px : float
        The largest of the last intervals' own: tremor swings through zero twenty times a
        second, and a trough between two peaks is no time to shoot.
    interval_ms : float
        Length of that interval.
    is_backed_by_history : bool
        Whether enough frames speak for the prediction.
    """

    predicted_blur_px: float
    momentary_blur_px: float
    peak_blur_px: float
    interval_ms: float
    is_backed_by_history: bool


@dataclass(frozen=True, slots=True)
class SteadinessTerms:
    """The profile's limits, at the scale of one still.

    Attributes
    ----------
    max_blur_px, release_blur_px : float
        In pixels of the still.
    dwell_ms : float
        How long it must be calm.
    """

    max_blur_px: float
    release_blur_px: float
    dwell_ms: float

    @classmethod
    def at(cls, limits: SteadinessLimits, long_edge_px: float) -> SteadinessTerms:
        """Scale limits, which are given at a long edge of 1000 px, to a still."""
        scale = long_edge_px / REFERENCE_LONG_EDGE_PX
        return cls(
            limits.max_predicted_blur_px * scale,
            limits.release_predicted_blur_px * scale,
            limits.dwell_ms,
        )


@dataclass(frozen=True, slots=True)
class Holds:
    """What else may hold the shot back.

    Attributes
    ----------
    is_camera_searching : bool
        Its automatic exposure or focus has not converged.
    is_scene_spent : bool
        The scene is the one just shot.
    """

    is_camera_searching: bool = False
    is_scene_spent: bool = False


@dataclass(frozen=True, slots=True)
class SteadinessState:
    """State of a camera, folded over its previews.

    Attributes
    ----------
    state : StabilityState
        As of the last preview.
    calm_ms : float
        How long it has been calm, in milliseconds.
    unseen_ms : float
        For how long nothing could be measured.
    """

    state: StabilityState = StabilityState.UNKNOWN
    calm_ms: float = 0.0
    unseen_ms: float = 0.0

    def observe(
        self, movement: MovementEstimate, holds: Holds, terms: SteadinessTerms
    ) -> SteadinessState:
        """Return the state after one more preview.

        Parameters
        ----------
        movement : MovementEstimate
            What the movement would do to the still.
        holds : Holds
            What else may hold the shot back.
        terms : SteadinessTerms
            What the profile asks for.

        Notes
        -----
        A calm camera stays calm up to the release limit, so that its dwell is not lost to a
        heartbeat. READY is given below 0.8 of the maximum and taken back above 0.9 of it, so
        that it is hardly ever said of a blur that the profile refuses.
        """
        limit_px = terms.release_blur_px if self.calm_ms > 0 else terms.max_blur_px
        if movement.momentary_blur_px > limit_px:
            return SteadinessState(StabilityState.MOVING)
        calm_ms = self.calm_ms + movement.interval_ms
        worst_px = max(movement.peak_blur_px, movement.predicted_blur_px)
        was_ready = self.state is StabilityState.READY
        ready_px = terms.max_blur_px * (_READY_EXIT_SHARE if was_ready else _READY_ENTRY_SHARE)
        if calm_ms < terms.dwell_ms or not movement.is_backed_by_history:
            state = StabilityState.SETTLING
        elif worst_px > ready_px or holds.is_camera_searching or holds.is_scene_spent:
            state = StabilityState.STEADY
        else:
            state = StabilityState.READY
        return SteadinessState(state, calm_ms)

    def observe_nothing(self, interval_ms: float, grace_ms: float) -> SteadinessState:
        """Return the state after a preview in which nothing could be measured.

        The dwell survives a short loss, as when somebody walks through.
        """
        unseen_ms = self.unseen_ms + interval_ms
        calm_ms = self.calm_ms if unseen_ms <= grace_ms else 0.0
        return SteadinessState(StabilityState.UNKNOWN, calm_ms, unseen_ms)


@dataclass(frozen=True, slots=True)
class Stability:
    """What is said of one preview; the wire's ``StabilityUpdate`` field by field.

    Attributes
    ----------
    preview_id : int
        Id of the preview.
    captured_at_ms : float
        When it was captured, as the client said.
    state : StabilityState
        How steady the camera is.
    ready : bool
        Shoot now.
    predicted_blur_px : float or None
        Extent over which the content would move while the shutter is open, in pixels of the
        still; None when unknown.
    max_predicted_blur_px : float
        What the profile allows, in pixels of the still.
    speed_px_s : float or None
        Speed of the picture's centre since the preview before, in pixels of the still per
        second. The predicted blur also counts roll.
    source : MotionSource
        Where the motion was read.
    confidence : float
        How sure it is, in [0, 1].
    calm_ms : float
        How long it has been calm.
    hint_code : HintCode
        What a person should do.
    hint : str
        The same in words, with the numbers.
    dx_px, dy_px : float or None
        Movement of the content since the preview before, in pixels of the preview.
    inlier_count : int
        Corners that agreed on it.
    best_preview_id : int
        The best preview of the last ones.
    retake_count : int
        Shots refused since the last accepted one.
    """

    preview_id: int
    captured_at_ms: float
    state: StabilityState
    ready: bool
    predicted_blur_px: float | None
    max_predicted_blur_px: float
    speed_px_s: float | None
    source: MotionSource
    confidence: float
    calm_ms: float
    hint_code: HintCode
    hint: str
    dx_px: float | None
    dy_px: float | None
    inlier_count: int
    best_preview_id: int
    retake_count: int
