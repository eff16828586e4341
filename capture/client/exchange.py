"""One stream to the server and back, for as long as it lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

import grpc.aio

from capture.client.patience import Patience

Response = TypeVar("Response")
StreamCall: TypeAlias = grpc.aio.StreamStreamCall[Any, Any]


async def exchange(
    call: StreamCall,
    response_type: type[Response],
    patience: Patience,
    *,
    write: Callable[[StreamCall], Coroutine[Any, Any, None]],
    receive: Callable[[Response], None],
) -> None:
    """Write and read at once, until the server ends the stream.

    Parameters
    ----------
    call : grpc.aio.StreamStreamCall
        The open stream; it is over when this returns or raises.
    response_type : type
        Of the messages that are read.
    patience : Patience
        Told that the server answers.
    write : callable
        Writes to the stream whatever there is to send.
    receive : callable
        Called with every message.

    Raises
    ------
    grpc.aio.AioRpcError
        With the status of the stream, if it is not OK.
    """
    writer = asyncio.create_task(write(call))
    try:
        while isinstance(response := await call.read(), response_type):
            patience.connected()
            receive(response)
    finally:
        writer.cancel()
        # A write fails when the stream does; the status says why, not the write.
        await asyncio.gather(writer, return_exceptions=True)
        call.cancel()
