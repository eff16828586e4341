"""A place in the pool: kept filled with a worker, whatever happens to the workers."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from inference.errors import JobTimeoutError
from inference.fork_server import ForkServer
from inference.lane import Lane
from inference.lane_frame import Frame, FrameKind
from inference.lane_jobs import Job
from inference.worker_clock import cpu_time_s, is_runnable

_LOGGER = logging.getLogger(__name__)

MAX_FAILED_STARTS = 3
"""After so many in a row a place counts as broken; it is still tried, ever more seldom."""

MAX_STARVED_LIMITS = 6
"""Limits of a job that may pass on the wall while its worker waits for a processor."""

_FIRST_BIRTH_TIMEOUT_S = 60.0  # the fork server builds the handler first, maybe from a cold disk
_BIRTH_TIMEOUT_S = 5.0
_START_TIMEOUT_S = 20.0
_FIRST_RETRY_DELAY_S = 0.2
_MAX_RETRY_DELAY_S = 5.0
_LEAST_EXTENSION_S = 0.05


@dataclass(frozen=True, slots=True)
class PlaceEvents:
    """What a place tells the pool, in the event loop.

    Attributes
    ----------
    on_ready : callable
        A worker is ready for its first job.
    on_answer : callable
        A worker has answered this job, and is ready for the next.
    on_death : callable
        A worker ended by itself, and the place is empty until it is filled; the job the worker
        had, if any, is not answered.
    on_timeout : callable
        A worker was killed for its job, which has failed; the place is empty likewise.
    on_failed_start : callable
        A worker did not come up at this place; the next try is arranged.
    """

    on_ready: Callable[[], None]
    on_answer: Callable[[Job, Frame], None]
    on_death: Callable[[Place, Job | None], None]
    on_timeout: Callable[[Place], None]
    on_failed_start: Callable[[Place], None]


class Place:
    """Has one worker there: starts it, and notices its end.

    Parameters
    ----------
    fork_server : ForkServer
        Where workers come from; started here when it is missed.
    events : PlaceEvents
        What the pool does when something happens.
    """

    def __init__(self, fork_server: ForkServer, events: PlaceEvents) -> None:
        self._fork_server = fork_server
        self._events = events
        self._lane = Lane(self._on_frame, self._on_end)
        self._job: Job | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_ready = False
        self._is_retired = False
        self._begun_s = 0.0
        self._cpu_time_before_s: float | None = None
        self.failed_start_count = 0
        """Workers in a row that did not come up."""
        self.start_failure = "the worker ended while it started"
        """Why the last one did not."""

    @property
    def is_idle(self) -> bool:
        """Whether a worker is ready and holds no job."""
        return self._is_ready and self._job is None

    @property
    def is_busy(self) -> bool:
        """Whether a worker holds a job."""
        return self._job is not None

    @property
    def is_retired(self) -> bool:
        """Whether no other worker will be there."""
        return self._is_retired

    @property
    def pid(self) -> int | None:
        """Process id of the worker, if there is one."""
        return self._lane.pid

    def give(self, job: Job) -> None:
        """Hand a job to the idle worker.

        Raises
        ------
        Exception
            Whatever pickling the job raises; the worker is still idle then.
        """
        self._lane.send(job.content)
        self._job = job
        self._begun_s = time.monotonic()
        self._cpu_time_before_s = None if self.pid is None else cpu_time_s(self.pid)
        self._set_timer(job.timeout_s, self._on_job_timeout)

    def fill(self) -> None:
        """Ask for a worker, unless the place is retired."""
        self._is_ready = False
        if self._is_retired:
            self._lane.close()
            return
        try:
            if not self._fork_server.is_running:
                self._fork_server.start()
            self._lane.connect(self._fork_server)
        except OSError as error:
            self._fork_server.kill()
            self._fail_start(f"no worker could be forked: {error.strerror}")
        else:
            self._set_timer(self._birth_timeout_s(), self._on_birth_timeout)

    def retire(self) -> None:
        """End the worker as soon as it holds no job, and start no other."""
        self._is_retired = True
        if not self.is_busy:
            self.close()

    def close(self) -> Job | None:
        """End the worker and return the job it had."""
        job = self._release()
        self._lane.close()
        self._is_ready = False
        self.failed_start_count = 0
        return job

    # ---- what the lane and the clock report

    def _on_frame(self, frame: Frame) -> None:
        if frame.kind is FrameKind.READY:
            self._stop_timer()
            self._is_ready = True
            self._fork_server.has_forked = True
            self.failed_start_count = 0
            self._events.on_ready()
        elif (job := self._release()) is not None:
            self._events.on_answer(job, frame)
            if self._is_retired:
                self.close()

    def _on_end(self, pid: int | None, had_begun: bool) -> None:
        if not self._is_ready:
            self._fail_start(self._fork_server.failure())
            return
        job = self._release()
        # How it ended is told by who reaped it, a moment later.
        _LOGGER.warning("worker %s ended%s", pid, "" if job is None else " with a job in hand")
        if job is not None:
            job.death_count += had_begun
        self._is_ready = False
        self._events.on_death(self, job)

    def _on_job_timeout(self) -> None:
        assert self._job is not None
        if extension_s := self._extension_s(self._job):
            self._set_timer(extension_s, self._on_job_timeout)
            return
        pid = self.pid
        self._lane.kill()
        job = self._release()
        assert job is not None
        _LOGGER.warning("worker %s is killed: its job ran past %g s", pid, job.timeout_s)
        job.fail(JobTimeoutError(f"the job ran past its limit of {job.timeout_s:g} s"))
        self._is_ready = False
        self._events.on_timeout(self)

    def _extension_s(self, job: Job) -> float:
        """Return how much longer a worker may take that had too little of the processors."""
        # Continued after a stop, the loop looks at its timers before its sockets.
        if self._lane.has_news:
            return _LEAST_EXTENSION_S
        before_s, pid = self._cpu_time_before_s, self.pid
        if pid is None or before_s is None or not is_runnable(pid):
            return 0.0
        left_s = job.timeout_s - ((cpu_time_s(pid) or math.inf) - before_s)
        waited_s = time.monotonic() - self._begun_s
        if left_s <= 0 or waited_s >= MAX_STARVED_LIMITS * job.timeout_s:
            return 0.0
        return max(left_s, _LEAST_EXTENSION_S)

    def _birth_timeout_s(self) -> float:
        return _BIRTH_TIMEOUT_S if self._fork_server.has_forked else _FIRST_BIRTH_TIMEOUT_S

    def _on_birth_timeout(self) -> None:
        if self._lane.pid is None:  # the fork server hangs, or is stopped
            reason = f"no worker was forked within {self._birth_timeout_s():g} s"
            self._fork_server.kill()
            self._lane.kill()
            self._fail_start(reason)
        else:
            self._set_timer(_START_TIMEOUT_S, self._on_start_timeout)

    def _on_start_timeout(self) -> None:
        self._lane.kill()
        self._fail_start(f"the worker was not ready within {_START_TIMEOUT_S:g} s")

    def _fail_start(self, reason: str | None) -> None:
        self.start_failure = reason or self.start_failure
        self.failed_start_count += 1
        _LOGGER.warning("a worker did not come up: %s", self.start_failure)
        # At once the first time, as when the fork server was killed; then less and less often.
        wait_s = _FIRST_RETRY_DELAY_S * 2.0 ** (self.failed_start_count - 2)
        is_first = self.failed_start_count == 1
        self._set_timer(0 if is_first else min(wait_s, _MAX_RETRY_DELAY_S), self.fill)
        self._events.on_failed_start(self)

    # ---- one timer: a place waits for one thing at a time

    def _set_timer(self, delay_s: float, callback: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(delay_s, callback)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _release(self) -> Job | None:
        self._stop_timer()
        job, self._job = self._job, None
        return job
