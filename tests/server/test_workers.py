"""Workers that die, hang, or are stopped while calls are open."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import grpc.aio
import pytest
import pytest_asyncio

from capture.server.app import Server
from capture.settings import Settings
from capture.v1 import image_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.server.cameras import Camera
from tests.server.conftest import width_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Server]:
    """A server whose jobs may take one second, not ten."""
    settings = Settings(classify=False, port=0, worker_count=2, job_timeout_s=1.0)
    server = Server(settings)
    await server.start()
    yield server
    await server.stop(0)


def statistic(server: Server, name: str) -> float:
    value = server.metrics.registry.get_sample_value(f"smart_capture_worker_{name}_total")
    assert value is not None
    return value


async def test_killed_workers_lose_no_call(
    server: Server, channel: grpc.aio.Channel, burst: list[bytes]
) -> None:
    """Under four clients at once, kill -9 of one worker after another: all are answered."""
    stub = SmartCaptureStub(channel)
    request = smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=burst[0]))
    answered = 0

    async def client() -> None:
        nonlocal answered
        for _ in range(25):
            await stub.AssessImage(request)
            answered += 1

    async def killer() -> None:
        for number in range(3):
            # A job that is hit twice counts as poison: let the last victim's be answered.
            enough = answered + 12
            while answered < enough:
                await asyncio.sleep(0.01)
            pids = server.pool.worker_pids
            os.kill(pids[number % len(pids)], signal.SIGKILL)

    deaths_before = statistic(server, "deaths")
    await asyncio.gather(killer(), *(client() for _ in range(4)))
    assert answered == 100
    assert statistic(server, "deaths") > deaths_before


async def test_a_session_does_not_notice_a_killed_worker(
    server: Server, channel: grpc.aio.Channel, burst: list[bytes]
) -> None:
    """Every preview and every still is answered."""
    session = Camera(SmartCaptureStub(channel))
    await session.open()
    for number, frame in enumerate(burst[:20], start=1):
        if number % 7 == 0:
            os.kill(server.pool.worker_pids[0], signal.SIGKILL)
        await session.preview(number, frame)
        assert (await session.receive_one("stability")).preview_id == number
    await session.still(1, burst[0])
    assert (await session.receive_one("still")).assessment.width_px == width_of(burst[0])
    await session.finish()


async def test_a_stopped_worker_costs_the_job_it_held_and_no_other(
    server: Server, channel: grpc.aio.Channel, burst: list[bytes]
) -> None:
    """After the time limit of its job it is replaced; the job's caller is told TIMEOUT."""
    stub = SmartCaptureStub(channel)
    request = smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=burst[0]))
    os.kill(server.pool.worker_pids[0], signal.SIGSTOP)
    results = await asyncio.gather(
        *(stub.AssessImage(request) for _ in range(12)), return_exceptions=True
    )
    errors = [result for result in results if isinstance(result, grpc.aio.AioRpcError)]
    codes = [dict(e.trailing_metadata() or ())["smart-capture-error-code"] for e in errors]
    assert codes == ["TIMEOUT"]
    assert statistic(server, "timeouts") == 1
    assert (await stub.AssessImage(request)).assessment.width_px == width_of(burst[0])
