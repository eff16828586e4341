"""The pool of worker processes, tried on real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from inference.errors import (
    JobTimeoutError,
    PoisonJobError,
    RemoteError,
    WorkerError,
    WorkerStartError,
)
from inference.lanes import LanePool
from tests.inference.handlers import FactoryOf, build_handler, build_nothing, build_once
from tests.inference.processes import is_alive, parent_of, resident_bytes


@pytest.fixture
async def pool() -> AsyncIterator[LanePool]:
    async with LanePool(build_handler, worker_count=2, job_timeout_s=20) as pool:
        yield pool


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def shared_pool() -> AsyncIterator[LanePool]:
    """Serve all tests of a class that end no worker."""
    async with LanePool(build_handler, worker_count=2, job_timeout_s=20) as pool:
        yield pool


async def until(condition: Callable[[], bool], limit_s: float = 20) -> None:
    """Wait until the condition holds; fail when it never does."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.asyncio(loop_scope="class")
class TestHandOver:
    async def test_answers_come_as_they_are_done(self, shared_pool: LanePool) -> None:
        """A short job overtakes a long one that was sent before it."""
        done: list[float] = []

        async def sleep(seconds: float) -> None:
            done.append(await shared_pool.run(("sleep", seconds)))

        await asyncio.gather(sleep(0.4), sleep(0.01), sleep(0.02))
        assert done == [0.01, 0.02, 0.4]

    @pytest.mark.parametrize("size", [0, 1, 1000, 65_535, 65_536, 70_000, 5_000_001])
    async def test_arrays_arrive_identical(self, shared_pool: LanePool, size: int) -> None:
        """An array is the same on the other side and back, inline or through the slot."""
        array = np.random.default_rng(size).integers(0, 256, size, np.uint8)
        np.testing.assert_array_equal(await shared_pool.run(("invert", array)), 255 - array)

    async def test_several_buffers_keep_their_bounds(self, shared_pool: LanePool) -> None:
        """Out-of-band buffers of odd lengths and other dtypes do not run into each other."""
        arrays = {
            "bytes": b"\1" * 100_001,
            "floats": np.linspace(0, 1, 33_333, dtype=np.float32),
            "columns": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
            "doubles": np.arange(5.0),
        }
        answer = await shared_pool.run(("echo", arrays))
        assert answer["bytes"] == arrays["bytes"]
        for name in ("floats", "columns", "doubles"):
            np.testing.assert_array_equal(answer[name], arrays[name])
            assert answer[name].dtype == arrays[name].dtype

    @pytest.mark.parametrize(("count", "size"), [(5000, 20), (300, 5000), (15, 4096), (16, 4096)])
    async def test_many_buffers_arrive_in_order(
        self, shared_pool: LanePool, count: int, size: int
    ) -> None:
        """Thousands of small arrays and hundreds of middling ones keep their places."""
        arrays = [np.full(size, number % 251, np.uint8) for number in range(count)]
        answer = await shared_pool.run(("echo", arrays))
        assert len(answer) == count
        assert all(np.array_equal(*pair) for pair in zip(answer, arrays, strict=True))

    async def test_a_large_job_leaves_nothing_for_the_next(self, shared_pool: LanePool) -> None:
        """Jobs of changing size through one slot each see only their own bytes."""
        generator = np.random.default_rng(3)
        for size in (3_000_000, 200_000, 10, 4_000_000, 100_000):
            array = generator.integers(0, 256, size, np.uint8)
            answer = await shared_pool.run(("echo", array))
            np.testing.assert_array_equal(answer, array)

    async def test_jobs_wait_in_order(self) -> None:
        """With one worker, jobs are taken first come first served."""
        order: list[int] = []

        async def echo(pool: LanePool, number: int) -> None:
            order.append(await pool.run(("echo", number)))

        async with LanePool(build_handler, worker_count=1, job_timeout_s=20) as pool:
            tasks = [asyncio.create_task(echo(pool, number)) for number in range(20)]
            await asyncio.sleep(0)
            assert (pool.idle_count, pool.waiting_count) == (0, 19)
            await asyncio.gather(*tasks)
            assert (pool.idle_count, pool.waiting_count) == (1, 0)
        assert order == list(range(20))

    async def test_an_exception_of_the_handler_crosses_as_text(self, shared_pool: LanePool) -> None:
        """The caller learns the class name and the message; the worker lives on."""
        with pytest.raises(RemoteError) as caught:
            await shared_pool.run(("raise", "no such thing"))
        assert caught.value.type_name == "KeyError"
        assert caught.value.message == "'no such thing'"
        assert shared_pool.statistics.death_count == 0

    async def test_what_cannot_be_pickled_is_the_callers_error(self, shared_pool: LanePool) -> None:
        """A job or an answer that cannot be pickled fails alone."""
        with pytest.raises((AttributeError, TypeError), match=r"pickle|local object"):
            await shared_pool.run(("echo", lambda: None))
        with pytest.raises(RemoteError, match=r"pickle|local object"):
            await shared_pool.run(("unpicklable answer", None))
        assert await shared_pool.run(("echo", 1)) == 1

    async def test_workers_are_set_up_as_promised(self, shared_pool: LanePool) -> None:
        """A worker is nice, has one thread, tuned malloc, and no socket but its own."""
        about = await shared_pool.run(("describe", None))
        assert about["niceness"] == min(os.nice(0) + 10, 19)
        assert about["session"] is None or about["session"].endswith(" nice 10\n")
        assert about["thread_count"] == 1
        assert about["malloc_arena_max"] == "2"
        assert sum(name.startswith("socket:") for name in about["open_files"]) == 1


class TestDeath:
    async def test_a_killed_worker_loses_nothing(self, pool: LanePool) -> None:
        """Every job is answered although workers are killed in the midst of them."""
        jobs = [asyncio.create_task(pool.run(("sleep", 0.05))) for _ in range(20)]
        first, second = pool.worker_pids
        await until(lambda: sum(job.done() for job in jobs) >= 3)
        os.kill(first, signal.SIGKILL)
        await until(lambda: sum(job.done() for job in jobs) >= 10)  # the one that was hit, too
        os.kill(second, signal.SIGKILL)
        assert await asyncio.gather(*jobs) == [0.05] * 20
        await until(lambda: pool.statistics.death_count == 2)
        await until(lambda: pool.idle_count == 2)

    async def test_the_job_of_a_dead_worker_is_sent_once_more(
        self, pool: LanePool, tmp_path: Path
    ) -> None:
        """A job whose worker died is answered by another."""
        pids = pool.worker_pids
        survivor = await pool.run(("die once", str(tmp_path / "died")))
        assert isinstance(survivor, int)
        assert pool.statistics.death_count == 1
        await until(lambda: pool.idle_count == 2)
        assert len(set(pids) & set(pool.worker_pids)) == 1

    async def test_a_job_that_has_ended_two_workers_is_refused(self, pool: LanePool) -> None:
        """Poison is not tried a third time, and the pool recovers."""
        with pytest.raises(PoisonJobError):
            await pool.run(("die", None))
        assert pool.statistics.death_count == 2
        assert pool.statistics.poison_count == 1
        assert await pool.run(("echo", 1)) == 1
        await until(lambda: pool.idle_count == 2)

    async def test_a_large_job_survives_its_worker(self, pool: LanePool) -> None:
        """The slot serves the next worker of the lane as it served the first."""
        array = np.random.default_rng(5).integers(0, 256, 1_000_000, np.uint8)
        await pool.run(("echo", array))
        for pid in pool.worker_pids:
            os.kill(pid, signal.SIGKILL)
        np.testing.assert_array_equal(await pool.run(("invert", array)), 255 - array)

    async def test_a_job_is_not_blamed_for_workers_that_died_idle(self, pool: LanePool) -> None:
        """Workers killed a moment before the job was sent do not make it poison."""
        for number in range(10):
            for pid in pool.worker_pids:
                os.kill(pid, signal.SIGKILL)
            assert await pool.run(("echo", number)) == number
            await until(lambda: pool.idle_count == 2)

    async def test_idle_workers_are_replaced(self, pool: LanePool) -> None:
        """Workers killed while idle come back without a job to wake them."""
        pids = pool.worker_pids
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: pool.statistics.death_count == 2)
        assert pool.lane_count == 2  # also while they start
        await until(lambda: pool.idle_count == 2)
        assert not set(pids) & set(pool.worker_pids)

    async def test_a_polite_signal_to_all_processes_ends_no_job(self, pool: LanePool) -> None:
        """SIGTERM and SIGINT, as a service manager sends them to all, are the caller's."""
        pids = [*pool.worker_pids, parent_of(pool.worker_pids[0])]
        jobs = [asyncio.create_task(pool.run(("sleep", 0.1))) for _ in range(2)]
        await until(lambda: pool.idle_count == 0)
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGINT)
        assert await asyncio.gather(*jobs) == [0.1] * 2
        assert pool.statistics.death_count == 0

    async def test_memory_of_large_jobs_is_given_back(self) -> None:
        """A worker that has been idle for a while keeps little of what its jobs took."""
        async with LanePool(build_handler, worker_count=1, job_timeout_s=20) as pool:
            (pid,) = pool.worker_pids
            await pool.run(("allocate", 200 << 20))
            assert resident_bytes(pid) > 200 << 20
            await until(lambda: resident_bytes(pid) < 100 << 20)
            assert await pool.run(("echo", 1)) == 1

    async def test_the_process_they_are_forked_from_may_die_too(self, pool: LanePool) -> None:
        """Its death harms no job, and workers killed later still come back."""
        fork_server = parent_of(pool.worker_pids[0])
        jobs = [asyncio.create_task(pool.run(("sleep", 0.02))) for _ in range(10)]
        os.kill(fork_server, signal.SIGKILL)
        assert await asyncio.gather(*jobs) == [0.02] * 10
        assert pool.statistics.death_count == 0
        os.kill(pool.worker_pids[0], signal.SIGKILL)
        await until(lambda: pool.statistics.death_count == 1 and pool.idle_count == 2)

    async def test_a_stopped_fork_server_is_replaced(self, pool: LanePool) -> None:
        """It does not answer, which its closed stream would have told; workers come back."""
        os.kill(parent_of(pool.worker_pids[0]), signal.SIGSTOP)
        for pid in pool.worker_pids:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: pool.idle_count == 0)
        assert await pool.run(("echo", 1)) == 1
        await until(lambda: pool.idle_count == 2)


@pytest.fixture
def crowded_core() -> Iterator[int]:
    """Return a core on which six others work all the time, each in a session of its own."""
    core = min(os.sched_getaffinity(0))
    endless = f"import os\nos.sched_setaffinity(0, {{{core}}})\nwhile True: pass"
    crowd = [
        subprocess.Popen([sys.executable, "-c", endless], start_new_session=True) for _ in range(6)
    ]
    yield core
    for process in crowd:
        process.kill()
        process.wait()


class TestLimits:
    @pytest.mark.skipif(sys.platform != "linux", reason="PROCESSOR TIME: only Linux tells it")
    async def test_a_busy_machine_makes_no_job_fail(self, crowded_core: int) -> None:
        """A worker that waits for a processor is not hung; its limit counts what it had."""
        async with LanePool(build_handler, worker_count=1, job_timeout_s=0.5, nice=0) as pool:
            os.sched_setaffinity(pool.worker_pids[0], {crowded_core})
            assert await pool.run(("work", 0.2)) == 0.2
            assert pool.statistics.timeout_count == 0

    async def test_a_job_past_its_limit_costs_only_its_worker(self, pool: LanePool) -> None:
        """The hung job fails as a timeout, a new worker comes, the other job is untouched."""
        other = asyncio.create_task(pool.run(("sleep", 0.5)))
        with pytest.raises(JobTimeoutError):
            await pool.run(("spin", None), timeout_s=0.2)
        assert await other == 0.5
        assert pool.statistics.timeout_count == 1
        await until(lambda: pool.idle_count == 2)

    async def test_a_stopped_worker_is_replaced(self) -> None:
        """SIGSTOP leaves the stream open; the time limit finds out."""
        async with LanePool(build_handler, worker_count=1, job_timeout_s=0.3) as pool:
            (pid,) = pool.worker_pids
            os.kill(pid, signal.SIGSTOP)
            with pytest.raises(JobTimeoutError):
                await pool.run(("echo", 1))
            assert await pool.run(("echo", 2)) == 2
            await until(lambda: not is_alive(pid))

    async def test_memory_is_capped(self) -> None:
        """An allocation beyond the limit fails in the job and harms nobody else."""
        limit = 400 << 20
        async with LanePool(
            build_handler, worker_count=1, job_timeout_s=20, memory_limit_bytes=limit
        ) as pool:
            assert await pool.run(("allocate", 50 << 20)) == 1
            with pytest.raises(RemoteError, match="MemoryError"):
                await pool.run(("allocate", 500 << 20))
            assert await pool.run(("echo", 1)) == 1
            assert pool.statistics.death_count == 0


class TestCancellation:
    async def test_a_cancelled_job_that_waits_never_runs(self, tmp_path: Path) -> None:
        """Cancelling before a worker has taken the job removes it."""
        marker = tmp_path / "ran"
        async with LanePool(build_handler, worker_count=1, job_timeout_s=20) as pool:
            running = asyncio.create_task(pool.run(("sleep", 0.1)))
            waiting = asyncio.create_task(pool.run(("touch", str(marker))))
            await until(lambda: pool.waiting_count == 1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert pool.waiting_count == 0
            await running
            await pool.run(("echo", 1))
        assert not marker.exists()

    async def test_a_cancelled_job_that_runs_is_finished_and_dropped(self) -> None:
        """The lane completes the job; its answer does not reach the next caller."""
        async with LanePool(build_handler, worker_count=1, job_timeout_s=20) as pool:
            task = asyncio.create_task(pool.run(("sleep", 0.1)))
            await until(lambda: pool.idle_count == 0)
            task.cancel()
            assert await pool.run(("echo", "mine")) == "mine"
            assert pool.statistics.restart_count == 0


class TestLife:
    async def test_the_handler_is_built_once_for_all_workers(self, tmp_path: Path) -> None:
        """A worker that is replaced starts without building anything again."""
        marker = tmp_path / "marker"
        marker.touch()
        async with LanePool(
            partial(build_once, str(marker)), worker_count=2, job_timeout_s=20
        ) as pool:
            marker.unlink()
            os.kill(pool.worker_pids[0], signal.SIGKILL)
            await until(lambda: pool.statistics.death_count == 1 and pool.idle_count == 2)
            assert pool.statistics.failed_start_count == 0

    async def test_close_ends_the_workers_and_the_jobs(self) -> None:
        """Closing fails what waits and runs, leaves no process, and may be repeated."""
        pool = LanePool(build_handler, worker_count=2, job_timeout_s=20)
        await pool.start()
        pids = [*pool.worker_pids, parent_of(pool.worker_pids[0])]
        tasks = [asyncio.create_task(pool.run(("sleep", 10))) for _ in range(5)]
        await until(lambda: pool.waiting_count == 3)
        await pool.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, WorkerError) for result in results)
        await pool.close()
        await until(lambda: not any(map(is_alive, pids)))
        with pytest.raises(WorkerError):
            await pool.run(("echo", 1))

    async def test_a_job_that_comes_before_the_workers_waits_for_them(self) -> None:
        """It is not refused while they start."""
        pool = LanePool(build_handler, worker_count=1, job_timeout_s=20)
        start = asyncio.create_task(pool.start())
        await asyncio.sleep(0)
        assert await pool.run(("echo", 1)) == 1
        await start
        await pool.close()

    async def test_a_pool_that_is_closed_while_it_starts_has_no_workers(self) -> None:
        """Who starts it is told."""
        pool = LanePool(build_handler, worker_count=2, job_timeout_s=20)
        start = asyncio.create_task(pool.start())
        await asyncio.sleep(0)
        await pool.close()
        with pytest.raises(WorkerError, match="closed"):
            await start
        assert pool.worker_pids == ()

    async def test_a_closed_pool_starts_again(self) -> None:
        """Start and close may alternate."""
        pool = LanePool(build_handler, worker_count=1, job_timeout_s=20)
        for number in range(2):
            async with pool:
                assert await pool.run(("echo", number)) == number

    async def test_no_descriptor_is_left_open(self) -> None:
        """A pool that lived through deaths and timeouts gives back what it opened."""
        before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
        async with LanePool(build_handler, worker_count=2, job_timeout_s=20) as pool:
            with pytest.raises(PoisonJobError):
                await pool.run(("die", None))
            with pytest.raises(JobTimeoutError):
                await pool.run(("spin", None), timeout_s=0.1)
        assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208

    async def test_two_hundred_deaths_leave_no_descriptor_open(self) -> None:
        """Neither here nor in the process that workers are forked from; renewals neither."""
        async with LanePool(build_handler, worker_count=4, job_timeout_s=20, nice=0) as pool:
            fork_server = parent_of(pool.worker_pids[0])
            before = open_count("self"), open_count(fork_server)
            for number in range(1, 51):
                for pid in pool.worker_pids:
                    os.kill(pid, signal.SIGKILL)
                await until(partial(has_recovered_from, pool, 4 * number))
            await until(lambda: (open_count("self"), open_count(fork_server)) == before)
            for _ in range(3):
                await pool.renew(build_handler)
            await until(lambda: open_count("self") == before[0])

    async def test_a_factory_that_fails_is_told_at_start(self) -> None:
        """The text of the failure reaches whoever starts the pool."""
        pool = LanePool(partial(build_nothing, "no model here"), worker_count=2, job_timeout_s=20)
        with pytest.raises(WorkerStartError, match="LookupError: no model here"):
            await pool.start()

    @pytest.mark.parametrize(
        ("module", "complaint"),
        [
            ("tests.inference.threaded_handlers", "RuntimeError: .* started 1 thread"),
            ("tests.inference.missing_handlers", "ModuleNotFoundError"),
        ],
    )
    async def test_a_factory_that_cannot_be_forked_is_told_at_start(
        self, module: str, complaint: str
    ) -> None:
        """Threads, or no such module: said in words, not by a hang."""
        pool = LanePool(FactoryOf(module), worker_count=1, job_timeout_s=20)
        with pytest.raises(WorkerStartError, match=complaint):
            await pool.start()

    async def test_what_lies_in_the_current_folder_passes_for_no_module(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Pictures may be judged from a folder that holds scripts of any name."""
        monkeypatch.chdir(tmp_path)
        for name in ("queue.py", "inference.py"):
            Path(name).write_text("raise RuntimeError('imported')")
        async with LanePool(build_handler, worker_count=1, job_timeout_s=20) as pool:
            assert len(pool.worker_pids) == 1

    async def test_when_no_worker_comes_up_jobs_fail_until_one_does(self, tmp_path: Path) -> None:
        """Waiting jobs are refused instead of hanging, and service returns by itself."""
        marker = tmp_path / "marker"
        marker.touch()
        async with LanePool(
            partial(build_once, str(marker)), worker_count=1, job_timeout_s=20
        ) as pool:
            marker.unlink()
            (pid,) = pool.worker_pids
            os.kill(parent_of(pid), signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
            await until(lambda: pool.idle_count == 0)
            with pytest.raises(WorkerStartError, match="the marker is gone"):
                await pool.run(("echo", 1))
            marker.touch()
            await until(lambda: pool.idle_count == 1)
            assert await pool.run(("echo", 1)) == 1

    def test_a_factory_of_the_main_module_is_refused(self) -> None:
        """Workers could not import it; that is said before anything starts."""

        def factory() -> Callable[[object], object]:
            raise NotImplementedError

        factory.__module__ = "__main__"
        with pytest.raises(ValueError, match="__main__"):
            LanePool(factory, worker_count=1, job_timeout_s=1)


def open_count(pid: int | str) -> int:
    """Return how many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208


def has_recovered_from(pool: LanePool, death_count: int) -> bool:
    """Tell whether so many workers were lost, and all are there again."""
    return pool.statistics.death_count == death_count and pool.idle_count == pool.worker_count
