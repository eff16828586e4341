"""A caller that is stopped for a while, as by Ctrl-Z, goes on as if nothing had been."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LIMIT_S = 2.0
CALLER = """
import asyncio, uvloop
from inference.lanes import LanePool
from tests.inference.handlers import build_handler

async def main():
    pool = LanePool(build_handler, worker_count=1, job_timeout_s={limit_s}, nice=0)
    async with pool:
        job = asyncio.create_task(pool.run(("wait for", {marker!r})))
        while pool.idle_count:
            await asyncio.sleep(0.001)
        print("given", flush=True)
        await job
        print(pool.statistics.timeout_count, flush=True)

asyncio.Runner(loop_factory={loop}.new_event_loop).run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="STOPPED CALLER: only Linux breaks off waits")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_answer_that_came_meanwhile_beats_the_clock(tmp_path: Path, loop: str) -> None:
    """Continued, it looks at its timers first: the answer lies there, the limit has passed."""
    marker = tmp_path / "marker"
    script = CALLER.format(limit_s=LIMIT_S, marker=str(marker), loop=loop)
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as caller:
        try:
            assert caller.stdout is not None
            assert caller.stdout.readline() == b"given\n"
            time.sleep(0.1)  # it waits by now
            caller.send_signal(signal.SIGSTOP)
            marker.touch()
            time.sleep(LIMIT_S + 0.2)
            caller.send_signal(signal.SIGCONT)
            assert caller.stdout.readline() == b"0\n"
        finally:
            caller.kill()
