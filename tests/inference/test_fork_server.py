"""The process that workers are forked from: it tells how they ended, and keeps nothing of them."""

from __future__ import annotations

import logging
import os
import signal

import pytest

from inference.errors import PoisonJobError
from inference.lanes import LanePool
from tests.inference.handlers import build_as_asyncio_forks, build_handler
from tests.inference.processes import children_of, parent_of
from tests.inference.test_lanes import until


@pytest.mark.parametrize(
    ("job", "how"),
    [
        (("die of", signal.SIGKILL), "was ended by SIGKILL"),
        (("die of", signal.SIGSEGV), "was ended by SIGSEGV"),
        (("die of", signal.SIGRTMIN + 1), f"was ended by signal {signal.SIGRTMIN + 1}"),
        (("exit", 3), "exited with code 3"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_the_log_says_how_a_worker_ended(
    caplog: pytest.LogCaptureFixture, job: tuple[str, int], how: str
) -> None:
    """By its process id, which stands beside the job that it had in hand."""
    async with LanePool(build_handler, worker_count=1, job_timeout_s=20) as pool:
        (pid,) = pool.worker_pids
        with caplog.at_level(logging.WARNING):
            with pytest.raises(PoisonJobError):
                await pool.run(job)
            await until(lambda: f"worker {pid} {how}" in caplog.messages)
        assert f"worker {pid} ended with a job in hand" in caplog.messages


async def test_workers_that_are_let_go_are_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    """The end of a pool is nothing to be warned of."""
    with caplog.at_level(logging.WARNING):
        async with LanePool(build_handler, worker_count=2, job_timeout_s=20) as pool:
            await pool.run(("echo", 1))
    assert caplog.messages == []


async def test_no_worker_stays_as_a_zombie() -> None:
    """Each is reaped, also when many end at once."""
    async with LanePool(build_handler, worker_count=4, job_timeout_s=20) as pool:
        fork_server = parent_of(pool.worker_pids[0])
        for number in range(1, 4):
            for pid in pool.worker_pids:
                os.kill(pid, signal.SIGKILL)
            await until(lambda count=4 * number: pool.statistics.death_count == count)
            await until(lambda: pool.idle_count == 4)
        await until(lambda: set(children_of(fork_server)) == set(pool.worker_pids))


async def test_what_a_library_does_at_a_fork_keeps_no_worker_from_coming_up() -> None:
    """Without it no worker would, under a newer Python."""
    async with LanePool(build_as_asyncio_forks, worker_count=1, job_timeout_s=20) as pool:
        assert await pool.run(("echo", 1)) == 1
