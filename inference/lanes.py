"""A pool of worker processes, one job in flight each, that survives their deaths."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Self

from inference.errors import (
    JobTimeoutError,
    PoisonJobError,
    RemoteError,
    WorkerError,
    WorkerStartError,
)
from inference.fork_server import ForkServer, WorkerLimits
from inference.lane import Lane
from inference.lane_frame import Frame, FrameKind

_LOGGER = logging.getLogger(__name__)

_MAX_DEATHS_PER_JOB = 2
_MAX_FAILED_STARTS = 3
_START_TIMEOUT_S = 60.0
_FIRST_RETRY_DELAY_S = 0.1
_MAX_RETRY_DELAY_S = 5.0
_FORK_SERVER_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class LaneStatistics:
    """What has happened to the workers of a pool since its start.

    Attributes
    ----------
    restart_count : int
        Workers started in place of others.
    death_count : int
        Workers that ended by themselves or by another's hand.
    timeout_count : int
        Workers killed because their job ran past its limit.
    poison_count : int
        Jobs refused because they had ended two workers.
    failed_start_count : int
        Workers that did not come up.
    """

    restart_count: int = 0
    death_count: int = 0
    timeout_count: int = 0
    poison_count: int = 0
    failed_start_count: int = 0


@dataclass(eq=False, slots=True)
class _Job:
    content: Any
    timeout_s: float
    result: asyncio.Future[Any]
    death_count: int = 0

    def succeed(self, answer: Any) -> None:
        if not self.result.done():  # else its caller has gone
            self.result.set_result(answer)

    def fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)


class _Place:
    """A place in the pool: a lane whose workers come and go, and the job it holds."""

    def __init__(self, pool: LanePool) -> None:
        self.lane = Lane(partial(pool._on_frame, self), partial(pool._on_end, self))
        self.is_ready = False
        self.job: _Job | None = None
        self.failed_start_count = 0
        self.timer: asyncio.TimerHandle | None = None

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def release(self) -> _Job | None:
        """Take the job away, its time limit with it."""
        self.stop_timer()
        job, self.job = self.job, None
        return job


class LanePool:
    """Runs jobs in worker processes.

    Each worker holds one job at a time; the others wait in order. When a worker dies its
    job is sent once more, to any worker, ahead of those that wait; a job that has ended
    two workers is refused. A worker whose job runs past its limit is killed. In each case
    another worker takes the place at once, while the other lanes go on.

    Parameters
    ----------
    factory : callable
        Called once in each worker; returns the handler, which maps a job to its answer.
        A module-level function, or a ``functools.partial`` of one, not in ``__main__``.
        What its module imports must start no threads.
    worker_count : int
        Worker processes, at least 1.
    job_timeout_s : float
        Time a worker has for one job, in seconds, unless `run` says otherwise.
    memory_limit_bytes : int or None
        Private writable memory of one worker; None for no limit. Beyond it allocations
        fail, and the job with them.
    nice : int
        Added to the niceness of the workers.

    Notes
    -----
    Jobs and answers are pickled (protocol 5, buffers out of band). Arrays arrive
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
    ) -> None:
        if worker_count < 1:
            raise ValueError(f"worker_count must be at least 1, got {worker_count}")
        if not job_timeout_s > 0:
            raise ValueError(f"job_timeout_s must be above 0, got {job_timeout_s}")
        function = factory.func if isinstance(factory, partial) else factory
        if function.__module__ == "__main__":
            raise ValueError("factory must be importable by workers, not defined in __main__")
        self._job_timeout_s = job_timeout_s
        self._fork_server = ForkServer(
            factory, WorkerLimits(nice, memory_limit_bytes), self._on_fork_server_end
        )
        self._places = [_Place(self) for _ in range(worker_count)]
        self._waiting: deque[_Job] = deque()
        self._statistics = LaneStatistics()
        self._started: asyncio.Future[None] | None = None
        self._start_failure = "the worker ended while it started"

    @property
    def worker_count(self) -> int:
        """Workers there should be."""
        return len(self._places)

    @property
    def idle_count(self) -> int:
        """Workers that are ready and hold no job."""
        return sum(place.is_ready and place.job is None for place in self._places)

    @property
    def waiting_count(self) -> int:
        """Jobs that no worker has taken yet."""
        return len(self._waiting)

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process ids of the workers that exist."""
        return tuple(place.lane.pid for place in self._places if place.lane.pid is not None)

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
        self._fork_server.start()
        for place in self._places:
            self._fill(place)
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
        for place in self._places:
            job = place.release()
            if job is not None:
                self._waiting.append(job)
            place.lane.close()
            place.is_ready = False
            place.failed_start_count = 0
        for job in self._waiting:
            job.fail(WorkerError("the pool was closed"))
        self._waiting.clear()
        self._fork_server.kill()

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
        WorkerError
            The pool is not running, or was closed meanwhile.

        Notes
        -----
        Cancelled before a worker has taken it, the job never runs. Cancelled later, it is
        finished and its answer dropped.
        """
        if self._started is None:
            raise WorkerError("the pool is not running")
        if self._is_broken():
            raise WorkerStartError(self._start_failure)
        limit_s = self._job_timeout_s if timeout_s is None else timeout_s
        entry = _Job(job, limit_s, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        self._dispatch()
        try:
            return await entry.result
        finally:
            if entry.result.cancelled():
                with contextlib.suppress(ValueError):
                    self._waiting.remove(entry)

    def _dispatch(self) -> None:
        for place in self._places:
            while self._waiting and place.is_ready and place.job is None:
                job = self._waiting.popleft()
                try:
                    place.lane.send(job.content)
                except Exception as error:  # it cannot be pickled
                    job.fail(error)
                    continue
                place.job = job
                place.timer = asyncio.get_running_loop().call_later(
                    job.timeout_s, self._on_job_timeout, place
                )

    def _resend(self, job: _Job) -> None:
        if job.death_count >= _MAX_DEATHS_PER_JOB:
            self._count(poison_count=1)
            job.fail(PoisonJobError(f"the job has ended {job.death_count} workers"))
        elif not job.result.done():
            self._waiting.appendleft(job)
            self._dispatch()

    # ---- what the lanes report

    def _on_frame(self, place: _Place, frame: Frame) -> None:
        if frame.kind is FrameKind.READY:
            self._on_ready(place)
        elif frame.kind is FrameKind.FAILED:
            self._start_failure = "{}: {}".format(*frame.load())
        elif (job := place.release()) is not None:
            try:
                content = frame.load()
            except Exception as error:  # its class does not exist here
                job.fail(error)
            else:
                if frame.kind is FrameKind.ERROR:
                    job.fail(RemoteError(*content))
                else:
                    job.succeed(content)
        self._dispatch()

    def _on_ready(self, place: _Place) -> None:
        place.stop_timer()
        place.is_ready = True
        place.failed_start_count = 0
        all_ready = all(other.is_ready for other in self._places)
        if all_ready and self._started is not None and not self._started.done():
            self._started.set_result(None)

    def _on_end(self, place: _Place, had_begun: bool) -> None:
        if not place.is_ready:
            self._on_failed_start(place)
            return
        self._count(death_count=1)
        job = place.release()
        _LOGGER.warning("a worker ended%s", "" if job is None else " with a job in hand")
        self._refill(place)
        if job is not None:
            job.death_count += had_begun
            self._resend(job)

    def _on_job_timeout(self, place: _Place) -> None:
        self._count(timeout_count=1)
        place.lane.kill()
        job = place.release()
        self._refill(place)
        if job is not None:
            _LOGGER.warning("a worker was killed: its job ran past %g s", job.timeout_s)
            job.fail(JobTimeoutError(f"the job ran past its limit of {job.timeout_s:g} s"))

    # ---- starting workers

    def _fill(self, place: _Place) -> None:
        place.is_ready = False
        try:
            place.lane.connect(self._fork_server)
        except ConnectionError:
            self._fork_server.start()
            place.lane.connect(self._fork_server)
        place.timer = asyncio.get_running_loop().call_later(
            _START_TIMEOUT_S, self._on_start_timeout, place
        )

    def _refill(self, place: _Place) -> None:
        self._count(restart_count=1)
        place.is_ready = False
        repeat_count = place.failed_start_count - 1
        if repeat_count < 1:
            self._fill(place)
        else:
            delay_s = min(_FIRST_RETRY_DELAY_S * 2.0**repeat_count, _MAX_RETRY_DELAY_S)
            place.timer = asyncio.get_running_loop().call_later(delay_s, self._fill, place)

    def _on_start_timeout(self, place: _Place) -> None:
        self._start_failure = f"a worker was not ready within {_START_TIMEOUT_S:g} s"
        if place.lane.pid is None:
            self._fork_server.kill()  # it does not even fork
        place.lane.kill()
        self._on_failed_start(place)

    def _on_failed_start(self, place: _Place) -> None:
        place.stop_timer()
        place.failed_start_count += 1
        self._count(failed_start_count=1)
        self._start_failure = self._fork_server.failure() or self._start_failure
        _LOGGER.warning("a worker did not come up: %s", self._start_failure)
        if place.failed_start_count >= _MAX_FAILED_STARTS:
            if self._started is not None and not self._started.done():
                self._started.set_exception(WorkerStartError(self._start_failure))
                return
            if self._is_broken():
                for job in self._waiting:
                    job.fail(WorkerStartError(self._start_failure))
                self._waiting.clear()
        self._refill(place)

    def _on_fork_server_end(self) -> None:
        # The workers go on without it. A new one is started ahead of need, unless this one
        # said why it could not serve: then only a missing worker makes another try.
        if self._fork_server.failure() is None:
            asyncio.get_running_loop().call_later(_FORK_SERVER_RETRY_S, self._replace_fork_server)

    def _replace_fork_server(self) -> None:
        if self._started is not None and not self._fork_server.is_running:
            self._fork_server.start()

    def _is_broken(self) -> bool:
        return all(place.failed_start_count >= _MAX_FAILED_STARTS for place in self._places)

    def _count(self, **increments: int) -> None:
        counts = {name: getattr(self._statistics, name) + n for name, n in increments.items()}
        self._statistics = replace(self._statistics, **counts)
