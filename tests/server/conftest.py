"""A real server on a free port with real workers, and a real connection to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import cv2
import grpc.aio
import numpy as np
import pytest
import pytest_asyncio

from capture.server.app import Server
from capture.server.log import configure_log
from capture.settings import Settings
from capture.v1 import smart_capture_pb2_grpc

configure_log("warning")

SAMPLES = Path(__file__).parents[2] / "samples" / "demo"


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what servers leave behind out of the user's cache; their processes inherit it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def good() -> bytes:
    """A sharp, well exposed JPEG."""
    return (SAMPLES / "good.jpg").read_bytes()


@pytest.fixture(scope="session")
def burst() -> list[bytes]:
    """Preview frames of a hand that comes to rest, 33 ms apart."""
    return [file.read_bytes() for file in sorted((SAMPLES / "burst").glob("*.jpg"))]


def width_of(data: bytes) -> int:
    """Width of a picture in pixels."""
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return int(picture.shape[1])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Server]:
    """A running server with two workers, without a classifier."""
    server = Server(Settings(classify=False, port=0, worker_count=2, drain_grace_s=5.0))
    await server.start()
    yield server
    await server.stop(0)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def channel(server: Server) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to it."""
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options) as channel:
        yield channel


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stub(
    channel: grpc.aio.Channel,
) -> smart_capture_pb2_grpc.SmartCaptureAsyncStub:
    """The generated client."""
    return smart_capture_pb2_grpc.SmartCaptureStub(channel)
