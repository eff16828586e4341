"""Memory that a process gives back when it has nothing to do, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from inference.fork_server import ALLOCATOR

SCRIPT = """
import asyncio, gc, os, time
from pathlib import Path
from inference.memory import give_memory_back_when_idle

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

async def main():
    watch = asyncio.create_task(give_memory_back_when_idle())
    await asyncio.sleep(0)
    blocks = [bytes([n % 251]) * 50_000 for n in range(2000)]
    blocks.append(blocks)
    gc.collect()  # it is old now, and not looked at again for long
    end_s = time.process_time() + 0.2
    while time.process_time() < end_s:
        pass
    del blocks
    kept_mb = resident_mb()
    async with asyncio.timeout(30):
        while resident_mb() > kept_mb - 80:
            await asyncio.sleep(0.05)
    print("given back")

asyncio.run(main())
"""


def test_freed_memory_goes_back_after_work() -> None:
    """100 MB in a cycle, which malloc would have kept for ever, are gone once it is idle."""
    environment = {**os.environ, **ALLOCATOR, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "given back\n", done.stderr
