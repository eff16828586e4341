"""A server that was started at a terminal: what becomes of it when that is closed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from grpc_health.v1 import health_pb2, health_pb2_grpc

from capture.v1 import image_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.server.cameras import Camera
from tests.server.processes import Process, connected, serving

IN_A_TERMINAL = """
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
print(pid, flush=True)
with open(os.dup(terminal), "rb") as screen:
    print(screen.readline().decode().strip(), flush=True)
sys.stdin.read()
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@asynccontextmanager
async def serving_in_a_terminal() -> AsyncIterator[Process]:
    """Start a server at a terminal of its own, which closes with standard input."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", IN_A_TERMINAL,
        "-m", "capture", "serve", "--port", "0", "--workers", "1", "--no-classify",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        yield Process(process, int(line.decode().split(" with ")[0].rsplit(":", 1)[1]))
    finally:
        if process.returncode is None:
            process.kill()
            os.kill(pid, signal.SIGKILL)
        await process.wait()


async def test_a_closed_terminal_ends_it_as_sigterm_does(burst: list[bytes]) -> None:
    """What is in hand is finished, though nobody can read of it any more."""
    async with serving_in_a_terminal() as server, connected(server.port) as channel:
        session = Camera(SmartCaptureStub(channel))
        await session.open()
        assert server.process.stdin is not None
        server.process.stdin.close()
        notice = await session.receive_one("drain")
        assert notice.grace_ms > 0
        await session.still(1, burst[0])
        await session.receive_one("still")
        assert await server.ended() == 0


async def test_a_hangup_told_twice_is_one(burst: list[bytes]) -> None:
    """The shell and the kernel both tell of it: stills in hand are not given up for that."""
    async with serving() as server, connected(server.port) as channel:
        session = Camera(SmartCaptureStub(channel))
        await session.open()
        server.process.send_signal(signal.SIGHUP)
        await session.receive_one("drain")
        server.process.send_signal(signal.SIGHUP)
        await session.still(1, burst[0])
        await session.receive_one("still")
        assert await server.ended() == 0


async def test_a_server_under_nohup_stays(burst: list[bytes]) -> None:
    """Whoever had it ignore the signal wants it to."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # which a child inherits
    try:
        async with serving() as server, connected(server.port) as channel:
            server.process.send_signal(signal.SIGHUP)
            request = smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=burst[0]))
            await SmartCaptureStub(channel).AssessImage(request)
            health = health_pb2_grpc.HealthStub(channel)
            answer = await health.Check(health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
    finally:
        signal.signal(signal.SIGHUP, before)
