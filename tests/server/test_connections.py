"""Connections that say too little, or too much: each is bounded, and the others are served."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from capture.server.app import Server
from capture.settings import Settings
from capture.v1 import image_pb2, session_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.server.cameras import Camera
from tests.server.processes import connected, serving
from tests.server.raw_http2 import RawConnection, prefixed, raw_connection

pytestmark = pytest.mark.asyncio(loop_scope="module")

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MESSAGES: dict[str, Any] = {
    "AssessImage": smart_capture_pb2.AssessImageRequest(
        image=image_pb2.Image(data=bytes(200 << 20))
    ),
    "AssessImages": smart_capture_pb2.AssessImagesRequest(
        image=image_pb2.Image(data=bytes(200 << 20))
    ),
    "Capture": session_pb2.CaptureRequest(
        still=session_pb2.Still(image=image_pb2.Image(data=bytes(200 << 20)))
    ),
}
METHODS = ("AssessImage", "AssessImages", "Capture")
CROWD, SESSIONS_PER_CONNECTION = 10_000, 500
MAX_SESSION_COUNT = 9000
MAX_SESSION_KB = 100


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Server]:
    """A server that soon notices who is gone."""
    server = Server(Settings(port=0, worker_count=1, classify=False, keepalive_s=1.0))
    await server.start()
    yield server
    await server.stop(0)


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def others(stub: Any, burst: list[bytes]) -> AsyncIterator[None]:
    """Whatever one connection does, the next caller is answered."""
    yield
    request = smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=burst[0]))
    assert (await stub.AssessImage(request, timeout=20)).assessment.width_px > 0


def open_sessions(server: Server) -> float | None:
    return server.metrics.registry.get_sample_value("smart_capture_sessions")


def own_kb(pid: int | str = "self") -> int:
    """Return the memory that a process has for itself, in kB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.split("Private_Dirty:")[1].split()[0])


# ---- too little


async def test_a_connection_that_does_not_greet_is_closed(server: Server) -> None:
    """It sends nothing, half of a greeting, or no settings."""

    async def greet(data: bytes) -> None:
        async with raw_connection(server.port, greets=False) as connection:
            await connection.send_raw(data)
            await connection.closed(within_s=60)

    await asyncio.gather(greet(b""), greet(PREFACE[:9]), greet(PREFACE))


async def test_headers_that_do_not_end_are_not_waited_for(server: Server) -> None:
    """Nobody answers there when the server asks, and the connection ends."""
    async with raw_connection(server.port) as connection:
        await connection.begin_headers(1)
        await connection.closed(within_s=60)


async def test_a_camera_out_of_range_leaves_its_session_for_when_it_is_back(
    server: Server, stub: Any
) -> None:
    """It says nothing at all: its stream ends when it answers no more, and can be resumed."""
    async with raw_connection(server.port) as connection:
        await connection.start_call(1, "Capture")
        config = session_pb2.CaptureRequest(config=session_pb2.SessionConfig())
        await connection.send(1, prefixed(config.SerializeToString()))
        token = await session_token(connection)
        assert open_sessions(server) == 1
        await connection.closed(within_s=60)
    async with asyncio.timeout(20):
        while open_sessions(server):
            await asyncio.sleep(0.01)
    camera = Camera(stub)
    assert (await camera.open(resume_token=token)).resumed
    await camera.finish()


async def session_token(connection: RawConnection) -> str:
    """Read what answers the configuration."""
    data = await connection.data(1)
    return session_pb2.CaptureResponse.FromString(data[5:]).started.session_token


# ---- too much


async def test_headers_without_end_are_not_kept(server: Server) -> None:
    """Some 20 MB of them: past the limit they are read over."""
    before_kb = own_kb()
    async with raw_connection(server.port) as connection:
        await connection.begin_headers(1)
        try:
            for number in range(100_000):
                await connection.go_on_with_headers(1, name=f"x-{number}", value="y" * 200)
        except ConnectionError:
            return  # closed before the end, which is as good
        assert own_kb() - before_kb < 10_000


async def test_calls_that_are_given_up_at_once_leave_nothing(server: Server) -> None:
    """Thousands of sessions on one connection, each cancelled as soon as it is opened."""
    async with raw_connection(server.port) as connection:
        for number in range(3000):
            await connection.start_call(2 * number + 1, "Capture")
            await connection.reset(2 * number + 1)
        async with asyncio.timeout(20):
            while open_sessions(server):
                await asyncio.sleep(0.01)


async def test_a_connection_that_only_pings_is_closed(server: Server) -> None:
    """Each ping has to be answered: that is work for nothing."""
    async with raw_connection(server.port) as connection:

        async def ping() -> None:
            for _ in range(1_000_000):
                await connection.ping()

        with pytest.raises(ConnectionError):
            await ping()


@pytest.mark.parametrize("method", METHODS)
async def test_messages_that_expand_are_refused_on_every_call(server: Server, method: str) -> None:
    """60 kB that unpack to 60 MB: refused by the size they would have."""
    bomb = prefixed(gzip.compress(bytes(60 << 20)), is_compressed=True)
    async with raw_connection(server.port) as connection:
        await connection.start_call(1, method, grpc_encoding="gzip")
        for start in range(0, len(bomb), 16_000):
            await connection.send(1, bomb[start : start + 16_000])
        status = await connection.ended(1)
    assert b"grpc-status\x018" in status
    assert b"larger than max" in status


@pytest.mark.parametrize("method", METHODS)
async def test_giant_metadata_is_refused_on_every_call(stub: Any, method: str) -> None:
    """More than 16 kB of it never reaches the service."""
    call = getattr(stub, method)
    metadata = (("x-giant", "x" * 100_000),)
    if method == "AssessImage":
        answer = call(smart_capture_pb2.AssessImageRequest(), metadata=metadata)
    else:
        answer = call(metadata=metadata).read()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await answer
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@asynccontextmanager
async def crowd(port: int, count: int) -> AsyncIterator[tuple[int, int]]:
    """Open sessions and say nothing in them; tell how many were let in and how many refused."""
    config = session_pb2.CaptureRequest(config=session_pb2.SessionConfig())
    message = prefixed(config.SerializeToString())
    inside = refused = 0
    async with AsyncExitStack() as stack:
        for _ in range(count // SESSIONS_PER_CONNECTION):
            connection = await stack.enter_async_context(raw_connection(port))
            await connection.widen()
            for number in range(SESSIONS_PER_CONNECTION):
                await connection.start_call(2 * number + 1, "Capture")
                await connection.send(2 * number + 1, message)
            talking, over = await connection.answered(SESSIONS_PER_CONNECTION)
            inside += len(talking)
            refused += len(over)
        yield inside, refused


async def test_ten_thousand_idle_sessions_take_no_more_than_their_limit(
    burst: list[bytes],
) -> None:
    """Nine thousand are let in, the others refused; each takes little, and others are served."""
    limits = {
        "SMART_CAPTURE_MAX_SESSION_COUNT": str(MAX_SESSION_COUNT),
        "SMART_CAPTURE_MAX_SESSIONS_PER_CLIENT": str(CROWD),
    }
    request = smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=burst[0]))
    async with serving(environment=limits) as process, connected(process.port) as channel:
        stub = SmartCaptureStub(channel)
        await stub.AssessImage(request)
        before_kb = own_kb(process.process.pid)
        async with crowd(process.port, CROWD) as (inside, refused):
            assert (inside, refused) == (MAX_SESSION_COUNT, CROWD - MAX_SESSION_COUNT)
            assert own_kb(process.process.pid) - before_kb < MAX_SESSION_KB * MAX_SESSION_COUNT
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await stub.Capture().read()
            assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert await health_of(channel) == health_pb2.HealthCheckResponse.SERVING
            await stub.AssessImage(request)
        camera = await let_in(stub)
        await camera.finish()


async def let_in(stub: Any) -> Camera:
    """Knock until there is a place."""
    async with asyncio.timeout(60):
        while True:
            camera = Camera(stub)
            try:
                await camera.open()
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.05)
                continue
            return camera


async def health_of(channel: grpc.aio.Channel) -> int:
    """Ask for it, as a balancer does."""
    stub = health_pb2_grpc.HealthStub(channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(), timeout=20)).status
