"""Ten thousand idle camera sessions at one server: ``make bench-sessions``.

What one costs the front in memory, how long others wait for a health check and for a picture
meanwhile, and what is left when all have gone. Then the same crowd at a server with its usual
limits. The crowd runs on the same cores; its own share of them is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc
from rich.console import Console
from rich.table import Table

from capture.v1 import image_pb2, session_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.server.processes import connected, serving

SESSIONS_PER_CONNECTION = 500
PROBE_COUNT = 200
SETTLE_S = 3.0
PICTURE = Path(__file__).parents[2] / "samples" / "demo" / "burst"

CONFIG = session_pb2.CaptureRequest(config=session_pb2.SessionConfig())


@asynccontextmanager
async def crowd(port: int, count: int) -> AsyncIterator[tuple[int, int]]:
    """Open sessions and say nothing in them; tell how many were let in and how many refused."""
    async with AsyncExitStack() as stack:
        calls: list[Any] = []
        for first in range(0, count, SESSIONS_PER_CONNECTION):
            options = [("grpc.use_local_subchannel_pool", 1)]
            channel = await stack.enter_async_context(
                grpc.aio.insecure_channel(f"127.0.0.1:{port}", options)
            )
            stub = SmartCaptureStub(channel)
            knocks = (knock(stub) for _ in range(min(SESSIONS_PER_CONNECTION, count - first)))
            calls += await asyncio.gather(*knocks)
        inside = [call for call in calls if call is not None]
        yield len(inside), count - len(inside)
        for call in inside:
            call.cancel()


async def knock(stub: Any) -> Any:
    """Open one session; None when it is refused."""
    call = stub.Capture()
    try:
        await call.write(CONFIG)
        await call.read()
    except grpc.aio.AioRpcError:
        return None
    return call


async def waits_ms(port: int) -> tuple[float, float, float]:
    """Return health checks at p50 and p99 and a picture at p50, one after the other."""
    picture = sorted(PICTURE.glob("*.jpg"))[0].read_bytes()
    request = smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=picture))
    checks, pictures = [], []
    async with connected(port) as channel:
        for _ in range(PROBE_COUNT):
            began_s = time.perf_counter()
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            checked_s = time.perf_counter()
            await SmartCaptureStub(channel).AssessImage(request)
            checks.append(checked_s - began_s)
            pictures.append(time.perf_counter() - checked_s)
    p50, p99 = np.percentile(checks, [50, 99])
    return 1e3 * float(p50), 1e3 * float(p99), 1e3 * float(np.median(pictures))


def pss_kb(pid: int) -> int:
    """Return the proportional memory of the front alone, in kB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
    assert found is not None
    return int(found[1])


async def measure(name: str, count: int, environment: dict[str, str]) -> list[str]:
    """Put a crowd before a new server, and return the row of the table."""
    async with serving(environment=environment) as server:
        pid = server.process.pid
        before = await waits_ms(server.port)
        before_kb = pss_kb(pid)
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        async with crowd(server.port, count) as (let_in, refused):
            opened_s = time.perf_counter() - began_s
            cores = (time.process_time() - began_cpu_s) / opened_s
            await asyncio.sleep(SETTLE_S)
            held_kb = pss_kb(pid)
            meanwhile = await waits_ms(server.port)
        await asyncio.sleep(SETTLE_S)
        left_kb = pss_kb(pid)
    return [
        name,
        f"{let_in}, {refused}",
        f"{opened_s:.1f} s ({cores:.2f} cores)",
        f"{before_kb / 1024:.0f}, {held_kb / 1024:.0f}, {left_kb / 1024:.0f} MB",
        f"{(held_kb - before_kb) / max(let_in, 1):.1f} kB",
        " → ".join(f"{p50:.1f}, {p99:.1f} ms" for p50, p99, _ in (before, meanwhile)),
        " → ".join(f"{picture:.1f} ms" for _, _, picture in (before, meanwhile)),
    ]


async def main(count: int) -> None:
    """Print both rows."""
    unlimited = {
        "SMART_CAPTURE_MAX_SESSION_COUNT": str(count),
        "SMART_CAPTURE_MAX_SESSIONS_PER_CLIENT": str(count),
    }
    table = Table(title=f"{count} idle sessions", box=None)
    for heading in (
        "limits",
        "let in, refused",
        "crowd came in",
        "front before, with, after",
        "a session",
        "health p50, p99",
        "picture p50",
    ):
        table.add_column(heading)
    table.add_row(*await measure("room for all", count, unlimited))
    table.add_row(*await measure("as shipped", count, {}))
    Console(width=160).print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    asyncio.run(main(parser.parse_args().count))
