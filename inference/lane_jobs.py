"""The jobs of a pool: those that wait for a worker, and what becomes of those that lost theirs."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from inference.errors import PoisonJobError, RemoteError
from inference.lane_frame import Frame, FrameKind

MAX_DEATHS_PER_JOB = 2


@dataclass(eq=False, slots=True)
class Job:
    """A job on its way through the pool.

    Attributes
    ----------
    content : object
        What the handler gets.
    timeout_s : float
        Time a worker has for it, in seconds: of processors while it runs, so that a busy
        machine makes no job fail, and at most `lane_place.MAX_STARVED_LIMITS` times that on
        the wall; on the wall while it sleeps or is stopped.
    result : asyncio.Future
        What its caller waits for.
    death_count : int
        Workers that ended while they worked on it.
    """

    content: Any
    timeout_s: float
    result: asyncio.Future[Any]
    death_count: int = 0

    def settle(self, frame: Frame) -> None:
        """Give the caller what a worker answered, unless it has gone."""
        try:
            content = frame.load()
        except Exception as error:  # of a class that does not exist here
            self.fail(error)
            return
        if frame.kind is FrameKind.ERROR:
            self.fail(RemoteError(*content))
        elif not self.result.done():
            self.result.set_result(content)

    def fail(self, error: Exception) -> None:
        """Give the caller an error, unless it has gone."""
        if not self.result.done():
            self.result.set_exception(error)


class Taker(Protocol):
    """Where a job can be handed over."""

    @property
    def is_idle(self) -> bool:
        """Whether it can be now."""
        ...

    def give(self, job: Job) -> None:
        """Take a job, or raise whatever pickling it raises."""
        ...


class WaitingJobs:
    """Jobs that no worker has taken yet, in their order."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def append(self, job: Job) -> None:
        """Put a job behind all others."""
        self._jobs.append(job)

    def remove(self, job: Job) -> None:
        """Forget a job whose caller has gone, if it is still here."""
        with contextlib.suppress(ValueError):
            self._jobs.remove(job)

    def take_back(self, job: Job) -> bool:
        """Put a job that lost its worker before all others; False for poison, which fails."""
        if job.death_count >= MAX_DEATHS_PER_JOB:
            job.fail(PoisonJobError(f"the job has ended {job.death_count} workers"))
            return False
        if not job.result.done():
            self._jobs.appendleft(job)
        return True

    def hand_over(self, takers: Iterable[Taker]) -> None:
        """Give jobs to whoever is idle, as long as there are both."""
        for taker in takers:
            while self._jobs and taker.is_idle:
                job = self._jobs.popleft()
                if job.result.done():  # cancelled a moment ago
                    continue
                try:
                    taker.give(job)
                except Exception as error:  # it cannot be pickled
                    job.fail(error)

    def fail_all(self, error: Exception) -> None:
        """Give all callers an error."""
        for job in self._jobs:
            job.fail(error)
        self._jobs.clear()
