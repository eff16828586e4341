"""Connections to a server."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import grpc.aio


class Connected:
    """What calls a server, and is connected to it within an ``async with`` block.

    Parameters
    ----------
    target : str
        Where the server is, as ``host:port`` or any other name that gRPC resolves.
    credentials : grpc.ChannelCredentials or None
        For TLS; without them the connection is plain.
    options : sequence of (str, int or str)
        Of the channel, as gRPC names them.
    """

    def __init__(
        self,
        target: str,
        credentials: grpc.ChannelCredentials | None,
        options: Sequence[tuple[str, int | str]] = (),
    ) -> None:
        self._target = target
        self._credentials = credentials
        self._options = options
        self._opened: grpc.aio.Channel | None = None

    async def __aenter__(self) -> Self:
        if self._credentials is None:
            self._opened = grpc.aio.insecure_channel(self._target, self._options)
        else:
            self._opened = grpc.aio.secure_channel(self._target, self._credentials, self._options)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    @property
    def _channel(self) -> grpc.aio.Channel:
        """The channel, which connects when it is first used."""
        if self._opened is None:
            raise RuntimeError("use the client as a with block")
        return self._opened
