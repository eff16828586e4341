"""Calls that say who is calling, and what they are part of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc.aio

from capture.client.trace_context import Metadata, trace_metadata
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from capture.wire.metadata import TOKEN_KEY

if TYPE_CHECKING:
    from capture.v1.smart_capture_pb2_grpc import SmartCaptureAsyncStub

Call = TypeVar("Call")


def token_metadata(token: str | None) -> Metadata:
    """Return what shows a token to a server; nothing where there is none."""
    # Not as gRPC's call credentials: those refuse a plaintext connection, loopback too.
    return ((TOKEN_KEY, f"Bearer {token}"),) if token else ()


def stub_of(channel: grpc.aio.Channel, token: str | None) -> SmartCaptureAsyncStub:
    """Return the generated client; its calls show the token, if any, and their trace."""
    introduced = _Introduced(SmartCaptureStub(channel), token_metadata(token))
    return cast("SmartCaptureAsyncStub", introduced)


class _Introduced:
    def __init__(self, stub: SmartCaptureAsyncStub, shown: Metadata) -> None:
        self.AssessImage = _introduced(stub.AssessImage, shown)
        self.AssessImages = _introduced(stub.AssessImages, shown)
        self.Capture = _introduced(stub.Capture, shown)


def _introduced(method: Callable[..., Call], shown: Metadata) -> Callable[..., Call]:
    def call(*args: Any, **kwargs: Any) -> Call:
        return method(*args, metadata=(*shown, *trace_metadata()), **kwargs)

    return call
