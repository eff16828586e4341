"""A camera for the tests: speaks the protocol of a session message by message."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc.aio

from capture.v1 import image_pb2, session_pb2

if TYPE_CHECKING:
    from capture.v1.smart_capture_pb2_grpc import SmartCaptureAsyncStub


class Camera:
    """One stream, opened with a configuration."""

    def __init__(self, stub: SmartCaptureAsyncStub) -> None:
        self.call: Any = stub.Capture()
        self.token = ""

    async def open(self, **config: Any) -> session_pb2.SessionStarted:
        """Send the configuration and read what it is answered with."""
        await self.send(config=session_pb2.SessionConfig(**config))
        response = await self.receive()
        assert response.WhichOneof("message") == "started", response
        self.token = response.started.session_token
        return response.started

    async def send(self, **message: Any) -> None:
        """Send one message."""
        await self.call.write(session_pb2.CaptureRequest(**message))

    async def preview(self, number: int, data: bytes, **fields: Any) -> None:
        """Send a preview; frames are 33 ms apart by their numbers."""
        fields.setdefault("captured_at_ms", 33.0 * number)
        await self.send(
            preview=session_pb2.Preview(id=number, image=image_pb2.Image(data=data), **fields)
        )

    async def still(self, number: int, data: bytes) -> None:
        """Send a still."""
        await self.send(still=session_pb2.Still(id=number, image=image_pb2.Image(data=data)))

    async def receive(self) -> session_pb2.CaptureResponse:
        """Read one message; it has to be there."""
        response = await asyncio.wait_for(self.call.read(), 60)
        assert response is not grpc.aio.EOF, "the stream ended"
        return response

    async def receive_one(self, kind: str) -> Any:
        """Read until a message of this kind, and return what it holds."""
        while True:
            response = await self.receive()
            if response.WhichOneof("message") == kind:
                return getattr(response, kind)

    async def finish(self) -> list[session_pb2.CaptureResponse]:
        """Send no more, and read to the end."""
        await self.call.done_writing()
        return await self.rest()

    async def rest(self) -> list[session_pb2.CaptureResponse]:
        """Read to the end."""
        responses = []
        while (response := await asyncio.wait_for(self.call.read(), 60)) is not grpc.aio.EOF:
            responses.append(response)
        return responses


def kinds(responses: list[session_pb2.CaptureResponse]) -> list[str | None]:
    """Return what kinds of messages these are."""
    return [response.WhichOneof("message") for response in responses]
