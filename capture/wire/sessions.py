"""The messages of a camera session, but for its pictures and assessments."""

from __future__ import annotations

from capture.errors import SessionError
from capture.gates.stability import Stability
from capture.measure.gyro import GyroSample
from capture.session import DEFAULT_EXPOSURE_TIME_S, ConvergenceState, PreviewFrame, SessionConfig
from capture.v1 import session_pb2
from capture.wire.enums import CONVERGENCE_STATES, HINT_CODES, MOTION_SOURCES, STABILITY_STATES
from capture.wire.presence import number_of


def config_from_wire(message: session_pb2.SessionConfig) -> SessionConfig:
    """Take a session's configuration out of its message.

    Raises
    ------
    SessionError
        If a number is negative or not finite.
    """
    return SessionConfig(
        profile=message.profile,
        exposure_time_s=message.exposure_time_s,
        still_width_px=message.still_width_px,
        focal_length_px=message.focal_length_px,
        rolling_shutter_ms=message.rolling_shutter_ms,
        skip_classification=message.skip_classification,
        max_label_count=message.max_label_count,
        resume_token=message.resume_token,
    )


def config_to_wire(config: SessionConfig) -> session_pb2.SessionConfig:
    """Put a session's configuration into its message."""
    return session_pb2.SessionConfig(
        profile=config.profile,
        exposure_time_s=config.exposure_time_s,
        still_width_px=config.still_width_px,
        focal_length_px=config.focal_length_px,
        rolling_shutter_ms=config.rolling_shutter_ms,
        skip_classification=config.skip_classification,
        max_label_count=config.max_label_count,
        resume_token=config.resume_token,
    )


def started_to_wire(
    config: SessionConfig, token: str, *, profile: str, is_resumed: bool
) -> session_pb2.SessionStarted:
    """Put into its message what a session goes by, and what is assumed of its camera.

    Parameters
    ----------
    config : SessionConfig
        As the client sent it.
    token : str
        Names the session.
    profile : str
        Name of the limits in force.
    is_resumed : bool
        Whether it goes on from an earlier stream.
    """
    return session_pb2.SessionStarted(
        session_token=token,
        resumed=is_resumed,
        profile=profile,
        assumed=session_pb2.AssumedConfig(
            exposure_time_s=config.exposure_time_s or DEFAULT_EXPOSURE_TIME_S,
            still_width_px=config.still_width_px,
        ),
    )


def frame_from_wire(message: session_pb2.Preview) -> PreviewFrame:
    """Take what a client says of a preview out of its message; its picture stays there.

    Raises
    ------
    SessionError
        If an enum holds a value that this version does not know.
    """
    return PreviewFrame(
        id=message.id,
        captured_at_ms=message.captured_at_ms,
        exposure_time_s=message.exposure_time_s,
        exposure_state=_convergence(message.exposure_state),
        focus_state=_convergence(message.focus_state),
    )


def _convergence(value: int) -> ConvergenceState:
    try:
        return CONVERGENCE_STATES.require(value)
    except ValueError as error:
        raise SessionError(str(error)) from None


def frame_to_wire(frame: PreviewFrame) -> session_pb2.Preview:
    """Put what is said of a preview into its message; the picture is still to be added."""
    return session_pb2.Preview(
        id=frame.id,
        captured_at_ms=frame.captured_at_ms,
        exposure_time_s=frame.exposure_time_s,
        exposure_state=CONVERGENCE_STATES.to_wire(frame.exposure_state),
        focus_state=CONVERGENCE_STATES.to_wire(frame.focus_state),
    )


def sample_from_wire(message: session_pb2.MotionSample) -> GyroSample:
    """Take a sample of the gyroscope out of its message; it may not be finite."""
    return GyroSample(message.captured_at_ms, message.x_rad_s, message.y_rad_s, message.z_rad_s)


def sample_to_wire(sample: GyroSample) -> session_pb2.MotionSample:
    """Put a sample of the gyroscope into its message."""
    return session_pb2.MotionSample(
        captured_at_ms=sample.captured_at_ms,
        x_rad_s=sample.x_rad_s,
        y_rad_s=sample.y_rad_s,
        z_rad_s=sample.z_rad_s,
    )


def stability_to_wire(stability: Stability) -> session_pb2.StabilityUpdate:
    """Put what is said of a preview into its message."""
    return session_pb2.StabilityUpdate(
        preview_id=stability.preview_id,
        captured_at_ms=stability.captured_at_ms,
        state=STABILITY_STATES.to_wire(stability.state),
        ready=stability.ready,
        predicted_blur_px=stability.predicted_blur_px,
        max_predicted_blur_px=stability.max_predicted_blur_px,
        speed_px_s=stability.speed_px_s,
        source=MOTION_SOURCES.to_wire(stability.source),
        confidence=stability.confidence,
        calm_ms=stability.calm_ms,
        hint_code=HINT_CODES.to_wire(stability.hint_code),
        hint=stability.hint,
        dx_px=stability.dx_px,
        dy_px=stability.dy_px,
        inlier_count=stability.inlier_count,
        best_preview_id=stability.best_preview_id,
        retake_count=stability.retake_count,
    )


def stability_from_wire(message: session_pb2.StabilityUpdate) -> Stability:
    """Take what is said of a preview out of its message.

    Raises
    ------
    ValueError
        If an enum holds a value that this version does not know.
    """
    return Stability(
        preview_id=message.preview_id,
        captured_at_ms=message.captured_at_ms,
        state=STABILITY_STATES.require(message.state),
        ready=message.ready,
        predicted_blur_px=number_of(message, "predicted_blur_px"),
        max_predicted_blur_px=message.max_predicted_blur_px,
        speed_px_s=number_of(message, "speed_px_s"),
        source=MOTION_SOURCES.require(message.source),
        confidence=message.confidence,
        calm_ms=message.calm_ms,
        hint_code=HINT_CODES.require(message.hint_code),
        hint=message.hint,
        dx_px=number_of(message, "dx_px"),
        dy_px=number_of(message, "dy_px"),
        inlier_count=message.inlier_count,
        best_preview_id=message.best_preview_id,
        retake_count=message.retake_count,
    )
