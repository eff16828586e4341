"""A pool of worker processes, one job in flight each, that survives their deaths."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from inference.breaker import Breaker, BreakerState
from inference.errors import WorkerError, WorkersLostError, WorkerStartError
from inference.fork_server import ForkServer, WorkerLimits
from inference.lane_frame import Frame
from inference.lane_jobs import Job, WaitingJobs
from inference.lane_place import MAX_FAILED_STARTS, Place, PlaceEvents
from inference.lane_renewal import abandon, places_beside
from inference.lane_respawn import Respawn
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
        self._job_timeout_s = job_timeout_s
        self._limits = WorkerLimits(nice, memory_limit_bytes)
        self._fork_server = self._fork_server_of(factory)
        self._events = PlaceEvents(
            on_ready=self._on_ready,
            on_answer=self._on_answer,
            on_death=self._on_death,
            on_timeout=self._on_timeout,
            on_failed_start=self._on_failed_start,
        )
        self._places = [Place(self._fork_server, self._events) for _ in range(worker_count)]
        self._retired: list[Place] = []
        self._waiting = WaitingJobs()
        max_losses = math.inf if max_losses_per_worker is None else max_losses_per_worker
        self._respawn = Respawn(Breaker(max_losses * worker_count), self._refill)
        self._statistics = LaneStatistics()
        self._started: asyncio.Future[None] | None = None

    @property
    def worker_count(self) -> int:
        """Workers there should be."""
        return len(self._places)

    @property
    def idle_count(self) -> int:
        """Workers that are ready and hold no job."""
        return sum(place.is_idle for place in self._places)

    @property
    def waiting_count(self) -> int:
        """Jobs that no worker has taken yet."""
        return len(self._waiting)

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the workers that exist."""
        return tuple(place.pid for place in self._places if place.pid is not None)

    @property
    def breaker_state(self) -> BreakerState:
        """Whether workers that are lost are replaced at once."""
        return self._respawn.state

    @property
    def refusal(self) -> WorkerError | None:
        """Why no job can be taken now; None while a worker is there, or comes."""
        if any(self._is_hopeful(place) for place in self._places):
            return None
        for place in self._places:
            if place.failed_start_count >= MAX_FAILED_STARTS:
                return WorkerStartError(place.start_failure)
        return WorkersLostError(self._respawn.retry_after_s)

    @property
    def statistics(self) -> LaneStatistics:
        """What has happened to the workers since the start."""
        return self._statistics

    # ---- life

    async def start(self) -> None:
        """Start the workers and wait until all are ready.

        Raises
        ------
        WorkerStartError
            A worker did not come up, several times in a row.
        """
        if self._started is not None:
            raise WorkerError("the pool is started already")
        self._started = asyncio.get_running_loop().create_future()
        self._statistics = LaneStatistics()
        for place in self._places:
            place.fill()
        try:
            await self._started
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """End the workers; what still waits or runs fails with `WorkerError`."""
        if self._started is None:
            return
        self._started.cancel()
        self._started = None
        self._respawn.stop()
        for place in (*self._places, *self._retired):
            if (job := place.close()) is not None:
                self._waiting.append(job)
        self._retired.clear()
        self._waiting.fail_all(WorkerError("the pool was closed"))
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
        places = await places_beside(self._places, fork_server, self._events)
        try:
            self._require_running()  # still
        except WorkerError:
            abandon(places, fork_server)
            raise
        self._fork_server.kill()  # its workers go on
        self._retired = [place for place in (*self._retired, *self._places) if place.is_busy]
        retired, self._places, self._fork_server = self._places, places, fork_server
        for place in retired:
            place.retire()
        self._respawn.reset()
        self._dispatch()

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
        if (refusal := self.refusal) is not None:
            raise refusal
        limit_s = self._job_timeout_s if timeout_s is None else timeout_s
        entry = Job(job, limit_s, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        self._dispatch()
        try:
            return await entry.result
        finally:
            if entry.result.cancelled():
                self._waiting.remove(entry)

    def _dispatch(self) -> None:
        self._waiting.hand_over(self._places)

    def _fork_server_of(self, factory: Callable[[], Callable[[Any], Any]]) -> ForkServer:
        function = factory.func if isinstance(factory, partial) else factory
        if function.__module__ == "__main__":
            raise ValueError("factory must be importable by workers, not defined in __main__")
        return ForkServer(factory, self._limits)

    def _require_running(self) -> None:
        if self._started is None:
            raise WorkerError("the pool is not running")

    def _is_hopeful(self, place: Place) -> bool:
        return place.failed_start_count < MAX_FAILED_STARTS and not self._respawn.withholds(place)

    # ---- what happens at the places

    def _on_ready(self) -> None:
        self._respawn.observe_start()
        all_ready = all(place.is_ready for place in self._places)
        if all_ready and self._started is not None and not self._started.done():
            self._started.set_result(None)
        self._dispatch()

    def _on_answer(self, job: Job, frame: Frame) -> None:
        job.settle(frame)
        self._dispatch()

    def _on_death(self, place: Place, job: Job | None) -> None:
        self._count(death_count=1)
        self._replace(place)
        if job is not None and not self._waiting.take_back(job):
            self._count(poison_count=1)
        self._dispatch_or_refuse()

    def _on_timeout(self, place: Place) -> None:
        self._count(timeout_count=1)
        self._replace(place)
        self._dispatch_or_refuse()

    def _replace(self, place: Place) -> None:
        if self._respawn.replace(place):
            self._count(opening_count=1)

    def _refill(self, place: Place) -> None:
        if not place.is_retired:
            self._count(restart_count=1)
        place.fill()

    def _on_failed_start(self, place: Place) -> None:
        self._count(failed_start_count=1)
        if self._started is None or self._started.done():
            self._dispatch_or_refuse()
        elif place.failed_start_count >= MAX_FAILED_STARTS:
            self._started.set_exception(WorkerStartError(place.start_failure))

    def _dispatch_or_refuse(self) -> None:
        if (refusal := self.refusal) is None:
            self._dispatch()
        else:
            self._waiting.fail_all(refusal)

    def _count(self, **increments: int) -> None:
        self._statistics = self._statistics.plus(**increments)
