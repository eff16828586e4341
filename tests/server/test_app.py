"""The server as a whole: how it starts, what it says of itself, and how it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from capture.errors import ConfigurationError, ProfileError
from capture.server.app import Server
from capture.settings import Settings
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.inference.processes import is_alive, parent_of
from tests.server.cameras import Camera, kinds
from tests.server.processes import connected, descendants_of, serving

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@asynccontextmanager
async def running(**settings: object) -> AsyncIterator[Server]:
    server = Server(Settings(classify=False, port=0, worker_count=1, **settings))  # type: ignore[arg-type]
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


async def health_of(channel: grpc.aio.Channel, service: str = "") -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    return int((await health_pb2_grpc.HealthStub(channel).Check(request)).status)


async def test_health_is_told_for_the_server_and_its_service() -> None:
    """The standard service answers SERVING, and NOT_FOUND for what is not here."""
    async with running() as server, connected(server.port) as channel:
        assert await health_of(channel) == SERVING
        assert await health_of(channel, "capture.v1.SmartCapture") == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await health_of(channel, "somebody.else")
        assert error.value.code() is grpc.StatusCode.NOT_FOUND


async def test_health_says_no_while_there_are_no_workers() -> None:
    """When none comes back, balancers look elsewhere; when one does, they return."""
    async with running() as server, connected(server.port) as channel:
        (worker,) = server.pool.worker_pids
        fork_server = parent_of(worker)
        os.kill(fork_server, signal.SIGSTOP)
        os.kill(worker, signal.SIGKILL)
        while await health_of(channel) == SERVING:
            await asyncio.sleep(0.1)
        assert await health_of(channel, "capture.v1.SmartCapture") == NOT_SERVING
        os.kill(fork_server, signal.SIGCONT)
        while await health_of(channel) == NOT_SERVING:
            await asyncio.sleep(0.1)
        assert server.pool.worker_pids != (worker,)


async def test_the_service_describes_itself() -> None:
    """Through reflection a generic client learns every call and message."""
    async with running() as server:

        def describe() -> tuple[list[str], set[str]]:
            with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                database = ProtoReflectionDescriptorDatabase(channel)
                pool = DescriptorPool(database)
                service = pool.FindServiceByName("capture.v1.SmartCapture")
                return list(database.get_services()), set(service.methods_by_name)

        services, methods = await asyncio.to_thread(describe)
    assert {"capture.v1.SmartCapture", "grpc.health.v1.Health"} <= set(services)
    assert methods == {"AssessImage", "AssessImages", "Capture"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
async def test_plaintext_stays_on_this_machine(host: str) -> None:
    """Listening for others without encryption has to be asked for."""
    with pytest.raises(ConfigurationError, match="--insecure"):
        await Server(Settings(classify=False, host=host, port=0)).start()


async def test_plaintext_for_others_can_be_asked_for() -> None:
    """With the flag it listens on every interface."""
    async with running(host="0.0.0.0", insecure=True) as server, connected(server.port) as channel:
        assert await health_of(channel) == SERVING


async def test_a_port_that_is_taken_prevents_the_start() -> None:
    """The error names it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=str(port)):
            await Server(Settings(classify=False, port=port, worker_count=1)).start()


async def test_a_metrics_port_that_is_taken_prevents_the_start() -> None:
    """The error names it, and nothing is left that listens or runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = Server(Settings(classify=False, port=0, worker_count=1, metrics_port=port))
        with pytest.raises(ConfigurationError, match=f"metrics on 127.0.0.1:{port}"):
            await server.start()
    assert server.pool.worker_pids == ()
    assert server.metrics_port is None


async def test_a_default_profile_that_is_not_there_prevents_the_start() -> None:
    """It is found before any client is let in."""
    with pytest.raises(ProfileError):
        await Server(Settings(classify=False, port=0, default_profile="nope")).start()


async def test_sigterm_finishes_what_is_in_hand(good: bytes) -> None:
    """Health says no at once, the session is told, its still is judged, the exit code is 0."""
    async with serving() as server, connected(server.port) as channel:
        session = Camera(SmartCaptureStub(channel))
        await session.open()
        await session.still(1, good)
        server.process.send_signal(signal.SIGTERM)
        responses = await session.rest()
        assert sorted(kinds(responses), key=str) == ["drain", "still"]
        assert await session.call.code() is grpc.StatusCode.OK
        assert await server.ended() == 0


async def test_health_says_no_while_sessions_come_to_an_end(burst: list[bytes]) -> None:
    """Between the signal and the end a balancer can see that it must look elsewhere."""
    async with serving() as server, connected(server.port) as channel:
        session = Camera(SmartCaptureStub(channel))
        await session.open()
        server.process.send_signal(signal.SIGTERM)
        notice = await session.receive_one("drain")
        assert 0 < notice.grace_ms <= 10_000
        assert await health_of(channel) == NOT_SERVING
        late = Camera(SmartCaptureStub(channel))  # says nothing, which the refusal could overtake
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await late.receive()
        assert error.value.code() is grpc.StatusCode.UNAVAILABLE
        await session.still(1, burst[0])  # it was on its way
        assert "still" in kinds(await session.rest())
        assert await server.ended() == 0


async def test_a_second_sigterm_ends_it_at_once(good: bytes) -> None:
    """Stills in hand are given up, and the exit code says so."""
    async with serving() as server, connected(server.port) as channel:
        session = Camera(SmartCaptureStub(channel))
        await session.open()
        await session.still(1, good)
        server.process.send_signal(signal.SIGTERM)
        await session.receive_one("drain")
        server.process.send_signal(signal.SIGTERM)
        assert await server.ended() == 1


async def test_it_says_where_it_listens() -> None:
    """For calls and for metrics, which are not reached from the same places."""
    flags = ("--host", "0.0.0.0", "--insecure", "--metrics-port", "0")
    async with serving(*flags) as server:
        said = re.fullmatch(
            r"listening on 0\.0\.0\.0:\d+ with 1 workers, profile default, "
            r"metrics on 127\.0\.0\.1:(\d+)",
            server.announced,
        )
        assert said, server.announced
        assert is_reached("127.0.0.1", int(said[1]))


async def test_workers_end_with_the_server() -> None:
    """Even kill -9 of the server leaves no process behind."""
    async with serving() as server:
        children = await asyncio.to_thread(descendants_of, server.process.pid)
        assert len(children) >= 1
        server.process.kill()
        await server.process.wait()
        for _ in range(100):
            if not any(is_alive(pid) for pid in children):
                break
            await asyncio.sleep(0.05)
        assert not any(is_alive(pid) for pid in children)


def is_reached(address: str, port: int) -> bool:
    """Tell whether something listens there."""
    try:
        socket.create_connection((address, port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize(
    ("settings", "is_open"), [({}, False), ({"metrics_host": "0.0.0.0"}, True)]
)
async def test_metrics_stay_on_this_machine(settings: dict[str, str], is_open: bool) -> None:
    """Also where the service is there for others, unless that is asked for."""
    async with running(host="0.0.0.0", insecure=True, metrics_port=0, **settings) as server:
        assert server.metrics_port is not None
        assert is_reached("127.0.0.1", server.metrics_port)
        # Another address of this machine: who listens on all of them listens there too.
        assert is_reached("127.0.0.2", server.port)
        assert is_reached("127.0.0.2", server.metrics_port) == is_open


async def test_a_server_takes_over_the_page_of_metrics_too() -> None:
    """A new one may listen there while the old one does, and goes on when that has ended."""
    async with running(metrics_port=0) as old:
        port = old.metrics_port
        assert port is not None
        async with running(metrics_port=port) as new:
            assert new.metrics_port == port
            await old.stop(0)
            assert is_reached("127.0.0.1", port)
