"""Workers that die one after another are replaced ever more slowly, tried on real processes."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from functools import partial

import pytest

from inference.breaker import MAX_DELAY_S, BreakerState
from inference.errors import PoisonJobError, WorkerError, WorkersLostError
from inference.lanes import LanePool
from tests.inference.handlers import build_handler, build_marked
from tests.inference.test_lanes import has_recovered_from, until

SERVERS_LIMIT = 30
"""As the server has it, for each worker in ten seconds."""


@pytest.fixture
async def pool() -> AsyncIterator[LanePool]:
    """Two workers, of which six may be lost."""
    async with LanePool(
        build_handler, worker_count=2, job_timeout_s=20, max_losses_per_worker=3
    ) as pool:
        yield pool


async def poison(pool: LanePool) -> WorkersLostError:
    """Send jobs that no worker survives until the pool takes none, and return why."""
    async with asyncio.timeout(30):
        while True:
            try:
                await pool.run(("die", None))
            except PoisonJobError:
                continue
            except WorkersLostError as refusal:
                return refusal


async def kill_the_idle(pool: LanePool) -> None:
    """Have the idle one of two workers lost; one that only starts would not count as lost."""
    death_count = pool.statistics.death_count
    await until(lambda: pool.idle_count >= 1)
    os.kill(pool.worker_pids[1], signal.SIGKILL)
    await until(lambda: pool.statistics.death_count > death_count)


async def test_jobs_that_end_workers_without_end_do_not_fork_without_end(pool: LanePool) -> None:
    """At the limit nothing is started for a while, and jobs are refused with a time to return."""
    refusals = await asyncio.gather(*(poison(pool) for _ in range(2)))
    assert all(0 <= refusal.retry_after_s <= MAX_DELAY_S for refusal in refusals)
    statistics = pool.statistics
    assert statistics.opening_count >= 1
    assert statistics.restart_count <= 6 + statistics.opening_count  # one for each try


async def test_jobs_that_wait_are_refused_when_no_worker_is_left(pool: LanePool) -> None:
    """Not kept for ever: each of them is told."""
    jobs = [asyncio.create_task(pool.run(("die", None))) for _ in range(20)]
    async with asyncio.timeout(30):
        results = await asyncio.gather(*jobs, return_exceptions=True)
    assert {type(result) for result in results} == {PoisonJobError, WorkersLostError}
    assert pool.waiting_count == 0


async def test_one_worker_is_tried_and_then_all_are_back(
    pool: LanePool, caplog: pytest.LogCaptureFixture
) -> None:
    """By itself, when the poison stops; and the log tells of it."""
    with caplog.at_level(logging.WARNING):
        await poison(pool)
        await until(lambda: pool.idle_count == 1)
        assert pool.breaker_state is BreakerState.HALF_OPEN
        assert await pool.run(("echo", 1)) == 1
        await until(lambda: pool.idle_count == 2)
    assert pool.breaker_state is BreakerState.CLOSED
    told = [record.message for record in caplog.records if record.name.endswith("lane_respawn")]
    assert "too many workers were lost" in told[0]
    assert told[-2:] == ["one worker is tried", "no more workers were lost: all are started again"]


async def test_a_worker_that_is_tried_and_lost_opens_it_anew(pool: LanePool) -> None:
    """The others stay away, and another one is tried later."""
    await poison(pool)
    opening_count = pool.statistics.opening_count
    await until(lambda: pool.idle_count == 1)
    os.kill(pool.worker_pids[0], signal.SIGKILL)
    await until(lambda: pool.statistics.opening_count == opening_count + 1)
    await until(lambda: pool.idle_count == 2)


async def test_workers_that_live_go_on_when_others_are_not_replaced() -> None:
    """A job in hand is finished, and those that wait are taken by who is there."""
    async with LanePool(
        build_handler, worker_count=2, job_timeout_s=20, max_losses_per_worker=1
    ) as pool:
        survivor = asyncio.create_task(pool.run(("pid after", 0.5)))
        await until(lambda: pool.idle_count == 1)
        in_hand = pool.worker_pids[0]
        while pool.breaker_state is BreakerState.CLOSED:
            await kill_the_idle(pool)
        assert pool.lane_count == 1
        assert await pool.run(("echo", 1)) == 1
        assert await survivor == in_hand
        await until(lambda: pool.lane_count == 2)


@pytest.mark.parametrize("worker_count", [1, 2])
async def test_twenty_kills_in_a_row_are_not_too_many(worker_count: int) -> None:
    """As fast as workers come back: each is replaced at once, and no job is lost."""
    async with LanePool(
        build_handler,
        worker_count=worker_count,
        job_timeout_s=20,
        max_losses_per_worker=SERVERS_LIMIT,
    ) as pool:
        for number in range(20):
            os.kill(pool.worker_pids[number % worker_count], signal.SIGKILL)
            assert await pool.run(("echo", number)) == number
            await until(partial(has_recovered_from, pool, number + 1))
        assert pool.statistics.opening_count == 0


async def test_all_at_once_ten_times_over_are_not_too_many() -> None:
    """Every one of them is back at once."""
    async with LanePool(
        build_handler, worker_count=2, job_timeout_s=20, max_losses_per_worker=SERVERS_LIMIT
    ) as pool:
        for number in range(1, 11):
            for pid in pool.worker_pids:
                os.kill(pid, signal.SIGKILL)
            assert await pool.run(("echo", 1)) == 1
            await until(partial(has_recovered_from, pool, 2 * number))
        assert pool.statistics.opening_count == 0


async def test_new_workers_begin_with_a_clean_record(pool: LanePool) -> None:
    """A renewal fills all places, whatever was lost before it."""
    await poison(pool)
    await pool.renew(partial(build_marked, "new"))
    assert pool.breaker_state is BreakerState.CLOSED
    assert pool.idle_count == 2
    assert await pool.run(("mark", None)) == "new"


async def test_a_pool_that_waits_can_be_closed(pool: LanePool) -> None:
    """Nothing is started any more, and started again it is as new."""
    await poison(pool)
    await pool.close()
    with pytest.raises(WorkerError):
        await pool.run(("echo", 1))
    async with pool:
        assert await pool.run(("echo", 1)) == 1
        assert pool.idle_count == 2
