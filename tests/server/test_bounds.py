"""What one caller can take from the others: bounded, each with its typed status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from capture.client import AsyncClient
from capture.errors import IdleTimeoutError
from capture.server.app import Server
from capture.settings import Settings
from capture.v1 import image_pb2, session_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.server.cameras import Camera
from tests.server.raw_http2 import prefixed, raw_connection

pytestmark = pytest.mark.asyncio(loop_scope="module")

RESOURCE_EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
ABORTED = grpc.StatusCode.ABORTED
INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT

IDLE_TIMEOUT_S = 0.4
MESSAGE_LIMIT = 34 << 20


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[Server]:
    server = Server(Settings(port=0, worker_count=1, classify=False, **settings))
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Server]:
    """A server with room for few."""
    async with running(
        max_session_count=5, max_sessions_per_client=4, max_calls_per_client=3
    ) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def impatient_server() -> AsyncIterator[Server]:
    """A server that soon hangs up on those who do nothing."""
    async with running(idle_timeout_s=IDLE_TIMEOUT_S) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def impatient_stub(impatient_server: Server) -> AsyncIterator[Any]:
    address = f"127.0.0.1:{impatient_server.port}"
    async with grpc.aio.insecure_channel(address) as channel:
        yield SmartCaptureStub(channel)


async def refusal(call: Any) -> tuple[grpc.StatusCode, str]:
    """Return the status and the code with which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await asyncio.wait_for(call, 20)
    metadata = dict(error.value.trailing_metadata() or ())
    return error.value.code(), str(metadata.get("smart-capture-error-code", ""))


def request(data: bytes) -> smart_capture_pb2.AssessImageRequest:
    return smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=data))


def open_sessions(server: Server) -> float | None:
    return server.metrics.registry.get_sample_value("smart_capture_sessions")


# ---- how many


async def test_idle_sessions_are_limited_in_number(server: Server, stub: Any) -> None:
    """One more is refused at once, says when to come back, and may when one has ended."""
    sessions = [Camera(stub) for _ in range(4)]
    for session in sessions:
        await session.open()
    late = stub.Capture()
    await late.write(session_pb2.CaptureRequest(config=session_pb2.SessionConfig()))
    assert await refusal(late.read()) == (RESOURCE_EXHAUSTED, "OVERLOADED")
    assert int(dict(await late.trailing_metadata())["grpc-retry-pushback-ms"]) > 0
    await sessions.pop().finish()
    sessions.append(Camera(stub))
    await sessions[-1].open()
    for session in sessions:
        await session.finish()
    assert open_sessions(server) == 0


async def test_calls_with_pictures_are_limited_in_number(stub: Any, burst: list[bytes]) -> None:
    """Streams that stay open use up the calls of their client, and of nobody else's kind."""
    streams = [stub.AssessImages() for _ in range(3)]
    for stream in streams:
        await stream.write(smart_capture_pb2.AssessImagesRequest(id="1"))
        assert (await stream.read()).error.code == "EMPTY"
    refused = await refusal(stub.AssessImage(request(burst[-1])))
    assert refused == (RESOURCE_EXHAUSTED, "OVERLOADED")
    session = Camera(stub)
    await session.open()
    await session.finish()
    for stream in streams:
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF
    await stub.AssessImage(request(burst[-1]))


# ---- how long


async def test_a_session_that_sends_nothing_is_ended(
    impatient_server: Server, impatient_stub: Any
) -> None:
    """Before its configuration, or after it."""
    silent = impatient_stub.Capture()
    assert await refusal(silent.read()) == (ABORTED, "IDLE")
    session = Camera(impatient_stub)
    await session.open()
    assert await refusal(session.call.read()) == (ABORTED, "IDLE")
    assert open_sessions(impatient_server) == 0


async def test_the_client_says_that_it_was_idle(
    impatient_server: Server, burst: list[bytes]
) -> None:
    """By its own class, and without coming back to do nothing once more."""

    async def do_nothing() -> None:
        address = f"127.0.0.1:{impatient_server.port}"
        async with AsyncClient(address) as client, client.session() as session:
            await session.judge_preview(burst[0])
            async for _ in session.events():
                pass

    with pytest.raises(IdleTimeoutError, match=r"no message came for 0\.4 s"):
        await asyncio.wait_for(do_nothing(), 20)


async def test_a_stream_of_pictures_that_sends_nothing_is_ended(impatient_stub: Any) -> None:
    """Its place is for somebody else."""
    stream = impatient_stub.AssessImages()
    assert await refusal(stream.read()) == (ABORTED, "IDLE")


async def test_a_message_that_comes_byte_by_byte_is_not_waited_for(
    impatient_server: Server,
) -> None:
    """A slow-loris caller holds its place no longer than a silent one."""
    message = prefixed(request(bytes(1000)).SerializeToString())
    async with raw_connection(impatient_server.port) as connection:
        for stream, method in ((1, "AssessImage"), (3, "AssessImages"), (5, "Capture")):
            await connection.start_call(stream, method)

            async def drip(stream: int = stream) -> None:
                for byte in message:
                    await connection.send(stream, bytes([byte]))
                    await asyncio.sleep(0.02)

            dripping = asyncio.create_task(drip())
            assert b"IDLE" in await connection.ended(stream)
            assert not dripping.done()
            dripping.cancel()


async def test_a_client_that_reads_no_answers_is_not_read_either(stub: Any) -> None:
    """When its window is full nothing more is taken from it, and its place stays its own."""
    stream = stub.AssessImages()
    written_count = 0

    async def write_on() -> None:
        nonlocal written_count
        while True:
            await stream.write(smart_capture_pb2.AssessImagesRequest(id="x" * 60_000))
            written_count += 1

    writing = asyncio.create_task(write_on())
    before = -1
    while before < written_count:
        before = written_count
        await asyncio.sleep(0.5)
    writing.cancel()
    assert 0 < written_count < 2000  # 120 MB, or 600 times the window
    stream.cancel()


async def test_a_connection_that_is_no_http2_is_closed(server: Server) -> None:
    """Another protocol gets no answer."""
    async with raw_connection(server.port, greets=False) as connection:
        await connection.send_raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await connection.closed()


# ---- how large


async def test_a_huge_declared_size_is_refused_before_the_bytes_come(server: Server) -> None:
    """The prefix of a message says how long it is; nothing is laid aside for it."""
    async with raw_connection(server.port) as connection:
        for stream, size in ((1, 2**32 - 1), (3, MESSAGE_LIMIT + 1)):
            await connection.start_call(stream, "AssessImage")
            await connection.send(stream, prefixed(b"abc", declared_size=size))
            assert b"message larger than max" in await connection.ended(stream)


async def test_bytes_that_are_no_message_are_the_callers_fault(channel: grpc.aio.Channel) -> None:
    """On every call, with a code; they are no defect of ours, and fill no log."""
    for method in ("AssessImage", "AssessImages", "Capture"):
        call = channel.stream_stream(f"/capture.v1.SmartCapture/{method}")(iter([b"\xff\xff\xff"]))
        assert await refusal(call.read()) == (INVALID_ARGUMENT, "INVALID_MESSAGE")
