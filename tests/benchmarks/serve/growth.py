"""Memory over very many requests of every kind: a leak, told apart from warming up.

Run as a program it sends a number of them and prints, as JSON, what was answered.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import grpc.aio
import numpy as np
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc

from capture.v1 import image_pb2, session_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.benchmarks.serve.bench import Bench
from tests.benchmarks.serve.callers import channel_to
from tests.benchmarks.serve.pictures import Pictures
from tests.benchmarks.serve.processes import Service

WARM_UP_SHARE = 0.25
"""Requests that go ahead, as a share of those that count."""

_SAMPLE_COUNT = 20
"""How often memory is read, and another generator takes the place of the one before."""

_EDGE_COUNT = 5
"""Readings whose median is the memory before, and after."""

_REST_S = 3.0
"""After so long without work all processes have given back what single pictures took."""

_CLIENT_COUNT = 4
_PREVIEW_COUNT, _SMALL_COUNT = 12, 3
ROUND_SIZE = 20
"""Requests of one round of a client: a session's previews and still, and single calls."""

MIX = (
    f"of {ROUND_SIZE}: {_PREVIEW_COUNT} previews and a still of a new session, "
    f"{_SMALL_COUNT} small pictures, 1 of 720p, 1 broken, 1 too late, 1 health check"
)


@dataclass(frozen=True)
class Memory:
    """Memory at rest, in MB of PSS.

    Attributes
    ----------
    request_count : int
        Requests answered before.
    front_mb, workers_mb : float
        Of the front; of the workers and of what they are forked from.
    """

    request_count: int
    front_mb: float
    workers_mb: float

    @property
    def all_mb(self) -> float:
        """All processes."""
        return self.front_mb + self.workers_mb


def measure(bench: Bench, under_test: Service, request_count: int) -> Iterator[Memory]:
    """Send the warm-up, then the requests; read memory before, between and after."""
    size = max(ROUND_SIZE, request_count // _SAMPLE_COUNT)
    yield _at_rest(under_test, 0)
    for first in range(0, round((1 + WARM_UP_SHARE) * request_count), size):
        _send(bench, under_test, size)
        yield _at_rest(under_test, first + size)


def growth(bench: Bench, under_test: Service, request_count: int) -> None:
    """Memory before and after many mixed requests."""
    warm_up_count = round(WARM_UP_SHARE * request_count)
    samples = []
    for memory in measure(bench, under_test, request_count):
        print(
            f"growth: after {memory.request_count:,}: front {memory.front_mb:.1f}, "
            f"workers {memory.workers_mb:.1f} MB",
            file=sys.stderr,
        )
        if memory.request_count >= warm_up_count:
            samples.append(memory)
    first, last = _median(samples[:_EDGE_COUNT]), _median(samples[-_EDGE_COUNT:])
    growth_percent = 100 * (last.all_mb / first.all_mb - 1)
    count = samples[-1].request_count - samples[0].request_count
    bench.row(
        f"growth over {count:,} mixed requests after {samples[0].request_count:,}, %",
        f"{growth_percent:+.1f}: {first.all_mb:.0f} to {last.all_mb:.0f} MB, front "
        f"{first.front_mb:.0f} to {last.front_mb:.0f}; {_slope_percent(samples):+.2f} per "
        f"100,000 ({MIX})",
        growth_percent,
        (2.0, 0.0),
    )


def _median(samples: Sequence[Memory]) -> Memory:
    return Memory(
        samples[0].request_count,
        statistics.median(memory.front_mb for memory in samples),
        statistics.median(memory.workers_mb for memory in samples),
    )


def _slope_percent(samples: Sequence[Memory]) -> float:
    """Return the median of the slopes between any two samples (Theil, Sen)."""
    pairs = itertools.combinations(samples, 2)
    slopes = [(b.all_mb - a.all_mb) / (b.request_count - a.request_count) for a, b in pairs]
    return 100 * 100_000 * statistics.median(slopes or [0.0]) / samples[0].all_mb


def _at_rest(under_test: Service, request_count: int) -> Memory:
    time.sleep(_REST_S)
    front_mb = under_test.front_pss_mb()
    return Memory(request_count, front_mb, under_test.pss_mb() - front_mb)


def _send(bench: Bench, under_test: Service, count: int) -> None:
    command = [sys.executable, "-m", __name__, str(under_test.port), str(bench.pictures)]
    subprocess.run([*command, str(count)], check=True, stdout=subprocess.DEVNULL)


class _Client:
    """Sends rounds of every kind of request over one connection."""

    def __init__(self, channel: grpc.aio.Channel, pictures: Pictures, seen: Counter[str]) -> None:
        self._service = SmartCaptureStub(channel)
        self._health = health_pb2_grpc.HealthStub(channel)
        self._large = pictures.accepted
        self._small = [_cropped(data) for data in (*pictures.accepted, *pictures.refused)]
        self._seen = seen

    async def send(self, number: int) -> None:
        """Send one round."""
        small = [self._small[(7 * number + n) % len(self._small)] for n in range(_PREVIEW_COUNT)]
        await self._film(small)
        for data in (*small[:_SMALL_COUNT], self._large[number % len(self._large)]):
            await self._call(data)
        await self._call(small[0][: len(small[0]) // 2])
        await self._call(small[0], timeout_s=1e-3)
        await self._health.Check(health_pb2.HealthCheckRequest())
        self._seen["health"] += 1

    async def _call(self, data: bytes, timeout_s: float = 30.0) -> None:
        request = smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=data))
        try:
            response = await self._service.AssessImage(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            self._seen[error.code().name] += 1
        else:
            self._seen[f"verdict {response.assessment.verdict}"] += 1

    async def _film(self, frames: Sequence[bytes]) -> None:
        call = self._service.Capture()
        await call.write(session_pb2.CaptureRequest(config=session_pb2.SessionConfig()))
        await call.read()
        for number, data in enumerate(frames, 1):
            image = image_pb2.Image(data=data)
            preview = session_pb2.Preview(id=number, captured_at_ms=33.0 * number, image=image)
            await call.write(session_pb2.CaptureRequest(preview=preview))
            self._count(await call.read())
        still = session_pb2.Still(id=1, image=image_pb2.Image(data=frames[-1]))
        await call.write(session_pb2.CaptureRequest(still=still))
        self._count(await call.read())
        await call.done_writing()
        while await call.read() is not grpc.aio.EOF:
            pass

    def _count(self, response: object) -> None:
        assert isinstance(response, session_pb2.CaptureResponse)
        self._seen[response.WhichOneof("message") or "nothing"] += 1


def _cropped(data: bytes) -> bytes:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return bytes(cv2.imencode(".jpg", picture[:240, :320])[1])


async def _main(port: str, path: str, count: str) -> None:
    cv2.setNumThreads(1)
    pictures, seen = Pictures.load(Path(path)), Counter[str]()
    rounds = iter(range(int(count) // ROUND_SIZE))

    async def client() -> None:
        async with channel_to(int(port)) as channel:
            sender = _Client(channel, pictures, seen)
            for number in rounds:
                await sender.send(number)

    await asyncio.gather(*(client() for _ in range(_CLIENT_COUNT)))
    print(json.dumps(seen))


if __name__ == "__main__":
    uvloop.run(_main(*sys.argv[1:]))
