"""Streams to the server and back, one after the other where they break."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, TypeAlias, TypeVar

import grpc.aio

from capture.client.patience import Patience

Response = TypeVar("Response")
Heard = TypeVar("Heard", contravariant=True)
StreamCall: TypeAlias = grpc.aio.StreamStreamCall[Any, Any]


class Dialogue(Protocol[Heard]):
    """What is said over one stream, and over the next one when that breaks."""

    @property
    def is_done(self) -> bool:
        """Whether all is said and answered."""
        ...

    def open(self) -> StreamCall:
        """Open a stream."""
        ...

    async def write(self, call: StreamCall) -> None:
        """Write to the stream whatever there is to send."""
        ...

    def receive(self, response: Heard) -> None:
        """Take a message from the stream."""
        ...

    def begin_anew(self) -> None:
        """Make ready for the next stream: what this one has not answered was lost with it."""
        ...


async def converse(
    dialogue: Dialogue[Response], response_type: type[Response], reconnect_for_s: float
) -> None:
    """Open a stream, and another one whenever it breaks, until all is said.

    Parameters
    ----------
    dialogue : Dialogue
        What is said.
    response_type : type
        Of the messages that are received.
    reconnect_for_s : float
        For how long to try to come back, in seconds; 0 never tries.

    Raises
    ------
    SmartCaptureError
        If the server refuses, or cannot be reached for too long.
    """
    clock = asyncio.get_running_loop().time
    patience = Patience(reconnect_for_s, clock())
    while True:
        failure: grpc.aio.AioRpcError | None = None
        try:
            await _exchange(dialogue, response_type, patience)
        except grpc.aio.AioRpcError as error:
            failure = error
        if dialogue.is_done:
            return
        wait_s = patience.wait_s(failure, clock())
        dialogue.begin_anew()
        await asyncio.sleep(wait_s)


async def _exchange(
    dialogue: Dialogue[Response], response_type: type[Response], patience: Patience
) -> None:
    """Write and read at once, until the server ends the stream.

    Raises
    ------
    grpc.aio.AioRpcError
        With the status of the stream, if it is not OK.
    """
    call = dialogue.open()
    writer = asyncio.create_task(dialogue.write(call))
    try:
        while isinstance(response := await call.read(), response_type):
            patience.connected()
            dialogue.receive(response)
    finally:
        writer.cancel()
        # A write fails when the stream does; the status says why, not the write.
        await asyncio.gather(writer, return_exceptions=True)
        call.cancel()
