"""One lane: a worker and the socket to it."""

from __future__ import annotations

import asyncio

from inference.fork_server import ForkServer, WorkerLimits
from inference.lane import Lane
from inference.lane_frame import Frame, FrameKind
from tests.inference.handlers import build_handler


async def test_a_job_that_arrives_during_another_waits_its_turn() -> None:
    """What is written to a worker at work does not end it."""
    frames: asyncio.Queue[Frame | None] = asyncio.Queue()
    fork_server = ForkServer(build_handler, WorkerLimits(nice=0))
    lane = Lane(on_frame=frames.put_nowait, on_end=lambda *_: frames.put_nowait(None))
    fork_server.start()
    try:
        async with asyncio.timeout(30):
            lane.connect(fork_server)
            ready = await frames.get()
            lane.send(("sleep", 0.2))
            await asyncio.sleep(0.1)
            lane.send(("sleep", 0.01))
            answers = [await frames.get(), await frames.get()]
    finally:
        lane.close()
        fork_server.kill()
    assert ready is not None
    assert ready.kind is FrameKind.READY
    assert [answer and answer.load() for answer in answers] == [0.2, 0.01]
