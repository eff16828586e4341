"""One camera session: what comes in, what is judged, what goes out.

Four tasks share a session: one reads, one has previews measured, one has stills judged, one
writes; a fifth waits for the end of the server. The newest preview wins, and each one passed
over is answered. Stills are judged in order, and none is skipped. The outbox is bounded: when
the client does not read its answers, nothing more is read from it, so that it cannot fill our
memory. What the stream remembers is folded in `capture.session`; it only ever changes between
two awaits of the event loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from capture.assessment import MeasuredPreview
from capture.errors import SessionError
from capture.gates.verdict import Verdict
from capture.jobs import PreviewJob, Unjudged
from capture.measure.gyro import MAX_SAMPLE_COUNT
from capture.server.admission import JobKind
from capture.server.calls import Call, Drain, first_failure
from capture.server.desk import StillDesk
from capture.server.dispatch import Dispatcher, Order
from capture.server.outbox import Outbox
from capture.server.preview_slot import PreviewSlot
from capture.server.resume import OpenSession, SessionShelf
from capture.server.status import Refusal, refusal_of
from capture.server.stream_end import StreamEnd
from capture.v1 import session_pb2, smart_capture_pb2
from capture.wire.enums import VERDICTS
from capture.wire.images import image_from_wire
from capture.wire.sessions import (
    frame_from_wire,
    sample_from_wire,
    stability_to_wire,
    started_to_wire,
)

MAX_PREVIEW_PIXELS = 16_000_000
_MAX_WAITING_STILLS = 2
_LINGER_S = 0.5
"""Time after the drain notice in which stills that are on their way are still taken."""


class CameraStream:
    """One stream of the call ``Capture``.

    Parameters
    ----------
    call : Call
        The call.
    opened : OpenSession
        What it goes on with; each new state is put there.
    end : StreamEnd
        Its end, which others may bring about, too.
    desk : StillDesk
        Judges stills.
    dispatcher : Dispatcher
        The way to the workers, for previews.
    shelf : SessionShelf
        Where the session is written down before the server ends.
    drain : Drain
        The end of the server.
    idle_timeout_s : float
        Time in which the next message must come, in seconds.
    """

    def __init__(
        self,
        call: Call,
        opened: OpenSession,
        end: StreamEnd,
        desk: StillDesk,
        dispatcher: Dispatcher,
        shelf: SessionShelf,
        drain: Drain,
        idle_timeout_s: float,
    ) -> None:
        self._call = call
        self._opened = opened
        self._end = end
        self._desk = desk
        self._dispatcher = dispatcher
        self._shelf = shelf
        self._drain = drain
        self._idle_timeout_s = idle_timeout_s
        self._outbox = Outbox(call.context)
        self._stills: asyncio.Queue[session_pb2.Still | None] = asyncio.Queue(_MAX_WAITING_STILLS)
        self._previews = PreviewSlot()

    async def run(self, requests: AsyncIterator[session_pb2.CaptureRequest]) -> None:
        """Read, judge and answer until the end has come, and what was read is answered."""
        opened, session = self._opened, self._opened.session
        started = started_to_wire(
            session.config,
            opened.token,
            profile=session.profile.name,
            is_resumed=opened.is_resumed,
        )
        await self._outbox.put(started=started)
        drains = asyncio.Event()
        with first_failure(), self._drain.telling(drains.set):
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._outbox.send())
                previews = group.create_task(self._measure_previews())
                stills = group.create_task(self._judge_stills())
                notice = group.create_task(self._give_notice(drains))
                reader = group.create_task(self._read(requests))
                await asyncio.wait([reader])
                self._previews.close()
                await self._stills.put(None)
                await asyncio.wait([previews, stills])
                notice.cancel()
                await self._outbox.close()
                await writer

    async def _give_notice(self, drains: asyncio.Event) -> None:
        """Once the server drains, tell the client, and let the end come soon after."""
        await drains.wait()
        # Before the client knows: it may be with the next server before we are done.
        self._shelf.write(self._opened)
        left_s = self._drain.left_s
        await self._outbox.put(drain=session_pb2.DrainNotice(grace_ms=round(1e3 * left_s)))
        await asyncio.sleep(min(_LINGER_S, left_s / 2))
        self._end.come()

    # ---- in

    async def _read(self, requests: AsyncIterator[session_pb2.CaptureRequest]) -> None:
        while (request := await self._end.next_before(requests, self._idle_timeout_s)) is not None:
            await self._take(request)

    async def _take(self, request: session_pb2.CaptureRequest) -> None:
        match request.WhichOneof("message"):
            case "preview":
                await self._offer(request.preview)
            case "still":
                await self._stills.put(request.still)
            case "motion":
                # No more are kept, and a message could hold the loop up with a million of them.
                samples = map(sample_from_wire, request.motion.samples[-MAX_SAMPLE_COUNT:])
                try:
                    self._opened.session = self._opened.session.with_motion_samples(samples)
                except SessionError as error:
                    await self._outbox.put_refusal(0, self._call.refuse(error))
            case "config":
                twice = SessionError("a session is configured once, by its first message")
                await self._outbox.put_refusal(0, self._call.refuse(twice))
            case None:
                unknown = SessionError("the message is empty, or newer than this server")
                await self._outbox.put_refusal(0, self._call.refuse(unknown))

    async def _offer(self, preview: session_pb2.Preview) -> None:
        """Put a preview in place of the one that still waits."""
        passed_over = self._previews.put(preview)
        if passed_over is not None:
            self._call.metrics.skipped()
            await self._outbox.put(skipped=session_pb2.PreviewSkipped(preview_id=passed_over.id))

    # ---- judged

    async def _measure_previews(self) -> None:
        while (waiting := await self._previews.newest()) is not None:
            await self._measure_newest(waiting.ByteSize())

    async def _measure_newest(self, byte_count: int) -> None:
        taken: list[session_pb2.Preview] = []

        def take_newest() -> PreviewJob:
            """Return the job for the newest preview, at the moment when a worker is free."""
            preview = self._previews.take()
            taken.append(preview)
            return PreviewJob(
                image=image_from_wire(preview.image),
                previous=self._opened.session.previous_plane,
                max_pixels=min(MAX_PREVIEW_PIXELS, self._opened.session.profile.size.max_pixels),
            )

        order = Order(
            caller=self._call.request_id,
            kind=JobKind.PREVIEW,
            byte_count=byte_count,
            make_job=take_newest,
            is_counted=False,
        )
        try:
            answer = (await self._dispatcher.run(order)).answer
            if isinstance(answer, MeasuredPreview):
                await self._outbox.put(stability=self._fold(taken[0], answer))
                return
            if not isinstance(answer, Unjudged):
                raise TypeError(f"a preview was answered with {type(answer).__name__}")
            refusal = self._call.count(refusal_of(answer))
        except Exception as error:
            refusal = self._call.refuse(error)
        if not taken:  # refused before a worker was free
            taken.append(self._previews.take())
        await self._outbox.put_refusal(taken[0].id, refusal)

    def _fold(
        self, preview: session_pb2.Preview, measured: MeasuredPreview
    ) -> session_pb2.StabilityUpdate:
        started_s, opened = time.perf_counter(), self._opened
        frame = frame_from_wire(preview)
        opened.session, stability = opened.session.observe_preview(frame, measured.measures)
        guidance = stability_to_wire(stability)
        self._call.metrics.folded(time.perf_counter() - started_s)
        return guidance

    async def _judge_stills(self) -> None:
        config = self._opened.session.config
        options = smart_capture_pb2.AssessmentOptions(
            profile=config.profile,
            skip_classification=config.skip_classification,
            max_label_count=config.max_label_count,
        )
        while (still := await self._stills.get()) is not None:
            judged = await self._desk.judge(
                self._call, still.image, options, caller=self._call.request_id, is_counted=False
            )
            result = session_pb2.StillResult(still_id=still.id)
            verdict: Verdict | None = None
            if isinstance(judged, Refusal):
                result.error.CopyFrom(judged.to_wire())
            else:
                result.assessment.CopyFrom(judged)
                verdict = VERDICTS.require(judged.verdict)
            self._opened.session, outcome = self._opened.session.observe_still(verdict)
            result.taken_anyway = outcome.taken_anyway
            result.retake_count = outcome.retake_count
            await self._outbox.put(still=result)
