"""Keep a camera stream open over a connection that may break."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from capture.client.answers import read_assessment, read_stability
from capture.client.errors import JudgementFailedError, error_of
from capture.client.events import (
    DrainNotice,
    Event,
    InputRefused,
    PreviewSkipped,
    SessionStarted,
    StillFailed,
    StillJudged,
)
from capture.client.exchange import StreamCall, converse
from capture.client.outbox import Outbox
from capture.client.retries import Retries
from capture.gates.stability import Stability
from capture.session import SessionConfig
from capture.v1 import session_pb2
from capture.wire.sessions import config_to_wire

if TYPE_CHECKING:
    from capture.v1.smart_capture_pb2_grpc import SmartCaptureAsyncStub

MAX_STILL_ATTEMPTS = 5


class Stream:
    """Sends what the outbox holds and tells what comes back; comes back when cut off.

    Parameters
    ----------
    stub : SmartCaptureAsyncStub
        Where to call.
    config : SessionConfig
        Sent first, with the session's token once there is one.
    outbox : Outbox
        What to send.
    tell : callable
        Called with every event.
    reconnect_for_s : float
        For how long to try to come back, in seconds; 0 never tries.
    """

    def __init__(
        self,
        stub: SmartCaptureAsyncStub,
        config: SessionConfig,
        outbox: Outbox,
        tell: Callable[[Event], None],
        reconnect_for_s: float,
    ) -> None:
        self._stub = stub
        self._config = config
        self._outbox = outbox
        self._tell = tell
        self._reconnect_for_s = reconnect_for_s
        self._retries = Retries(outbox.send_still_again, MAX_STILL_ATTEMPTS)
        self._started = asyncio.Event()

    async def run(self) -> None:
        """Keep the stream open until the outbox is closed and every still is answered.

        Raises
        ------
        SmartCaptureError
            If the server refuses the session, or cannot be reached for too long.
        """
        await converse(self, session_pb2.CaptureResponse, self._reconnect_for_s)

    # ---- what `converse` asks for

    @property
    def is_done(self) -> bool:
        """Whether the outbox is closed and every still is answered."""
        return self._outbox.is_done

    def open(self) -> StreamCall:
        """Open a stream; the session has not started there."""
        self._started.clear()
        return self._stub.Capture()

    def begin_anew(self) -> None:
        """Put every still without a verdict in line, and tell which previews are lost."""
        self._retries.stream_ended()
        for preview_id in self._outbox.connection_lost():
            self._tell(PreviewSkipped(preview_id))

    async def write(self, call: StreamCall) -> None:
        """Send the configuration and then, once the session has started, what there is."""
        await call.write(session_pb2.CaptureRequest(config=config_to_wire(self._config)))
        # A session that is refused would overtake what is written after it.
        await self._started.wait()
        while (request := await self._outbox.take()) is not None:
            await call.write(request)
        await call.done_writing()

    def receive(self, response: session_pb2.CaptureResponse) -> None:
        """Tell what the server says."""
        match response.WhichOneof("message"):
            case "started":
                self._tell(self._start(response.started))
            case "stability":
                self._outbox.preview_answered(response.stability.preview_id)
                self._tell(_preview_event(response.stability))
            case "skipped":
                self._outbox.preview_answered(response.skipped.preview_id)
                self._tell(PreviewSkipped(response.skipped.preview_id))
            case "error":
                self._outbox.preview_answered(response.error.preview_id)
                error = response.error.error
                refusal = error_of(error.code, error.message, error.retry_after_ms)
                self._tell(InputRefused(response.error.preview_id, refusal))
            case "still":
                self._receive_still(response.still)
            case "drain":
                self._tell(DrainNotice(response.drain.grace_ms))

    def _start(self, started: session_pb2.SessionStarted) -> SessionStarted:
        self._started.set()
        self._config = replace(self._config, resume_token=started.session_token)
        return SessionStarted(
            session_token=started.session_token,
            resumed=started.resumed,
            profile=started.profile,
            assumed_exposure_time_s=started.assumed.exposure_time_s,
            assumed_still_width_px=started.assumed.still_width_px,
        )

    def _receive_still(self, result: session_pb2.StillResult) -> None:
        if not self._retries.put_off(result.still_id, result.error):
            self._outbox.drop_still(result.still_id)
            self._tell(_still_event(result))


def _preview_event(update: session_pb2.StabilityUpdate) -> Stability | InputRefused:
    try:
        return read_stability(update)
    except JudgementFailedError as error:
        return InputRefused(update.preview_id, error)


def _still_event(result: session_pb2.StillResult) -> StillJudged | StillFailed:
    if result.HasField("error"):
        error = result.error
        failure = error_of(error.code, error.message, error.retry_after_ms)
        return StillFailed(result.still_id, failure)
    try:
        assessment = read_assessment(result.assessment)
    except JudgementFailedError as unread:
        return StillFailed(result.still_id, unread)
    return StillJudged(result.still_id, assessment, result.taken_anyway, result.retake_count)
