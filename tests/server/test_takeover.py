"""A new server process takes over the port while callers call without a pause."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from importlib import resources

import grpc.aio

from capture.client import AsyncClient
from capture.v1 import image_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.server.processes import serving

SERVICE_CONFIG = (resources.files("capture.client") / "service_config.json").read_text()
"""A call that crosses the server's goodbye on the wire was never seen by it: send it again."""

CALLER_COUNT = 6
TAKEOVER_COUNT = 3
ANSWERS_BETWEEN = 30


class Callers:
    """Several connections, each of which asks again as soon as it is answered."""

    def __init__(self, port: int, picture: bytes) -> None:
        self.answered_count = 0
        self._port = port
        self._request = smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=picture))
        self._is_over = False

    async def call_on(self) -> None:
        """Call until it is over; any call that fails is the test's failure."""
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.service_config", SERVICE_CONFIG)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self._port}", options) as channel:
            stub = SmartCaptureStub(channel)
            while not self._is_over:
                await stub.AssessImage(self._request)
                self.answered_count += 1

    async def take_answers(self, count: int) -> None:
        """Wait until so many more calls were answered."""
        enough = self.answered_count + count
        while self.answered_count < enough:
            await asyncio.sleep(0.01)

    def end(self) -> None:
        """Call no more."""
        self._is_over = True


async def test_takeovers_in_a_row_fail_no_call(burst: list[bytes]) -> None:
    """Whoever calls with the published service config notices none of them."""
    async with AsyncExitStack() as servers:
        old = await servers.enter_async_context(serving())
        callers = Callers(old.port, burst[0])
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CALLER_COUNT):
                tasks.create_task(callers.call_on())
            for _ in range(TAKEOVER_COUNT):
                await callers.take_answers(ANSWERS_BETWEEN)
                new = await servers.enter_async_context(serving("--port", str(old.port)))
                old.process.send_signal(signal.SIGTERM)
                assert await old.ended() == 0
                old = new
            await callers.take_answers(ANSWERS_BETWEEN)
            callers.end()


async def test_the_python_client_does_not_notice_it(burst: list[bytes]) -> None:
    """It brings the service config along."""
    async with serving() as old:
        is_over = asyncio.Event()

        async def ask(client: AsyncClient) -> int:
            count = 0
            while not is_over.is_set():
                await client.assess_image(burst[0])
                count += 1
            return count

        async with AsyncClient(f"127.0.0.1:{old.port}") as client, asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(ask(client)) for _ in range(CALLER_COUNT)]
            async with serving("--port", str(old.port)):
                old.process.send_signal(signal.SIGTERM)
                assert await old.ended() == 0
                await client.assess_image(burst[0])
                is_over.set()
                assert min(await asyncio.gather(*asking)) > 0
