"""Play recorded previews into a session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from capture.errors import ImageError
from capture.gates.stability import MotionSource, Stability
from capture.measure.gyro import GyroSample
from capture.measure.motion import measure_preview
from capture.replay.frames import RecordedFrame
from capture.session import PreviewFrame, Session

_HEAD_START_MS = 20.0
"""A frame takes this long to arrive: by then these samples of the gyroscope are there."""


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """What was said of one frame.

    Attributes
    ----------
    frame : int
        Its number, from 0.
    captured_at_ms : float
        When it was captured.
    stability : Stability or None
        None where the frame could not be read.
    error : ImageError or None
        Why not.
    """

    frame: int
    captured_at_ms: float
    stability: Stability | None
    error: ImageError | None = None


def replay(
    session: Session, frames: Iterable[RecordedFrame], samples: Sequence[GyroSample] = ()
) -> Iterator[ReplayStep]:
    """Play frames and samples into a session in the order of their times.

    Parameters
    ----------
    session : Session
        A new one.
    frames : iterable of RecordedFrame
        In the order in which they arrive.
    samples : sequence of GyroSample
        In time order.
    """
    sent_count = 0
    for frame in frames:
        if frame.luma is None:
            yield ReplayStep(frame.number, frame.captured_at_ms, None, frame.error)
            continue
        due_count = sent_count
        until_ms = frame.captured_at_ms + _HEAD_START_MS
        while due_count < len(samples) and samples[due_count].captured_at_ms <= until_ms:
            due_count += 1
        session = session.with_motion_samples(samples[sent_count:due_count])
        sent_count = due_count
        measures = measure_preview(frame.luma, session.previous_plane)
        session, stability = session.observe_preview(
            PreviewFrame(frame.number, frame.captured_at_ms), measures
        )
        yield ReplayStep(frame.number, frame.captured_at_ms, stability)


def record_of(step: ReplayStep) -> dict[str, Any]:
    """Turn a step into the line that ``--jsonl`` prints; unknown numbers are null."""
    head = {"frame": step.frame, "captured_at_ms": round(step.captured_at_ms, 3)}
    stability = step.stability
    if stability is None:
        code = None if step.error is None else step.error.code
        return head | {"error": {"code": code, "message": str(step.error)}}
    return head | {
        "dx_px": _rounded(stability.dx_px),
        "dy_px": _rounded(stability.dy_px),
        "inlier_count": stability.inlier_count,
        "speed_px_s": _rounded(stability.speed_px_s),
        "predicted_blur_px": _rounded(stability.predicted_blur_px),
        "max_predicted_blur_px": _rounded(stability.max_predicted_blur_px),
        "source": None if stability.source is MotionSource.NONE else stability.source.value,
        "confidence": _rounded(stability.confidence),
        "state": stability.state.value,
        "ready": stability.ready,
        "calm_ms": _rounded(stability.calm_ms),
        "hint_code": stability.hint_code.value,
        "hint": stability.hint,
        "best_frame": stability.best_preview_id,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
