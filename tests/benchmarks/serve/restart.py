"""Clients of a server that another takes over from; prints what became of them as JSON."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from pathlib import Path

from capture.client.aio import AsyncClient
from capture.client.events import SessionStarted
from capture.errors import SmartCaptureError
from tests.benchmarks.serve.callers import HOST
from tests.benchmarks.serve.pictures import Pictures

_CLIENT_COUNT = 4
_FRAME_INTERVAL_S = 0.1


async def _call(target: str, pictures: list[bytes], ends_s: float, seen: Counter[str]) -> None:
    async with AsyncClient(target) as client:
        for number in itertools.count():
            if time.perf_counter() > ends_s:
                return
            seen["count"] += 1
            try:
                await client.assess_image(pictures[number % len(pictures)])
            except SmartCaptureError as error:
                print(f"failed: {type(error).__name__}: {error}", file=sys.stderr)
                seen["failed_count"] += 1


async def _film(target: str, previews: list[bytes], ends_s: float, seen: Counter[str]) -> None:
    starts = []
    async with AsyncClient(target) as client, client.session(exposure_time_s=1 / 60) as session:
        while time.perf_counter() < ends_s:
            session.send_preview(previews[0])
            event = await session.next_event(_FRAME_INTERVAL_S)
            if isinstance(event, SessionStarted):
                starts.append(event.resumed)
            await asyncio.sleep(_FRAME_INTERVAL_S)
    seen["session_count"] += 1
    seen["moved_count"] += len(starts) > 1
    seen["resumed_count"] += len(starts) > 1 and all(starts[1:])


async def _main(port: str, path: str, duration_s: str) -> None:
    pictures = Pictures.load(Path(path))
    seen = Counter(dict.fromkeys(("count", "failed_count", "resumed_count", "moved_count"), 0))
    target, ends_s = f"{HOST}:{port}", time.perf_counter() + float(duration_s)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(_CLIENT_COUNT):
            tasks.create_task(_call(target, pictures.accepted, ends_s, seen))
            tasks.create_task(_film(target, pictures.previews, ends_s, seen))
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
