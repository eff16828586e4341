"""The load generator, a process of its own: prints what it saw as one JSON object.

``ready``: calls until one is answered. ``closed``: clients that each have one call open.
``open``: calls at random times of a given rate, whatever becomes of them. ``health``: health
checks at a steady rate. ``cameras``: sessions at 30 frames a second, the last one greedy if
asked for. All but ``cameras`` speak the protocol of any server, see `callers`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc.aio
import uvloop

from capture.v1 import image_pb2, session_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.benchmarks.serve.callers import Caller, callers, channel_to
from tests.benchmarks.serve.pictures import Pictures

Seen = dict[str, Any]

_PATIENCE_S = 10.0
"""When a client without a deadline takes its call for lost."""

_PAUSE_S = 0.02
"""What it waits before the next one, so as not to take the server's cores."""


RUN_IN_S = 1.0
"""Open load before what is counted: until queues are as long as they will be."""

_LONGEST_S = 600.0
"""When the generator itself is taken for lost."""


class LoadError(Exception):
    """The load generator failed."""


def start_load(port: int, pictures: Path, mode: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start the generator; read its result with `result_of`."""
    command = [sys.executable, "-m", __name__, str(port), str(pictures), mode, json.dumps(options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def result_of(process: subprocess.Popen[bytes]) -> Seen:
    """Wait for the generator and return what it saw.

    Raises
    ------
    LoadError
        If it fails, or says nothing for ten minutes.
    """
    try:
        output = process.communicate(timeout=_LONGEST_S)[0]
    except subprocess.TimeoutExpired:
        raise LoadError("the load generator does not end") from None
    finally:
        process.kill()
    if process.wait():
        raise LoadError("the load generator failed")
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
    open_caller : callable
        Opens a client of it.
    previews : list of bytes
        What cameras film.
    duration_s : float
        How long.
    """

    def __init__(
        self,
        port: int,
        open_caller: Callable[[], Caller],
        previews: list[bytes],
        duration_s: float,
    ) -> None:
        self._port = port
        self._open_caller = open_caller
        self._previews = previews
        self._duration_s = duration_s
        self._latencies_s: list[float] = []
        self._answered_at_s: list[float] = []
        self._lags_s: list[float] = []
        self._errors: Counter[str] = Counter()
        self._start_s = self._counts_from_s = 0.0

    async def _call(self, caller: Caller, number: int, timeout_s: float, due_s: float) -> bool:
        """Make a call that was due at `due_s`, from which its latency counts."""
        lag_s = time.perf_counter() - due_s
        error = await caller.call(number, timeout_s)
        now_s = time.perf_counter()
        if due_s < self._counts_from_s:
            return not error
        self._lags_s.append(lag_s)
        if error:
            self._errors[error] += 1
            return False
        self._latencies_s.append(now_s - due_s)
        self._answered_at_s.append(now_s - self._start_s)
        return True

    async def ready(self) -> Seen:
        """Call until there is an answer."""
        caller = self._open_caller()
        ends_s = time.perf_counter() + self._duration_s
        try:
            while error := await caller.call(0, 10.0):
                if time.perf_counter() > ends_s:
                    break
                await asyncio.sleep(0.1)
        finally:
            await caller.close()
        return {"is_ready": not error}

    async def closed(self, client_count: int, count: int | None = None) -> Seen:
        """Keep one call of each client open; stop after `count` calls if given."""
        numbers = itertools.count() if count is None else iter(range(count))

        async def client() -> None:
            caller = self._open_caller()
            await caller.call(0, _PATIENCE_S)
            ready.release()
            await begin.wait()
            for number in numbers:
                now_s = time.perf_counter()
                if now_s - self._start_s >= self._duration_s:
                    break
                if not await self._call(caller, number, _PATIENCE_S, now_s):
                    await asyncio.sleep(_PAUSE_S)
            await caller.close()

        ready, begin = asyncio.Semaphore(0), asyncio.Event()
        tasks = [asyncio.create_task(client()) for _ in range(client_count)]
        for _ in tasks:
            await ready.acquire()
        self._begin()
        begin.set()
        await asyncio.gather(*tasks)
        seen = self._seen()
        return seen | {"rate": seen["count"] / (time.perf_counter() - self._start_s)}

    async def open(self, rate: float, timeout_s: float, client_count: int = 64) -> Seen:
        """Call at random times; a caller gives up after its deadline."""
        clock = random.Random(1)
        callers = [self._open_caller() for _ in range(client_count)]
        await asyncio.gather(*(caller.check(_PATIENCE_S) for caller in callers))
        self._begin()
        self._counts_from_s += RUN_IN_S
        due_s, tasks = self._start_s, []
        while (due_s := due_s + clock.expovariate(rate)) < self._counts_from_s + self._duration_s:
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            call = self._call(callers[len(tasks) % client_count], len(tasks), timeout_s, due_s)
            tasks.append(asyncio.create_task(call))
        await asyncio.gather(*tasks)
        seen = self._seen(answered_in_s=timeout_s)
        await asyncio.gather(*(caller.close() for caller in callers))
        return seen | {"offered_count": len(self._lags_s)}

    async def health(self, rate: float = 100.0) -> Seen:
        """Check health at a steady rate."""
        caller = self._open_caller()
        await caller.check(_PATIENCE_S)
        self._begin()

        async def check() -> None:
            began_s = time.perf_counter()
            if error := await caller.check(_PATIENCE_S):
                self._errors[error] += 1
            self._latencies_s.append(time.perf_counter() - began_s)

        tasks = []
        for number in range(int(rate * self._duration_s)):
            await asyncio.sleep(max(0.0, self._start_s + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(check()))
        await asyncio.gather(*tasks)
        await caller.close()
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
        frames = self._previews
        sent_at_s: dict[int, float] = {}
        film: Counter[str] = Counter()
        async with channel_to(self._port) as channel:
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
        self._lags_s.clear()
        self._errors.clear()
        self._start_s = self._counts_from_s = time.perf_counter()
        self._cpu_start_s = _cpu_s()

    def _seen(self, answered_in_s: float = float("inf")) -> Seen:
        wall_s = time.perf_counter() - self._start_s
        in_time = sorted(s for s in self._latencies_s if s <= answered_in_s)
        answered_at_s = [0.0, *self._answered_at_s, wall_s]
        gaps_s = [after - before for before, after in itertools.pairwise(answered_at_s)]
        return {
            "count": len(in_time),
            "rate": len(in_time) / self._duration_s,
            "errors": dict(self._errors),
            "p50_ms": 1e3 * _quantile(in_time, 0.5),
            "p99_ms": 1e3 * _quantile(in_time, 0.99),
            "longest_ms": 1e3 * max(in_time, default=0.0),
            "longest_gap_ms": 1e3 * max(gaps_s),
            "lag_p99_ms": 1e3 * _quantile(sorted(self._lags_s), 0.99),
            "core_share": (_cpu_s() - self._cpu_start_s) / wall_s,
        }


def _quantile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _pictures_of(kind: str, pictures: Pictures) -> list[bytes]:
    chosen: list[bytes] = getattr(pictures, kind)
    return chosen


def _main(port: str, path: str, mode: str, options: str) -> None:
    settings = json.loads(options)
    pictures = Pictures.load(Path(path))
    chosen = _pictures_of(settings.pop("kind", "accepted"), pictures)
    open_caller = callers(settings.pop("protocol", "capture"), int(port), chosen)
    duration_s = settings.pop("duration_s")
    generator = Generator(int(port), open_caller, pictures.previews, duration_s)
    print(json.dumps(uvloop.run(getattr(generator, mode)(**settings))))


if __name__ == "__main__":
    _main(*sys.argv[1:])
