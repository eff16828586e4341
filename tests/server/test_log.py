"""What a server writes to its log, and how a caller finds it again."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest
from structlog.stdlib import ProcessorFormatter

from capture.v1 import image_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.inference.processes import children_of
from tests.server.cameras import Camera

KEY = "smart-capture-request-id"


class Logged:
    """A server in a process of its own, whose log is not a terminal."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.pid = process.pid
        self.port = port

    async def end(self) -> list[dict[str, Any]]:
        """End it, and return its log; every line has to be JSON."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.stderr is not None
        text = await asyncio.wait_for(self._process.stderr.read(), 60)
        await self._process.wait()
        return [json.loads(line) for line in text.splitlines()]


@asynccontextmanager
async def serving(*flags: str) -> AsyncIterator[Logged]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "capture", "serve", "--port", "0", "--workers", "1",
        "--no-classify", "--grace", "2", *flags,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        yield Logged(process, int(line.decode().split(" with ")[0].rsplit(":", 1)[1]))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def id_of(call: Any) -> str:
    return str(dict(await call.trailing_metadata())[KEY])


async def test_calls_streams_and_sessions_are_found_by_their_request_id(good: bytes) -> None:
    """The id in the trailing metadata is the one that stands in the log, line by line."""
    image = image_pb2.Image(data=good)
    async with serving("--log-level", "debug") as server:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            stub = SmartCaptureStub(channel)
            unary = stub.AssessImage(smart_capture_pb2.AssessImageRequest(image=image))
            await unary
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.AssessImage(smart_capture_pb2.AssessImageRequest())
            stream: Any = stub.AssessImages()
            for _ in range(2):
                await stream.write(smart_capture_pb2.AssessImagesRequest(image=image))
            await stream.done_writing()
            assert len([answer async for answer in stream]) == 2
            camera = Camera(stub)
            await camera.open()
            await camera.still(1, good)
            await camera.finish()
            unary_id, stream_id, session_id = [
                await id_of(call) for call in (unary, stream, camera.call)
            ]
            refused_id = dict(refused.value.trailing_metadata() or ())[KEY]
        lines = await server.end()
    told = [(line.get("request_id"), line["event"]) for line in lines if "request_id" in line]
    assert told == [
        (unary_id, "judged"),
        (refused_id, "refused"),
        (stream_id, "judged"),
        (stream_id, "judged"),
        (session_id, "session opened"),
        (session_id, "judged"),
        (session_id, "session closed"),
    ]
    (refusal,) = (line for line in lines if line["event"] == "refused")
    assert refusal["code"] == "EMPTY"
    (judged, *_) = (line for line in lines if line["event"] == "judged")
    assert judged["verdict"] == "ACCEPT"
    assert judged["service_ms"] > 0


async def test_libraries_log_in_the_same_form(burst: list[bytes]) -> None:
    """What the lanes say of a worker that was killed has level, time and name too."""
    async with serving() as server:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            image = image_pb2.Image(data=burst[0])
            request = smart_capture_pb2.AssessImageRequest(image=image)
            await SmartCaptureStub(channel).AssessImage(request)
            worker = worker_of(server)
            os.kill(worker, signal.SIGKILL)
            await SmartCaptureStub(channel).AssessImage(request)
        lines = await server.end()
    told = [line for line in lines if line["event"].startswith(f"worker {worker} ")]
    assert f"worker {worker} was ended by SIGKILL" in {line["event"] for line in told}
    assert len(told) == 2
    assert all(line["level"] == "warning" for line in told)
    assert all(line["logger"].startswith("inference.") for line in told)
    assert all(line["timestamp"].endswith("Z") for line in told)
    assert "judged" not in {line["event"] for line in lines}


def worker_of(server: Logged) -> int:
    """Process id of the one worker: the child of the server's fork server."""
    (fork_server,) = children_of(server.pid)
    (worker,) = children_of(fork_server)
    return worker


def test_answers_that_nobody_waited_for_are_not_logged() -> None:
    """gRPC tells of each as an error with its trace: under overload that is a flood."""
    ours = [h for h in logging.getLogger().handlers if isinstance(h.formatter, ProcessorFormatter)]
    errors = (grpc.aio.InternalError("nobody is there"), ValueError("a defect"))
    told = [
        logging.LogRecord("grpc._cython.cygrpc", 40, "", 0, "", (), (type(error), error, None))
        for error in errors
    ]
    assert [[bool(handler.filter(record)) for record in told] for handler in ours] == [
        [False, True]
    ]
