"""The service as it is drawn in ``proto/capture/v1/smart_capture.proto``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from capture.errors import DrainingError, EmptyImageError
from capture.server.access import Places, client_of, queue_of
from capture.server.calls import (
    Call,
    Context,
    Drain,
    answering,
    first_failure,
    only_message_within,
)
from capture.server.camera_desk import CameraDesk
from capture.server.desk import Profiles, StillDesk
from capture.server.dispatch import Dispatcher
from capture.server.metrics import Metrics
from capture.server.resume import SessionShelf
from capture.server.status import Refusal
from capture.server.stream_end import StreamEnd
from capture.v1 import session_pb2, smart_capture_pb2

SERVICE_NAME = "capture.v1.SmartCapture"

MAX_IN_FLIGHT = 16
"""Pictures of one pipelined stream in the server; the next is not read before one is answered."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """What callers may hold open, and for how long.

    Attributes
    ----------
    max_session_count : int
        Camera sessions of all clients.
    max_sessions_per_client : int
        Camera sessions of one client.
    max_calls_per_client : int
        Other calls of one client.
    idle_timeout_s : float
        Time in which the next message of a call must come, in seconds.
    """

    max_session_count: int
    max_sessions_per_client: int
    max_calls_per_client: int
    idle_timeout_s: float


class SmartCaptureService:
    """Answers the three calls.

    Parameters
    ----------
    dispatcher : Dispatcher
        The way to the workers.
    profiles : Profiles
        The limits that callers may name.
    shelf : SessionShelf
        Where sessions are kept whose streams have ended.
    drain : Drain
        The end of the server.
    metrics : Metrics
        Where it is counted.
    limits : CallLimits
        What callers may hold open.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        profiles: Profiles,
        shelf: SessionShelf,
        drain: Drain,
        metrics: Metrics,
        limits: CallLimits,
    ) -> None:
        self._dispatcher = dispatcher
        self._desk = StillDesk(dispatcher, profiles)
        self._drain = drain
        self._metrics = metrics
        self._idle_timeout_s = limits.idle_timeout_s
        self._cameras = CameraDesk(
            self._desk, dispatcher, profiles, shelf, drain, limits.idle_timeout_s
        )
        self._calls = Places("calls", None, limits.max_calls_per_client)
        self._sessions = Places(
            "sessions", limits.max_session_count, limits.max_sessions_per_client
        )

    async def assess_image(
        self,
        _requests: AsyncIterator[smart_capture_pb2.AssessImageRequest],
        context: Context,
    ) -> smart_capture_pb2.AssessImageResponse:
        """Judge one picture; what cannot be judged ends the call with its status.

        A call that must be refused however small its picture is refused before that is read.
        """
        async with answering(context, self._metrics) as call:
            caller = queue_of(context)
            self._dispatcher.require_hope(caller, call.remaining_s)
            with self._calls.taken(client_of(context)):
                request = await only_message_within(context, self._idle_timeout_s)
                if request is None:
                    raise EmptyImageError("the call has no request")
                judged = await self._desk.judge(
                    call, request.image, request.options, caller=caller, is_counted=True
                )
            await self._drain.may_answer()
            if isinstance(judged, Refusal):
                await call.abort(judged)
            return smart_capture_pb2.AssessImageResponse(assessment=judged)

    async def assess_images(
        self,
        request_iterator: AsyncIterator[smart_capture_pb2.AssessImagesRequest],
        context: Context,
    ) -> None:
        """Judge pictures as they come, and answer each as it is done."""
        async with answering(context, self._metrics) as call:
            stream = _PictureStream(self._desk, call, self._idle_timeout_s)
            with self._calls.taken(client_of(context)), self._drain.telling(stream.end.come):
                await stream.run(request_iterator)
            if self._drain.has_begun:
                raise DrainingError("going down: what was not answered is for another server")

    async def capture(
        self, request_iterator: AsyncIterator[session_pb2.CaptureRequest], context: Context
    ) -> None:
        """Guide a camera."""
        async with answering(context, self._metrics) as call:
            with self._sessions.taken(client_of(context)):
                await self._cameras.serve(call, request_iterator)


class _PictureStream:
    """One pipelined stream of pictures."""

    def __init__(self, desk: StillDesk, call: Call, idle_timeout_s: float) -> None:
        self._desk = desk
        self._call = call
        self._idle_timeout_s = idle_timeout_s
        self._places = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._write_lock = asyncio.Lock()
        self.end = StreamEnd()

    async def run(self, requests: AsyncIterator[smart_capture_pb2.AssessImagesRequest]) -> None:
        """Read until the end has come, and answer what was read.

        Raises
        ------
        IdleTimeoutError, InvalidMessageError
            If that was the end.
        """
        with first_failure():
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(requests, group))
        if self.end.reason is not None:
            raise self.end.reason

    async def _read(
        self,
        requests: AsyncIterator[smart_capture_pb2.AssessImagesRequest],
        group: asyncio.TaskGroup,
    ) -> None:
        await self._places.acquire()
        while (request := await self.end.next_before(requests, self._idle_timeout_s)) is not None:
            group.create_task(self._answer(request))
            await self._places.acquire()

    async def _answer(self, request: smart_capture_pb2.AssessImagesRequest) -> None:
        judged = await self._desk.judge(
            self._call,
            request.image,
            request.options,
            caller=self._call.request_id,
            is_counted=False,
        )
        response = smart_capture_pb2.AssessImagesResponse(id=request.id)
        if isinstance(judged, Refusal):
            response.error.CopyFrom(judged.to_wire())
        else:
            response.assessment.CopyFrom(judged)
        async with self._write_lock:
            await self._call.context.write(response)
        self._places.release()


def add_to(server: grpc.aio.Server, service: SmartCaptureService) -> None:
    """Register the service with a server.

    ``AssessImage`` is taken as a stream of one message: on the wire that is the same, but
    its handler runs before the message is read, and can refuse it unread.
    """
    handlers: dict[str, Any] = {
        "AssessImage": grpc.stream_unary_rpc_method_handler(
            service.assess_image,
            request_deserializer=smart_capture_pb2.AssessImageRequest.FromString,
            response_serializer=smart_capture_pb2.AssessImageResponse.SerializeToString,
        ),
        "AssessImages": grpc.stream_stream_rpc_method_handler(
            service.assess_images,
            request_deserializer=smart_capture_pb2.AssessImagesRequest.FromString,
            response_serializer=smart_capture_pb2.AssessImagesResponse.SerializeToString,
        ),
        "Capture": grpc.stream_stream_rpc_method_handler(
            service.capture,
            request_deserializer=session_pb2.CaptureRequest.FromString,
            response_serializer=session_pb2.CaptureResponse.SerializeToString,
        ),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_NAME, handlers),))
