"""What a camera says of itself and of its previews, beside the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from capture.errors import SessionError
from capture.measure.gyro import MAX_TIME_MS

DEFAULT_EXPOSURE_TIME_S = 1 / 60

_MOST = 1e6


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
        If a number is negative, not finite or beyond reason.
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
        for name in ("still_width_px", "max_label_count"):
            if getattr(self, name) < 0:
                raise SessionError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("exposure_time_s", "focal_length_px", "rolling_shutter_ms"):
            _require_reasonable(name, getattr(self, name))


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

    Raises
    ------
    SessionError
        If a time is not a usable number.
    """

    id: int
    captured_at_ms: float
    exposure_time_s: float = 0.0
    exposure_state: ConvergenceState = ConvergenceState.UNSPECIFIED
    focus_state: ConvergenceState = ConvergenceState.UNSPECIFIED

    @property
    def is_camera_searching(self) -> bool:
        """Whether the automatic exposure or focus has not converged."""
        return ConvergenceState.SEARCHING in (self.exposure_state, self.focus_state)

    def __post_init__(self) -> None:
        if not abs(self.captured_at_ms) <= MAX_TIME_MS:
            raise SessionError(
                f"captured_at_ms must lie within {MAX_TIME_MS:.0e}, got {self.captured_at_ms}"
            )
        _require_reasonable("exposure_time_s", self.exposure_time_s)


def _require_reasonable(name: str, value: float) -> None:
    # Also refuses what is not a number; larger ones overflow when they meet.
    if not 0 <= value <= _MOST:
        raise SessionError(f"{name} must lie in [0, {_MOST:.0e}], got {value}")
