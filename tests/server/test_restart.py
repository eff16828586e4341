"""A new server process takes over the port: sessions go on there."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import cv2
import grpc.aio
import numpy as np
import pytest

from capture.client import AsyncClient, SessionStarted, StillJudged
from capture.server.app import Server
from capture.settings import Settings
from capture.v1 import session_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.server.cameras import Camera
from tests.server.processes import connected, serving

BLACK = cv2.imencode(".jpg", np.zeros((720, 960, 3), np.uint8))[1].tobytes()
CONFIG: dict[str, Any] = {"still_width_px": 1440, "exposure_time_s": 1 / 30}
FIRST_STEADY = 55


@asynccontextmanager
async def coming_back(port: int, token: str) -> AsyncIterator[tuple[Camera, Any]]:
    """Knock until a server opens the session; the one that goes down refuses."""
    while True:
        async with connected(port) as channel:
            camera = Camera(SmartCaptureStub(channel))
            try:
                started = await camera.open(resume_token=token, **CONFIG)
            except (grpc.aio.AioRpcError, AssertionError):
                await asyncio.sleep(0.05)
                continue
            yield camera, started
            return


async def held(camera: Camera, burst: list[bytes], first: int) -> session_pb2.StabilityUpdate:
    """Hold the camera still for a while, and return the last answer."""
    answer = session_pb2.StabilityUpdate()
    for number, frame in enumerate(burst[FIRST_STEADY : FIRST_STEADY + 12], start=first):
        await camera.preview(number, frame)
        answer = await camera.receive_one("stability")
    return answer


async def test_a_session_goes_on_in_the_next_process(burst: list[bytes]) -> None:
    """Its token is good there: retake count and dwell are those of the process before."""
    async with serving() as old, connected(old.port) as channel:
        camera = Camera(SmartCaptureStub(channel))
        await camera.open(**CONFIG)
        await camera.still(1, BLACK)
        assert (await camera.receive_one("still")).retake_count == 1
        before = await held(camera, burst, first=1)
        assert before.ready
        async with serving("--port", str(old.port)):
            old.process.send_signal(signal.SIGTERM)
            await camera.rest()
            assert await old.ended() == 0
            async with coming_back(old.port, camera.token) as (again, started):
                assert started.resumed
                assert started.session_token == camera.token
                await again.preview(13, burst[FIRST_STEADY + 11])
                after = await again.receive_one("stability")
                assert after.ready
                assert after.calm_ms > before.calm_ms
                assert after.retake_count == 1
                await again.still(2, BLACK)
                assert (await again.receive_one("still")).retake_count == 2
                await again.finish()


async def test_a_client_that_leaves_at_the_notice_is_not_too_early(burst: list[bytes]) -> None:
    """Its old stream is still open when it comes to the new process with its token."""
    async with serving() as old, connected(old.port) as channel:
        camera = Camera(SmartCaptureStub(channel))
        await camera.open(**CONFIG)
        before = await held(camera, burst, first=1)
        async with serving("--port", str(old.port)):
            old.process.send_signal(signal.SIGTERM)
            await camera.receive_one("drain")
            async with coming_back(old.port, camera.token) as (again, started):
                assert started.resumed
                await again.preview(13, burst[FIRST_STEADY + 11])
                assert (await again.receive_one("stability")).calm_ms > before.calm_ms
                await again.finish()


async def test_a_session_outlives_a_server_that_is_killed(
    burst: list[bytes], tmp_path: Path
) -> None:
    """The next one reads what the killed one wrote down on the way, and goes on from there."""
    file = tmp_path / "sessions.db"
    environment = {"SMART_CAPTURE_SESSION_FILE": str(file)}
    async with serving(environment=environment) as old, connected(old.port) as channel:
        camera = Camera(SmartCaptureStub(channel))
        await camera.open(**CONFIG)
        await camera.still(1, BLACK)
        assert (await camera.receive_one("still")).retake_count == 1
        before = await held(camera, burst, first=1)
        while f'"preview_id":{before.preview_id},'.encode() not in file.read_bytes():
            await asyncio.sleep(0.05)
        old.process.kill()
        await old.ended()
    async with (
        serving(environment=environment) as new,
        coming_back(new.port, camera.token) as (again, started),
    ):
        assert started.resumed
        await again.preview(13, burst[FIRST_STEADY + 11])
        after = await again.receive_one("stability")
        assert after.calm_ms > before.calm_ms
        assert after.retake_count == 1
        await again.finish()


async def test_all_sessions_of_the_client_go_on(burst: list[bytes]) -> None:
    """Twenty cameras that film on and shoot: each is resumed once, and no shot is lost."""
    async with serving() as old:

        async def film(client: AsyncClient, is_over: asyncio.Event) -> list[bool]:
            async with client.session(**CONFIG) as session:
                frames = cycle(burst[FIRST_STEADY:])
                resumed: list[bool] = []
                shot_count = judged_count = 0
                while not is_over.is_set() or len(resumed) < 2:
                    session.send_preview(next(frames))
                    if shot_count == judged_count:
                        session.send_still(BLACK)
                        shot_count += 1
                    while (event := await session.next_event(timeout_s=0.1)) is not None:
                        if isinstance(event, SessionStarted):
                            resumed.append(event.resumed)
                        judged_count += isinstance(event, StillJudged)
                shot = await session.judge_still(BLACK)
                assert isinstance(shot, StillJudged)
            return resumed

        address, is_over = f"127.0.0.1:{old.port}", asyncio.Event()
        async with AsyncClient(address) as client:
            cameras = [asyncio.create_task(film(client, is_over)) for _ in range(20)]
            async with serving("--port", str(old.port)):
                old.process.send_signal(signal.SIGTERM)
                assert await old.ended() == 0
                is_over.set()
                assert await asyncio.gather(*cameras) == [[False, True]] * 20


@pytest.mark.parametrize(("away_s", "is_resumed"), [(0.0, True), (0.8, False)])
async def test_a_token_is_good_for_as_long_as_the_settings_say(
    burst: list[bytes], away_s: float, is_resumed: bool
) -> None:
    """Who comes later gets a new session, and another token."""
    settings = Settings(classify=False, port=0, worker_count=1, session_kept_s=0.6)
    server = Server(settings)
    await server.start()
    try:
        async with connected(server.port) as channel:
            camera = Camera(SmartCaptureStub(channel))
            await camera.open(**CONFIG)
            await held(camera, burst, first=1)
            await camera.finish()
            await asyncio.sleep(away_s)
            again = Camera(SmartCaptureStub(channel))
            started = await again.open(resume_token=camera.token, **CONFIG)
            assert started.resumed == is_resumed
            assert (started.session_token == camera.token) == is_resumed
            await again.finish()
    finally:
        await server.stop(0)
