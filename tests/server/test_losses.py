"""A server whose workers die one after another: it says so, refuses, and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from capture.server.app import Server
from capture.settings import Settings
from capture.v1 import image_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICE_CONFIG = (resources.files("capture.client") / "service_config.json").read_text()
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Server]:
    """A server that may lose two workers."""
    settings = Settings(classify=False, port=0, worker_count=1, max_worker_losses=2)
    server = Server(settings)
    await server.start()
    yield server
    await server.stop(0)


@asynccontextmanager
async def losing_workers(server: Server) -> AsyncIterator[None]:
    """Kill every worker as soon as it is ready."""

    async def kill_on() -> None:
        while True:
            if server.pool.idle_count:
                for pid in server.pool.worker_pids:
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.005)

    killing = asyncio.create_task(kill_on())
    try:
        yield
    finally:
        killing.cancel()


async def until_health_is(channel: grpc.aio.Channel, status: int) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    async with asyncio.timeout(60):
        while (await stub.Check(health_pb2.HealthCheckRequest())).status != status:
            await asyncio.sleep(0.01)


def metric(server: Server, name: str, **labels: str) -> float:
    value = server.metrics.registry.get_sample_value(f"smart_capture_{name}", labels)
    assert value is not None
    return value


async def refused(call: Any) -> tuple[grpc.StatusCode, dict[str, str]]:
    """Return how a call is refused; a worker that is tried may answer it instead."""
    while True:
        try:
            await call()
        except grpc.aio.AioRpcError as error:
            return error.code(), {key: str(value) for key, value in error.trailing_metadata() or ()}


async def test_calls_are_refused_while_too_many_workers_are_lost(
    server: Server, channel: grpc.aio.Channel, burst: list[bytes]
) -> None:
    """At once, with a code and a time to come back; health and metrics say it, until it is over."""
    request = smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=burst[0]))
    stub = SmartCaptureStub(channel)
    assert metric(server, "worker_breaker", state="closed") == 1
    async with losing_workers(server):
        while not metric(server, "worker_breaker", state="open"):
            await asyncio.sleep(0.01)
        assert metric(server, "workers", state="missing") == 1
        code, metadata = await refused(lambda: stub.AssessImage(request))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert metadata["smart-capture-error-code"] == "WORKERS_LOST"
        assert int(metadata["grpc-retry-pushback-ms"]) > 0
        await until_health_is(channel, NOT_SERVING)
    assert metric(server, "worker_breaker_openings_total") >= 1
    assert metric(server, "errors_total", code="WORKERS_LOST") >= 1
    options = [("grpc.service_config", SERVICE_CONFIG)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options) as patient:
        answer = await SmartCaptureStub(patient).AssessImage(request)  # it comes back when told
    assert answer.assessment.width_px > 0
    await until_health_is(channel, SERVING)
    assert metric(server, "worker_breaker", state="closed") == 1
