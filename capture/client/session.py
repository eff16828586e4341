"""A camera session: previews, motion samples and shots in, guidance and verdicts out."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Self

from capture.client.events import Event, PreviewSkipped, SessionStarted, StillJudged
from capture.client.outbox import Outbox
from capture.client.pictures import Picture, encoded_image
from capture.client.stream import Stream
from capture.client.waiters import Waiters
from capture.errors import SessionError, SmartCaptureError
from capture.gates.stability import Stability
from capture.measure.gyro import GyroSample
from capture.session import ConvergenceState, PreviewFrame, SessionConfig
from capture.v1 import session_pb2
from capture.wire.images import image_to_wire
from capture.wire.sessions import frame_to_wire

if TYPE_CHECKING:
    from capture.v1.smart_capture_pb2_grpc import SmartCaptureAsyncStub

RECONNECT_FOR_S = 60.0
"""How long a server keeps a session whose stream broke."""

MAX_WAITING_EVENTS = 1024
"""Events kept for a reader who is away; the oldest go first."""


class AsyncSession:
    """One camera stream; use it as an ``async with`` block.

    A broken or drained stream is opened again with the session's token, for as long as the
    server remembers it; stills without a verdict are sent again.

    Parameters
    ----------
    stub : SmartCaptureAsyncStub
        Where to call.
    config : SessionConfig
        What the server should know of the camera.
    reconnect_for_s : float
        For how long to try to come back, in seconds; 0 never tries.
    """

    def __init__(
        self,
        stub: SmartCaptureAsyncStub,
        config: SessionConfig,
        *,
        reconnect_for_s: float = RECONNECT_FOR_S,
    ) -> None:
        self._outbox = Outbox()
        self._stream = Stream(stub, config, self._outbox, self._tell, reconnect_for_s)
        self._events: deque[Event] = deque(maxlen=MAX_WAITING_EVENTS)
        self._news = asyncio.Event()
        self._ids = count(1)
        self._waiters = Waiters()
        self._token = ""
        self._runner: asyncio.Task[None] | None = None
        self._is_closing = False

    async def __aenter__(self) -> Self:
        self._runner = asyncio.create_task(self._stream.run())
        self._runner.add_done_callback(self._end)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is None:
            return
        self._is_closing = True
        if kind is None:
            self._outbox.close()
        else:
            self._runner.cancel()
        try:
            # What ended the stream has been told to whoever waited for an answer.
            await asyncio.wait([self._runner])
        finally:
            self._runner.cancel()  # where whoever leaves will not wait for that

    @property
    def token(self) -> str:
        """Names the session; empty until the server has answered."""
        return self._token

    def send_preview(
        self,
        picture: Picture,
        *,
        captured_at_ms: float | None = None,
        exposure_time_s: float = 0.0,
        exposure_state: ConvergenceState = ConvergenceState.UNSPECIFIED,
        focus_state: ConvergenceState = ConvergenceState.UNSPECIFIED,
    ) -> int:
        """Send a preview and return its id at once; the answer is an event.

        Parameters
        ----------
        picture : Picture
            320 to 1280 px wide is enough.
        captured_at_ms : float, optional
            On the clock of the motion samples; the monotonic clock's now if not given.
        exposure_time_s : float
            Exposure time the still would have now; 0 means as configured.
        exposure_state, focus_state : ConvergenceState
            Of the automatic exposure and focus.

        Raises
        ------
        ServerError
            If the session is over.
        """
        self._require_open()
        at_ms = time.monotonic() * 1000 if captured_at_ms is None else captured_at_ms
        preview_id = next(self._ids)
        frame = PreviewFrame(preview_id, at_ms, exposure_time_s, exposure_state, focus_state)
        preview = frame_to_wire(frame)
        preview.image.CopyFrom(image_to_wire(encoded_image(picture)))
        passed_over = self._outbox.put_preview(preview)
        if passed_over is not None:
            self._tell(PreviewSkipped(passed_over))
        return preview_id

    def send_motion(self, samples: Iterable[GyroSample]) -> None:
        """Send samples of the gyroscope, in the camera's axes and in time order."""
        self._require_open()
        self._outbox.put_samples(samples)

    def send_still(self, picture: Picture, *, captured_at_ms: float = 0.0) -> int:
        """Send a shot and return its id at once; the verdict is an event.

        Raises
        ------
        OverloadedError
            If too many shots wait for their verdicts.
        ServerError
            If the session is over.
        """
        self._require_open()
        still = session_pb2.Still(
            id=next(self._ids),
            captured_at_ms=captured_at_ms,
            image=image_to_wire(encoded_image(picture)),
        )
        self._outbox.put_still(still)
        return still.id

    async def judge_preview(
        self, picture: Picture, *, captured_at_ms: float | None = None, exposure_time_s: float = 0.0
    ) -> Stability | None:
        """Send a preview and wait for what is said of it; None when it was passed over.

        Raises
        ------
        ImageError
            If it cannot be used.
        ServerError
            If the session is over.
        """
        preview_id = self.send_preview(
            picture, captured_at_ms=captured_at_ms, exposure_time_s=exposure_time_s
        )
        return await self._waiters.preview(preview_id)

    async def judge_still(self, picture: Picture, *, captured_at_ms: float = 0.0) -> StillJudged:
        """Send a shot and wait for its verdict.

        Raises
        ------
        ImageError
            If it cannot be judged.
        OverloadedError
            If the server is too busy, even after the waits it asked for.
        ServerError
            If the session is over.
        """
        still_id = self.send_still(picture, captured_at_ms=captured_at_ms)
        return await self._waiters.still(still_id)

    async def next_event(self, timeout_s: float | None = None) -> Event | None:
        """Wait for the next event; None when there is none in time, or no more.

        Raises
        ------
        SmartCaptureError
            What ended the session, after its last event.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not self._events and not self._is_over:
                    self._news.clear()
                    await self._news.wait()
        if self._events:
            return self._events.popleft()
        if (failure := self._failure) is not None:
            raise failure
        return None

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield events until the session ends.

        Raises
        ------
        SmartCaptureError
            What ended it, unless it was closed.
        """
        while (event := await self.next_event()) is not None:
            yield event

    @property
    def _is_over(self) -> bool:
        return self._runner is None or self._runner.done()

    @property
    def _failure(self) -> SmartCaptureError | None:
        if self._runner is None or not self._runner.done() or self._runner.cancelled():
            return None
        error = self._runner.exception()
        if error is None or isinstance(error, SmartCaptureError):
            return error
        raise error

    def _require_open(self) -> None:
        if (failure := self._failure) is not None:
            raise failure
        if self._is_over or self._is_closing:
            raise SessionError("the session is not open")

    def _tell(self, event: Event) -> None:
        if isinstance(event, SessionStarted):
            self._token = event.session_token
        if not self._waiters.tell(event):
            self._events.append(event)
            self._news.set()

    def _end(self, runner: asyncio.Task[None]) -> None:
        failure = None if runner.cancelled() else runner.exception()
        self._waiters.give_up(failure or SessionError("the session was closed"))
        self._news.set()
