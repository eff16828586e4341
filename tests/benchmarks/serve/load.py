"""The load generator, a process of its own: prints what it saw as one JSON object.

``closed``: clients that each have one call open. ``open``: calls at random times of a given
rate, whatever becomes of them. ``health``: health checks at a steady rate. ``cameras``:
sessions at 30 frames a second, the last one greedy if asked for.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import grpc.aio
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc

from capture.v1 import image_pb2, session_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.benchmarks.serve.pictures import Pictures

Seen = dict[str, Any]


def start_load(port: int, pictures: Path, mode: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start the generator; read its result with `result_of`."""
    command = [sys.executable, "-m", __name__, str(port), str(pictures), mode, json.dumps(options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def result_of(process: subprocess.Popen[bytes]) -> Seen:
    """Wait for the generator and return what it saw."""
    output = process.communicate()[0]
    if process.returncode:
        raise SystemExit("the load generator failed")
    seen = json.loads(output)
    assert isinstance(seen, dict)
    return seen


def run_load(port: int, pictures: Path, mode: str, **options: Any) -> Seen:
    """Run the generator to its end."""
    return result_of(start_load(port, pictures, mode, **options))


class Generator:
    """Puts load on a server.

    Parameters
    ----------
    port : int
        Where it listens.
    pictures : Pictures
        What to send.
    duration_s : float
        How long.
    """

    def __init__(self, port: int, pictures: Pictures, duration_s: float) -> None:
        self._port = port
        self._pictures = pictures
        self._duration_s = duration_s
        self._latencies_s: list[float] = []
        self._answered_at_s: list[float] = []
        self._errors: Counter[str] = Counter()
        self._start_s = 0.0

    def _channel(self) -> grpc.aio.Channel:
        # A connection of its own, as clients on many machines have.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        return grpc.aio.insecure_channel(f"127.0.0.1:{self._port}", options)

    def _requests(self, kind: str) -> list[smart_capture_pb2.AssessImageRequest]:
        return [
            smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=data))
            for data in getattr(self._pictures, kind)
        ]

    async def _call(self, stub: Any, request: Any, timeout_s: float | None) -> None:
        began_s = time.perf_counter()
        try:
            await stub.AssessImage(request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            self._errors[error.code().name] += 1
            return
        now_s = time.perf_counter()
        self._latencies_s.append(now_s - began_s)
        self._answered_at_s.append(now_s - self._start_s)

    async def closed(self, client_count: int, kind: str = "accepted") -> Seen:
        """Keep one call of each client open."""
        requests = self._requests(kind)

        async def client(number: int) -> None:
            async with self._channel() as channel:
                stub = SmartCaptureStub(channel)
                await self._call(stub, requests[0], None)
                ready.release()
                await begin.wait()
                count = number
                while time.perf_counter() - self._start_s < self._duration_s:
                    await self._call(stub, requests[count % len(requests)], None)
                    count += 1

        ready, begin = asyncio.Semaphore(0), asyncio.Event()
        tasks = [asyncio.create_task(client(number)) for number in range(client_count)]
        for _ in tasks:
            await ready.acquire()
        self._begin()
        begin.set()
        await asyncio.gather(*tasks)
        return self._seen()

    async def open(self, rate: float, timeout_s: float, client_count: int = 64) -> Seen:
        """Call at random times; a caller gives up after its deadline."""
        requests = self._requests("accepted")
        clock = random.Random(1)
        channels = [self._channel() for _ in range(client_count)]
        stubs = [SmartCaptureStub(channel) for channel in channels]
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        self._begin()
        due_s, tasks = self._start_s, []
        while due_s < self._start_s + self._duration_s:
            due_s += clock.expovariate(rate)
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            call = self._call(
                stubs[len(tasks) % client_count], requests[len(tasks) % len(requests)], timeout_s
            )
            tasks.append(asyncio.create_task(call))
        await asyncio.gather(*tasks)
        seen = self._seen(answered_in_s=timeout_s)
        await asyncio.gather(*(channel.close() for channel in channels))
        return seen | {"offered_count": len(tasks)}

    async def health(self, rate: float = 100.0) -> Seen:
        """Check health at a steady rate."""
        async with self._channel() as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            await stub.Check(health_pb2.HealthCheckRequest())
            self._begin()

            async def check() -> None:
                began_s = time.perf_counter()
                await stub.Check(health_pb2.HealthCheckRequest())
                self._latencies_s.append(time.perf_counter() - began_s)

            tasks = []
            for number in range(int(rate * self._duration_s)):
                await asyncio.sleep(max(0.0, self._start_s + number / rate - time.perf_counter()))
                tasks.append(asyncio.create_task(check()))
            await asyncio.gather(*tasks)
        return self._seen()

    async def cameras(self, count: int, greed: float = 1.0, rate: float = 30.0) -> Seen:
        """Film with many cameras; `greed` is how many times as fast the last one sends."""
        self._begin()
        rates = [rate] * (count - 1) + [rate * greed]
        films = await asyncio.gather(*(self._film(n, fps) for n, fps in enumerate(rates)))
        return self._seen() | {
            "frame_count": sum(film["sent"] for film in films),
            "in_time_count": sum(film["in_time"] for film in films),
            "judged_rates": [film["judged"] / self._duration_s for film in films],
        }

    async def _film(self, number: int, rate: float) -> Counter[str]:
        frames = self._pictures.previews
        sent_at_s: dict[int, float] = {}
        film: Counter[str] = Counter()
        async with self._channel() as channel:
            call = SmartCaptureStub(channel).Capture()
            await call.write(session_pb2.CaptureRequest(config=session_pb2.SessionConfig()))
            await call.read()

            async def listen() -> None:
                while (response := await call.read()) is not grpc.aio.EOF:
                    kind = response.WhichOneof("message")
                    answer = getattr(response, kind)
                    took_s = time.perf_counter() - sent_at_s.pop(answer.preview_id)
                    film["judged"] += kind == "stability"
                    film["in_time"] += took_s <= 0.05
                    self._latencies_s.append(took_s)

            listening = asyncio.create_task(listen())
            start_s = time.perf_counter() + random.Random(number).random() / rate
            for frame in range(1, int(rate * self._duration_s) + 1):
                await asyncio.sleep(max(0.0, start_s + frame / rate - time.perf_counter()))
                image = image_pb2.Image(data=frames[(number + frame // 30) % len(frames)])
                preview = session_pb2.Preview(
                    id=frame, captured_at_ms=1e3 * frame / rate, image=image
                )
                sent_at_s[frame] = time.perf_counter()
                film["sent"] += 1
                await call.write(session_pb2.CaptureRequest(preview=preview))
            await call.done_writing()
            await listening
        return film

    def _begin(self) -> None:
        self._latencies_s.clear()
        self._answered_at_s.clear()
        self._errors.clear()
        self._start_s = time.perf_counter()
        self._cpu_start_s = _cpu_s()

    def _seen(self, answered_in_s: float = float("inf")) -> Seen:
        wall_s = time.perf_counter() - self._start_s
        in_time = sorted(s for s in self._latencies_s if s <= answered_in_s)
        gaps_s = [b - a for a, b in zip(self._answered_at_s, self._answered_at_s[1:], strict=False)]
        return {
            "count": len(in_time),
            "rate": len(in_time) / self._duration_s,
            "errors": dict(self._errors),
            "p50_ms": 1e3 * _quantile(in_time, 0.5),
            "p99_ms": 1e3 * _quantile(in_time, 0.99),
            "longest_ms": 1e3 * max(in_time, default=0.0),
            "longest_gap_ms": 1e3 * max(gaps_s, default=0.0),
            "core_share": (_cpu_s() - self._cpu_start_s) / wall_s,
        }


def _quantile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _main(port: str, pictures: str, mode: str, options: str) -> None:
    settings = json.loads(options)
    generator = Generator(int(port), Pictures.load(Path(pictures)), settings.pop("duration_s"))
    print(json.dumps(uvloop.run(getattr(generator, mode)(**settings))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
