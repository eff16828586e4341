"""Connections to a server."""

from __future__ import annotations

from collections.abc import Sequence

import grpc.aio


def channel_to(
    target: str,
    credentials: grpc.ChannelCredentials | None,
    options: Sequence[tuple[str, int | str]] = (),
) -> grpc.aio.Channel:
    """Return a channel that connects when it is first used; plain without credentials."""
    if credentials is None:
        return grpc.aio.insecure_channel(target, options)
    return grpc.aio.secure_channel(target, credentials, options)
