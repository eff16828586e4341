"""A pool of worker processes, one job in flight each, that survives their deaths."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from inference.breaker import Breaker, BreakerState
from inference.errors import WorkerError
from inference.fork_server import ForkServer, WorkerLimits
from inference.lane_filling import abandon, filled_places
from inference.lane_jobs import Job
from inference.lane_roster import Roster
from inference.lane_statistics import LaneStatistics


class LanePool:
    """Runs jobs in worker processes.

    Each worker holds one job at a time; the others wait in order. When a worker dies its
    job is sent once more, to any worker, ahead of those that wait; a job that has ended
    two workers is refused, whoever killed them: a crash, the kernel for want of memory and a
    SIGKILL by hand look alike from here. A worker whose job runs past its limit is killed. In
    each case another worker takes the place at once, while the other lanes go on; unless too
    many were lost within a few seconds, when they come one by one, after longer and longer
    waits, until no more are lost.

    Parameters
    ----------
    factory : callable
        Called once, in the process that workers are forked from; returns the handler, which
        maps a job to its answer. A module-level function, or a ``functools.partial`` of one,
        not in ``__main__``. Neither it nor what its module imports may start threads.
    worker_count : int
        Worker processes, at least 1.
    job_timeout_s : float
        Time a worker has for one job, in seconds, unless `run` says otherwise: of processors
        while it runs, so that a busy machine makes no job fail.
    memory_limit_bytes : int or None
        Private writable memory of one worker; None for no limit. Beyond it allocations
        fail, and the job with them.
    nice : int
        Added to the niceness of the workers.
    max_losses_per_worker : int or None
        Workers that may be lost within ten seconds, for each there should be, before the next
        ones have to wait, and jobs are refused while none is there; None for no limit.

    Notes
    -----
    Jobs and answers are pickled (protocol 5, buffers out of band). Large arrays arrive
    read-only, and those of a job are valid only until its answer is returned.
    A pool belongs to the event loop that started it. Nothing here blocks that loop, beyond
    the copy of a job's bytes.
    """

    def __init__(
        self,
        factory: Callable[[], Callable[[Any], Any]],
        *,
        worker_count: int,
        job_timeout_s: float,
        memory_limit_bytes: int | None = None,
        nice: int = 10,
        max_losses_per_worker: int | None = None,
    ) -> None:
        if worker_count < 1:
            raise ValueError(f"worker_count must be at least 1, got {worker_count}")
        if not job_timeout_s > 0:
            raise ValueError(f"job_timeout_s must be above 0, got {job_timeout_s}")
        self._worker_count = worker_count
        self._job_timeout_s = job_timeout_s
        self._limits = WorkerLimits(nice, memory_limit_bytes)
        self._max_losses_per_worker = max_losses_per_worker
        self._fork_server = self._fork_server_of(factory)
        self._roster = self._new_roster()
        self._is_running = False

    @property
    def worker_count(self) -> int:
        """Workers there should be."""
        return self._worker_count

    @property
    def lane_count(self) -> int:
        """Workers that are there, or come at once: not those that have to wait for it."""
        return self._roster.lane_count

    @property
    def idle_count(self) -> int:
        """Workers that are ready and hold no job."""
        return self._roster.idle_count

    @property
    def waiting_count(self) -> int:
        """Jobs that no worker has taken yet."""
        return self._roster.waiting_count

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the workers that exist."""
        return self._roster.worker_pids

    @property
    def breaker_state(self) -> BreakerState:
        """Whether workers that are lost are replaced at once."""
        return self._roster.breaker_state

    @property
    def refusal(self) -> WorkerError | None:
        """Why no job can be taken now; None while a worker is there, or comes."""
        return self._roster.refusal

    @property
    def statistics(self) -> LaneStatistics:
        """What has happened to the workers since the start."""
        return self._roster.statistics

    # ---- life

    async def start(self) -> None:
        """Start the workers and wait until all are ready.

        Raises
        ------
        WorkerStartError
            A worker did not come up, several times in a row.
        """
        if self._is_running:
            raise WorkerError("the pool is started already")
        self._is_running = True
        self._roster = self._new_roster()
        try:
            await self._take_workers_of(self._fork_server)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the workers; what still waits or runs fails with `WorkerError`."""
        self._is_running = False
        self._roster.close(WorkerError("the pool was closed"))
        self._fork_server.kill()

    async def renew(self, factory: Callable[[], Callable[[Any], Any]]) -> None:
        """Let workers of another factory do what is to be done from now on.

        They come up beside those that are there, one by one; until then nothing changes.
        Then all jobs that wait, and all that come, go to them. What is in hand is finished
        by the worker that holds it.

        Parameters
        ----------
        factory : callable
            As for the pool.

        Raises
        ------
        WorkerStartError
            A worker did not come up, several times in a row; those before stay.
        WorkerError
            The pool is not running.

        Notes
        -----
        For a while the memory of twice as many workers is needed. A job that was lost with
        a worker of before is sent to one of these.
        """
        self._require_running()
        fork_server = self._fork_server_of(factory)
        await self._take_workers_of(fork_server)
        self._fork_server.kill()  # its workers go on
        self._fork_server = fork_server

    async def _take_workers_of(self, fork_server: ForkServer) -> None:
        places = await filled_places(self._worker_count, fork_server, self._roster.events)
        if not self._is_running:  # any more
            abandon(places, fork_server)
            raise WorkerError("the pool was closed")
        self._roster.take_over(places)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.close()

    # ---- work

    async def run(self, job: object, *, timeout_s: float | None = None) -> Any:
        """Run one job in a worker and return its answer.

        Parameters
        ----------
        job : object
            Anything that can be pickled.
        timeout_s : float or None
            Time the worker has, in seconds, not counting the wait for it; None for the
            pool's own.

        Raises
        ------
        RemoteError
            The handler raised; type name and text are those of its exception.
        JobTimeoutError
            The job ran past its limit; its worker was killed.
        PoisonJobError
            The job has ended two workers.
        WorkerStartError
            No worker is up and none comes up.
        WorkersLostError
            No worker is up, since too many were lost; says when the next one is tried.
        WorkerError
            The pool is not running, or was closed meanwhile.

        Notes
        -----
        Cancelled before a worker has taken it, the job never runs. Cancelled later, it is
        finished and its answer dropped.
        """
        self._require_running()
        limit_s = self._job_timeout_s if timeout_s is None else timeout_s
        entry = Job(job, limit_s, asyncio.get_running_loop().create_future())
        self._roster.add(entry)
        try:
            return await entry.result
        finally:
            if entry.result.cancelled():
                self._roster.remove(entry)

    def _require_running(self) -> None:
        if not self._is_running:
            raise WorkerError("the pool is not running")

    def _fork_server_of(self, factory: Callable[[], Callable[[Any], Any]]) -> ForkServer:
        function = factory.func if isinstance(factory, partial) else factory
        if function.__module__ == "__main__":
            raise ValueError("factory must be importable by workers, not defined in __main__")
        return ForkServer(factory, self._limits)

    def _new_roster(self) -> Roster:
        per_worker = self._max_losses_per_worker
        max_losses = math.inf if per_worker is None else per_worker * self._worker_count
        return Roster(Breaker(max_losses))
