"""Calls that say who is calling."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

import grpc.aio

from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub

if TYPE_CHECKING:
    from capture.v1.smart_capture_pb2_grpc import SmartCaptureAsyncStub


def stub_of(channel: grpc.aio.Channel, token: str | None) -> SmartCaptureAsyncStub:
    """Return the generated client; with a token, each of its calls shows it."""
    stub = SmartCaptureStub(channel)
    return stub if token is None else cast("SmartCaptureAsyncStub", _ShowingToken(stub, token))


class _ShowingToken:
    def __init__(self, stub: SmartCaptureAsyncStub, token: str) -> None:
        # Not as gRPC's call credentials: those refuse a plaintext connection, loopback too.
        metadata = (("authorization", f"Bearer {token}"),)
        self.AssessImage = partial(stub.AssessImage, metadata=metadata)
        self.AssessImages = partial(stub.AssessImages, metadata=metadata)
        self.Capture = partial(stub.Capture, metadata=metadata)
