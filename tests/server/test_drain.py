"""How a server goes down: what is in hand is finished, and nothing keeps it for ever.

That sessions are told and health says no is in `test_app`, that sessions go on elsewhere in
`test_restart`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from capture.v1 import image_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.inference.processes import parent_of
from tests.server.cameras import Camera
from tests.server.processes import Process, connected, descendants_of, serving

PICTURE_COUNT = 5
PATIENT = {"SMART_CAPTURE_JOB_TIMEOUT_S": "600"}


@contextmanager
def holding_its_worker(server: Process) -> Iterator[None]:
    """Stop the only worker: what it is given meanwhile is in hand, and not done."""
    family = descendants_of(server.process.pid)
    (worker,) = (pid for pid in family if parent_of(pid) in family)
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # the server ended it
            os.kill(worker, signal.SIGCONT)


async def until_read(channel: grpc.aio.Channel) -> None:
    """Wait until the server has seen what was sent: a later call is answered."""
    await asyncio.sleep(0.3)
    await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())


async def test_calls_in_hand_are_answered(burst: list[bytes]) -> None:
    """One that waits for a worker, too; then it ends with 0."""
    request = smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=burst[0]))
    async with serving(environment=PATIENT) as server, connected(server.port) as channel:
        stub = SmartCaptureStub(channel)
        await stub.AssessImage(request)
        with holding_its_worker(server):
            calls = [stub.AssessImage(request) for _ in range(3)]
            await until_read(channel)
            server.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)  # for it to begin
        answers = await asyncio.gather(*calls)
        assert all(answer.assessment.width_px > 0 for answer in answers)
        assert await server.ended() == 0


async def test_pictures_of_a_stream_that_were_read_are_answered(burst: list[bytes]) -> None:
    """Each of them, and then the client is told to go elsewhere with the others."""
    async with serving(environment=PATIENT) as server, connected(server.port) as channel:
        stub = SmartCaptureStub(channel)
        stream = stub.AssessImages()
        await send(stream, 0, burst[0])
        assert (await stream.read()).id == "0"
        with holding_its_worker(server):
            for number in range(1, PICTURE_COUNT):
                await send(stream, number, burst[0])
            await until_read(channel)
            server.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.3)  # for it to begin
        answered = {(await stream.read()).id for _ in range(1, PICTURE_COUNT)}
        assert answered == {str(number) for number in range(1, PICTURE_COUNT)}
        assert await stream.code() is grpc.StatusCode.UNAVAILABLE
        assert await server.ended() == 0


async def send(stream: Any, number: int, data: bytes) -> None:
    """Send one picture of a stream."""
    image = image_pb2.Image(data=data)
    await stream.write(smart_capture_pb2.AssessImagesRequest(id=str(number), image=image))


async def test_nothing_keeps_it_beyond_its_grace(burst: list[bytes]) -> None:
    """A worker that hangs with a still, and a camera that neither reads nor goes."""
    async with (
        serving("--grace", "1", environment=PATIENT) as server,
        connected(server.port) as channel,
    ):
        session = Camera(SmartCaptureStub(channel))
        await session.open()
        with holding_its_worker(server):
            await session.still(1, burst[0])
            server.process.send_signal(signal.SIGTERM)
            assert await server.ended() == 0
