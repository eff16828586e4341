"""The queue in front of the workers, with real workers behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from capture.errors import OverloadCause, OverloadedError
from capture.server.admission import AdmissionLimits, JobKind
from capture.server.dispatch import Dispatcher, Order
from capture.server.metrics import Metrics
from inference.lanes import LanePool
from tests.inference.handlers import build_handler
from tests.inference.test_lane_respawn import kill_the_idle
from tests.inference.test_lanes import until


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[LanePool]:
    """One worker, which does what its jobs say."""
    async with LanePool(build_handler, worker_count=1, job_timeout_s=20, nice=0) as pool:
        yield pool


async def test_a_job_whose_turn_comes_too_late_never_reaches_a_worker(
    pool: LanePool, tmp_path: Path
) -> None:
    """Admitted in good faith behind a job that took far longer than such jobs do."""
    dispatcher = Dispatcher(pool, AdmissionLimits(max_waiting_count=64), Metrics())
    made: list[str] = []

    def order(name: str, job: tuple[str, Any], remaining_s: float | None, size: int = 1) -> Order:
        def make_job() -> Any:
            made.append(name)
            return job

        return Order(name, JobKind.STILL, size, make_job, remaining_s)

    def touch(name: str) -> tuple[str, str]:
        return "touch", str(tmp_path / name)

    orders = [
        order("long", ("sleep", 1.0), None),
        order("expired", touch("expired"), 0.7),
        # So large that it is expected to take 0.3 s, of which 0.2 s are left.
        order("hopeless", touch("hopeless"), 1.2, size=4 << 20),
        order("patient", touch("patient"), None),
    ]
    results = await asyncio.gather(*map(dispatcher.run, orders), return_exceptions=True)

    for late in results[1:3]:
        assert isinstance(late, OverloadedError)
        assert late.cause is OverloadCause.TURN
    assert made == ["long", "patient"]
    assert [path.name for path in tmp_path.iterdir()] == ["patient"]
    assert (dispatcher.waiting_count, dispatcher.running_count) == (0, 0)


async def test_a_cancelled_job_never_reaches_a_worker(pool: LanePool, tmp_path: Path) -> None:
    """Its caller went while it waited: the worker goes on with the next."""
    dispatcher = Dispatcher(pool, AdmissionLimits(max_waiting_count=64), Metrics())

    def run(*job: Any) -> asyncio.Task[Any]:
        order = Order("caller", JobKind.STILL, 1, lambda: job)  # type: ignore[return-value,arg-type]
        return asyncio.create_task(dispatcher.run(order))

    running = run("sleep", 0.2)
    await asyncio.sleep(0)
    gone, kept = run("touch", str(tmp_path / "gone")), run("touch", str(tmp_path / "kept"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(running, kept)
    assert gone.cancelled()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


async def test_lanes_without_a_worker_are_not_reckoned_with() -> None:
    """One of two is not replaced for now: the wait is that for the other."""
    async with LanePool(
        build_handler, worker_count=2, job_timeout_s=20, nice=0, max_losses_per_worker=1
    ) as pool:
        dispatcher = Dispatcher(pool, AdmissionLimits(max_waiting_count=64), Metrics())
        made: list[float] = []

        def order(sleep_s: float, remaining_s: float | None = None) -> Order:
            def make_job() -> Any:
                made.append(sleep_s)
                return "sleep", sleep_s

            # Expected to take 0.3 s, by its size.
            return Order("caller", JobKind.STILL, 4 << 20, make_job, remaining_s)

        running = asyncio.create_task(dispatcher.run(order(20.0)))
        await until(lambda: pool.idle_count == 1)
        while pool.lane_count == 2:
            await kill_the_idle(pool)

        with pytest.raises(OverloadedError) as refusal:
            await dispatcher.run(order(0.1, remaining_s=0.5))
        assert refusal.value.cause is OverloadCause.DEADLINE
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await dispatcher.run(order(0.2))
        assert made == [20.0]  # the other waited, and could still be cancelled
        running.cancel()
