"""One camera stream, folded."""

from capture.session.camera import (
    DEFAULT_EXPOSURE_TIME_S,
    ConvergenceState,
    PreviewFrame,
    SessionConfig,
)
from capture.session.fold import Session, StillOutcome

__all__ = [
    "DEFAULT_EXPOSURE_TIME_S",
    "ConvergenceState",
    "PreviewFrame",
    "Session",
    "SessionConfig",
    "StillOutcome",
]
