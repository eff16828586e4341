"""Workers that take over from others while jobs come and go, tried on real processes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from inference.errors import WorkerError, WorkerStartError
from inference.lanes import LanePool
from tests.inference.handlers import build_handler, build_marked, build_nothing
from tests.inference.processes import is_alive
from tests.inference.test_lanes import until


@pytest.fixture
async def pool() -> AsyncIterator[LanePool]:
    async with LanePool(partial(build_marked, "old"), worker_count=2, job_timeout_s=20) as pool:
        yield pool


async def test_no_job_is_lost_and_none_goes_back(pool: LanePool) -> None:
    """Under load all are answered; once one answer is new, those that start later are."""
    answers: list[str] = []
    is_over = asyncio.Event()

    async def keep_asking() -> None:
        while not is_over.is_set():
            answers.append(await pool.run(("mark", None)))

    asking = [asyncio.create_task(keep_asking()) for _ in range(6)]
    await until(lambda: len(answers) > 50)
    before = pool.worker_pids
    await pool.renew(partial(build_marked, "new"))
    at_takeover = len(answers)
    await until(lambda: len(answers) > at_takeover + 50)
    is_over.set()
    await asyncio.gather(*asking)
    assert answers[0] == "old"
    first_new = answers.index("new")
    assert first_new > 50  # the old ones went on while the new ones came up
    # Of the jobs in hand at that moment, at most one a worker, answers may come later.
    assert answers[first_new:].count("old") <= 2
    assert set(pool.worker_pids).isdisjoint(before)
    await until(lambda: not any(map(is_alive, before)))


async def test_what_is_in_hand_is_finished_by_who_holds_it(pool: LanePool) -> None:
    """A long job goes on while others are answered by the new workers; then its worker ends."""
    before = pool.worker_pids
    long = asyncio.create_task(pool.run(("pid after", 1.0)))
    await until(lambda: pool.idle_count == 1)
    await pool.renew(partial(build_marked, "new"))
    assert await pool.run(("mark", None)) == "new"
    assert await long in before
    await until(lambda: not any(map(is_alive, before)))


async def test_jobs_that_wait_go_to_the_new_workers(pool: LanePool) -> None:
    """They do not wait for the old ones to be done."""
    long = [asyncio.create_task(pool.run(("sleep", 1.5))) for _ in range(2)]
    await until(lambda: pool.idle_count == 0)
    waiting = [asyncio.create_task(pool.run(("mark", None))) for _ in range(5)]
    await pool.renew(partial(build_marked, "new"))
    assert await asyncio.gather(*waiting) == ["new"] * 5
    assert await asyncio.gather(*long) == [1.5, 1.5]


async def test_workers_that_do_not_come_up_change_nothing(pool: LanePool) -> None:
    """The cause is told, the old ones answer, and no process is left behind."""
    before = pool.worker_pids
    with pytest.raises(WorkerStartError, match="no such model"):
        await pool.renew(partial(build_nothing, "no such model"))
    assert pool.worker_pids == before
    assert await pool.run(("mark", None)) == "old"


async def test_a_renewal_that_is_given_up_changes_nothing(pool: LanePool) -> None:
    """Who asked for it has gone."""
    before = pool.worker_pids
    renewal = asyncio.create_task(pool.renew(partial(build_marked, "new")))
    await asyncio.sleep(0.05)
    renewal.cancel()
    with pytest.raises(asyncio.CancelledError):
        await renewal
    assert pool.worker_pids == before
    assert await pool.run(("mark", None)) == "old"


async def test_a_killed_worker_is_replaced_by_one_of_the_new(pool: LanePool) -> None:
    """The old factory is forgotten."""
    await pool.renew(partial(build_marked, "new"))
    (victim, _) = pool.worker_pids
    os.kill(victim, signal.SIGKILL)
    await until(lambda: victim not in pool.worker_pids and len(pool.worker_pids) == 2)
    await until(lambda: pool.idle_count == 2)
    marks = await asyncio.gather(*(pool.run(("mark", None)) for _ in range(6)))
    assert marks == ["new"] * 6


async def test_a_job_that_is_lost_with_an_old_worker_is_done_by_a_new_one(
    pool: LanePool, tmp_path: Path
) -> None:
    """Sent once more, as ever; nobody takes the place of the old one."""
    marker = tmp_path / "begun"
    job = asyncio.create_task(pool.run(("stay once", str(marker))))
    await until(lambda: marker.exists() and marker.read_text().endswith("\n"))
    await pool.renew(partial(build_marked, "new"))
    os.kill(int(marker.read_text()), signal.SIGKILL)
    assert await job in pool.worker_pids
    assert len(pool.worker_pids) == 2


async def test_a_second_renewal_waits_for_nothing(pool: LanePool) -> None:
    """Again and again; jobs in the hands of workers of before are still answered."""
    jobs = []
    for name in ("second", "third", "fourth"):
        jobs.append(asyncio.create_task(pool.run(("sleep", 0.5))))
        await until(lambda: pool.idle_count == 1)
        await pool.renew(partial(build_marked, name))
        assert await pool.run(("mark", None)) == name
    assert await asyncio.gather(*jobs) == [0.5] * 3


async def test_a_pool_that_is_closed_takes_the_old_with_it() -> None:
    """What they had in hand fails, and no process is left."""
    pool = LanePool(build_handler, worker_count=1, job_timeout_s=20)
    with pytest.raises(WorkerError, match="not running"):
        await pool.renew(build_handler)
    await pool.start()
    before = pool.worker_pids
    job = asyncio.create_task(pool.run(("sleep", 20)))
    await until(lambda: pool.idle_count == 0)
    await pool.renew(build_handler)
    both = before + pool.worker_pids
    await pool.close()
    with pytest.raises(WorkerError, match="closed"):
        await job
    await until(lambda: not any(map(is_alive, both)))
