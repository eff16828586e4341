"""What a camera session says, in the order in which it says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from capture.assessment import Assessment
from capture.errors import SmartCaptureError
from capture.gates.stability import Stability


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """The stream is open; comes again after each reconnection.

    Attributes
    ----------
    session_token : str
        Names the session.
    resumed : bool
        Whether an earlier one goes on, with its dwell and its count of retakes.
    profile : str
        Name of the profile in force.
    assumed_exposure_time_s : float
        Exposure time in force, in seconds.
    assumed_still_width_px : int
        Width of the still in force; 0 until the first preview says.
    """

    session_token: str
    resumed: bool
    profile: str
    assumed_exposure_time_s: float
    assumed_still_width_px: int


@dataclass(frozen=True, slots=True)
class PreviewSkipped:
    """A preview was passed over for a newer one, here or at the server."""

    preview_id: int


@dataclass(frozen=True, slots=True)
class InputRefused:
    """A preview or motion samples could not be used; the session goes on.

    Attributes
    ----------
    preview_id : int
        The preview it is about; 0 when it is about motion samples.
    error : SmartCaptureError
        Why.
    """

    preview_id: int
    error: SmartCaptureError


@dataclass(frozen=True, slots=True)
class StillJudged:
    """The verdict of a still.

    Attributes
    ----------
    still_id : int
        Which still.
    assessment : Assessment
        What is said of it.
    taken_anyway : bool
        The retake limit is reached: keep this shot although it was refused.
    retake_count : int
        Shots refused since the last accepted one, this one included.
    """

    still_id: int
    assessment: Assessment
    taken_anyway: bool
    retake_count: int


@dataclass(frozen=True, slots=True)
class StillFailed:
    """A still that could not be judged; the session goes on."""

    still_id: int
    error: SmartCaptureError


@dataclass(frozen=True, slots=True)
class DrainNotice:
    """The server is going down within `grace_ms`; the client will look for another."""

    grace_ms: int


Event: TypeAlias = (
    SessionStarted
    | Stability
    | PreviewSkipped
    | InputRefused
    | StillJudged
    | StillFailed
    | DrainNotice
)
