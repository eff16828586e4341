"""A real gRPC server that says what a test tells it to, so that faults can be had at will."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from capture.assessment import Assessment, Provenance, StageTimes
from capture.measure.measures import Blur, BlurKind, Exposure, StillMeasures
from capture.v1 import session_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import (
    SmartCaptureServicer,
    add_SmartCaptureServicer_to_server,
)
from capture.wire.assessments import assessment_to_wire

ASSESSMENT = Assessment(
    measures=StillMeasures(
        width_px=1600,
        height_px=1200,
        blur=Blur(None, 0.02, BlurKind.DEFOCUS, 0.1, 0.06, 0.0, None, 900),
        exposure=Exposure(None, 0.1, 0.0, 0.0, 0.0, 0.0, 4.0),
        noise_sigma=1.5,
    ),
    reasons=(),
    prediction=None,
    provenance=Provenance("0.1.0", "default", "0" * 64, "jpeg"),
    times=StageTimes(2.0, 10.0, 0.0),
)

Stream = Callable[["Conversation"], Awaitable[None]]


@dataclass
class Conversation:
    """One Capture call, as the server sees it."""

    requests: AsyncIterator[session_pb2.CaptureRequest]
    context: grpc.aio.ServicerContext[Any, Any]

    async def hear(self) -> session_pb2.CaptureRequest | None:
        return await anext(self.requests, None)

    async def say(self, **message: Any) -> None:
        await self.context.write(session_pb2.CaptureResponse(**message))

    async def start(self, token: str = "token", *, resumed: bool = False) -> str:
        """Answer the configuration and return the token that it came with."""
        request = await self.hear()
        assert request is not None
        await self.say(
            started=session_pb2.SessionStarted(
                session_token=token, resumed=resumed, profile="default"
            )
        )
        return request.config.resume_token

    async def judge(self, still: session_pb2.Still) -> None:
        await self.say(
            still=session_pb2.StillResult(
                still_id=still.id, assessment=assessment_to_wire(ASSESSMENT)
            )
        )


@dataclass
class Scripted(SmartCaptureServicer):
    """Plays one script per call, in the order of the calls."""

    unary: list[Callable[[grpc.aio.ServicerContext[Any, Any]], Awaitable[None]]] = field(
        default_factory=list
    )
    streams: list[Stream] = field(default_factory=list)
    many: list[Callable[[Any, Any], AsyncIterator[Any]]] = field(default_factory=list)
    call_count: int = 0

    async def AssessImage(self, _request, context):  # noqa: N802 - named by the .proto
        self.call_count += 1
        if self.unary:
            await self.unary.pop(0)(context)
        return smart_capture_pb2.AssessImageResponse(assessment=assessment_to_wire(ASSESSMENT))

    async def AssessImages(self, request_iterator, context):  # noqa: N802
        self.call_count += 1
        async for response in self.many.pop(0)(request_iterator, context):
            yield response

    async def Capture(self, request_iterator, context):  # noqa: N802
        self.call_count += 1
        await self.streams.pop(0)(Conversation(aiter(request_iterator), context))


@contextlib.asynccontextmanager
async def serving(script: Scripted, *options: tuple[str, Any]) -> AsyncIterator[str]:
    """Serve `script` on a free port and give the target to call."""
    server = grpc.aio.server(options=options)
    add_SmartCaptureServicer_to_server(script, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(grace=None)
