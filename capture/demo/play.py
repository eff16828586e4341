"""Play the burst to a server as a camera would, then shoot."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from capture.client import Session, SessionStarted, StillJudged
from capture.client.errors import AnswerTooLateError
from capture.demo.samples import DemoSamples, ExpectedStill
from capture.gates.stability import Stability
from capture.measure.gyro import GyroSample

ANSWERS_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Shot:
    """One still and what was said of it.

    Attributes
    ----------
    expected : ExpectedStill
        The still.
    judged : StillJudged
        What was said.
    answered_ms : float
        Time from sending it to its verdict, in milliseconds.
    """

    expected: ExpectedStill
    judged: StillJudged
    answered_ms: float

    @property
    def surprises(self) -> tuple[str, ...]:
        """What is not as expected, in words."""
        assessment, expected = self.judged.assessment, self.expected
        codes = {reason.code for reason in assessment.reasons}
        labels = assessment.prediction.labels if assessment.prediction else ()
        label = labels[0].label if labels else None
        found = []
        if assessment.verdict is not expected.verdict:
            found.append(f"{assessment.verdict} instead of {expected.verdict}")
        found += [f"no {code}" for code in expected.reasons if code not in codes]
        if label != expected.label:
            found.append(f"label {label} instead of {expected.label}")
        return tuple(found)


def guide(session: Session, samples: DemoSamples, speed: float = 1.0) -> Iterator[Stability]:
    """Send the burst at its own pace and yield the guidance, until the camera is READY.

    Parameters
    ----------
    session : Session
        An open session.
    samples : DemoSamples
        The burst.
    speed : float
        How many times faster than the burst was taken.

    Raises
    ------
    AnswerTooLateError
        If the server does not answer.
    """
    _await_start(session)
    gyro = deque(samples.gyro)
    first_ms = samples.frames[0].captured_at_ms
    started_s = time.monotonic()
    for frame in samples.frames:
        due_s = started_s + (frame.captured_at_ms - first_ms) / 1000 / speed
        for stability in _until(session, due_s):
            yield stability
            if stability.ready:
                return
        session.send_motion(_taken_before(gyro, frame.captured_at_ms))
        session.send_preview(frame.file, captured_at_ms=frame.captured_at_ms)
    yield from _until(session, time.monotonic() + 1.0)


def shoot(session: Session, samples: DemoSamples) -> Iterator[Shot]:
    """Send the stills one after another and yield what is said of each."""
    for still in samples.stills:
        sent_s = time.monotonic()
        judged = session.judge_still(still.file)
        yield Shot(still, judged, 1e3 * (time.monotonic() - sent_s))


def _await_start(session: Session) -> None:
    event = session.next_event(timeout_s=ANSWERS_WITHIN_S)
    if not isinstance(event, SessionStarted):
        raise AnswerTooLateError(f"the session did not start within {ANSWERS_WITHIN_S:.0f} s")


def _taken_before(gyro: deque[GyroSample], at_ms: float) -> list[GyroSample]:
    taken = []
    while gyro and gyro[0].captured_at_ms <= at_ms:
        taken.append(gyro.popleft())
    return taken


def _until(session: Session, due_s: float) -> Iterator[Stability]:
    while (left_s := due_s - time.monotonic()) > 0:
        event = session.next_event(timeout_s=left_s)
        if isinstance(event, Stability):
            yield event
            if event.ready:
                return
