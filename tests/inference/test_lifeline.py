"""A caller that is killed leaves no process behind, whatever its workers are at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.inference.processes import children_of, is_alive, is_stopped

PREAMBLE = """
import asyncio, os, signal
from functools import partial
from inference.lanes import LanePool
from tests.inference.handlers import build_for_ever, build_handler
from tests.inference.processes import parent_of
"""
SERVING = """
async def main():
    async with LanePool(build_handler, worker_count=2, job_timeout_s=99) as pool:
        job = asyncio.create_task(pool.run({job!r})) if {job!r} else asyncio.sleep(99)
        while pool.idle_count == 2 and {job!r}:
            await asyncio.sleep(0.01)
        print(*pool.worker_pids, parent_of(pool.worker_pids[0]), flush=True)
        await job
asyncio.run(main())
"""
STARTING = """
async def main():
    await LanePool(partial(build_for_ever, {marker!r}), worker_count=2, job_timeout_s=99).start()
asyncio.run(main())
"""


@contextmanager
def parent_running(script: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a script that starts a pool."""
    with subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as parent:
        try:
            yield parent
        finally:
            parent.kill()


def until(condition: Callable[[], bool], limit_s: float = 30) -> None:
    """Wait until the condition holds; fail when it never does."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@pytest.mark.parametrize("is_all_stopped", [False, True], ids=["running", "stopped"])
@pytest.mark.parametrize(
    "job", [None, ("sleep", 99), ("spin", None)], ids=["idle", "asleep", "hung"]
)
def test_nothing_outlives_a_caller_that_is_killed(
    job: tuple[str, object] | None, is_all_stopped: bool
) -> None:
    """Idle, busy, hung and stopped workers end with it, and what they were forked from."""
    with parent_running(SERVING.format(job=job)) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 3
        if is_all_stopped:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            until(lambda: all(map(is_stopped, pids)))
        parent.kill()
        parent.wait()
        until(lambda: not any(map(is_alive, pids)))


@pytest.mark.parametrize("is_stopped_first", [False, True], ids=["running", "stopped"])
def test_nothing_outlives_a_caller_that_is_killed_while_it_starts(
    tmp_path: Path, is_stopped_first: bool
) -> None:
    """A model that does not come to an end of loading is loaded for nobody."""
    marker = tmp_path / "begun"
    with parent_running(STARTING.format(marker=str(marker))) as parent:
        until(marker.exists)
        (fork_server,) = children_of(parent.pid)
        if is_stopped_first:
            os.kill(fork_server, signal.SIGSTOP)
            until(lambda: is_stopped(fork_server))
        parent.kill()
        parent.wait()
        until(lambda: not is_alive(fork_server))
