"""The answers of a session on their way to its client."""

from __future__ import annotations

import asyncio

from capture.server.calls import Context
from capture.server.status import Refusal
from capture.v1 import session_pb2

MAX_UNSENT = 64


class Outbox:
    """Holds answers until they are sent, in order, and no more than it has room for.

    Parameters
    ----------
    context : grpc.aio.ServicerContext
        The stream that they go into.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._answers: asyncio.Queue[session_pb2.CaptureResponse | None] = asyncio.Queue(MAX_UNSENT)

    async def put(
        self,
        *,
        started: session_pb2.SessionStarted | None = None,
        stability: session_pb2.StabilityUpdate | None = None,
        skipped: session_pb2.PreviewSkipped | None = None,
        still: session_pb2.StillResult | None = None,
        error: session_pb2.InputError | None = None,
        drain: session_pb2.DrainNotice | None = None,
    ) -> None:
        """Put one answer in, when there is room."""
        await self._answers.put(
            session_pb2.CaptureResponse(
                started=started,
                stability=stability,
                skipped=skipped,
                still=still,
                error=error,
                drain=drain,
            )
        )

    async def put_refusal(self, preview_id: int, refusal: Refusal) -> None:
        """Put in why an input was refused; the id is 0 for what is no preview."""
        await self.put(error=session_pb2.InputError(preview_id=preview_id, error=refusal.to_wire()))

    async def close(self) -> None:
        """Let `send` return when it has sent what is in."""
        await self._answers.put(None)

    async def send(self) -> None:
        """Send answers as they come, until it is closed."""
        while (answer := await self._answers.get()) is not None:
            await self._context.write(answer)
