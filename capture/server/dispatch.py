"""The queue in front of the workers.

A job is handed over only when a worker is free, so that until then it can be cancelled,
refused because its time has run out, or replaced by a newer preview.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from capture.errors import OverloadCause
from capture.jobs import Job
from capture.pool import JobRunner
from capture.server.admission import (
    AdmissionLimits,
    JobKind,
    Load,
    Margin,
    ServiceTimes,
    admit,
    overloaded,
)
from capture.server.fair_queue import FairQueue
from capture.server.metrics import Metrics
from capture.server.writing import ServedAnswer, served_by
from capture.worker_trace import TracedJob


@dataclass(frozen=True, slots=True)
class Order:
    """A job as its caller asks for it.

    Attributes
    ----------
    caller : hashable
        Whose job it is; callers are served in turn.
    kind : JobKind
        What it asks of a worker.
    byte_count : int
        Size of its picture.
    make_job : callable
        Returns the job at the moment when a worker is free: a preview may have been
        replaced by a newer one until then.
    remaining_s : float or None
        Time until the caller gives up; None when it waits for as long as it takes.
    is_counted : bool
        Whether the limit on waiting jobs applies; not for sessions, which are bounded by
        themselves.
    """

    caller: Hashable
    kind: JobKind
    byte_count: int
    make_job: Callable[[], Job | TracedJob]
    remaining_s: float | None = None
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class Served:
    """What a worker said, and how long it took to get there.

    Attributes
    ----------
    answer : ServedAnswer
        Of the worker.
    queue_s, service_s : float
        Time until a worker took the job, and from then to its answer, in seconds.
    """

    answer: ServedAnswer
    queue_s: float
    service_s: float


@dataclass(eq=False, slots=True)
class _Ticket:
    order: Order
    estimate_s: float
    expected_s: float
    admitted_at_s: float
    result: asyncio.Future[Served]
    taken_at_s: float = 0.0

    def fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)


class Dispatcher:
    """Hands jobs to free workers, in a fair order, and refuses what would come too late.

    Parameters
    ----------
    pool : JobRunner
        The workers.
    limits : AdmissionLimits
        What may wait.
    metrics : Metrics
        Where answers and their times are counted.
    """

    def __init__(self, pool: JobRunner, limits: AdmissionLimits, metrics: Metrics) -> None:
        self._pool = pool
        self._limits = limits
        self._metrics = metrics
        self._times = ServiceTimes()
        self._margins = {kind: Margin() for kind in JobKind}
        self._queue: FairQueue[_Ticket] = FairQueue()
        self._waiting_bytes = 0
        self._running: set[_Ticket] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting_count(self) -> int:
        """Jobs that wait for a worker."""
        return len(self._queue)

    @property
    def running_count(self) -> int:
        """Jobs in the hands of workers."""
        return len(self._running)

    async def run(self, order: Order) -> Served:
        """Wait for a worker, and for its answer.

        Raises
        ------
        OverloadedError
            At once, or when the job's turn comes too late.
        InferenceError
            If no worker could do it.
        asyncio.CancelledError
            If the caller has gone; a job that no worker has taken never reaches one.
        """
        ticket = self._admit(order)
        entry = self._queue.push(order.caller, ticket.estimate_s, ticket)
        self._waiting_bytes += order.byte_count
        self._hand_over()
        try:
            return await ticket.result
        finally:
            if ticket.result.cancelled():
                self._metrics.abandoned(order.kind)
            if ticket.result.cancelled() and not ticket.taken_at_s:
                self._queue.remove(entry)
                self._waiting_bytes -= order.byte_count
                # It has waited so long at least: those who give up must count as late.
                waited_s = time.monotonic() - ticket.admitted_at_s
                if waited_s > ticket.expected_s:
                    self._margins[order.kind].observe(ticket.expected_s, waited_s)

    def require_hope(self, caller: Hashable, remaining_s: float | None) -> None:
        """Return if at least the shortest of stills would be admitted.

        Raises
        ------
        OverloadedError
            If none would be, so that its picture need not even be read.
        """
        load = self._load(caller, time.monotonic())
        self._check(load, JobKind.STILL, remaining_s, own_s=self._times.least_s(JobKind.STILL))

    def _admit(self, order: Order) -> _Ticket:
        now_s = time.monotonic()
        load = self._load(order.caller, now_s)
        estimate_s = self._times.estimate_s(order.kind, order.byte_count)
        self._check(
            load,
            order.kind,
            order.remaining_s,
            own_s=estimate_s,
            byte_count=order.byte_count,
            is_counted=order.is_counted,
        )
        return _Ticket(
            order=order,
            estimate_s=estimate_s,
            expected_s=load.wait_s + estimate_s,
            admitted_at_s=now_s,
            result=asyncio.get_running_loop().create_future(),
        )

    def _check(
        self,
        load: Load,
        kind: JobKind,
        remaining_s: float | None,
        *,
        own_s: float,
        byte_count: int = 0,
        is_counted: bool = True,
    ) -> None:
        admit(
            load,
            self._limits,
            own_s=own_s,
            slack_s=self._margins[kind].slack_s,
            byte_count=byte_count,
            remaining_s=remaining_s,
            is_counted=is_counted,
        )

    def _load(self, caller: Hashable, now_s: float) -> Load:
        lane_count, busy_s = self._lane_count, self._busy_s(now_s)
        lost_s = busy_s[lane_count:]  # with their workers: they wait for another
        return Load(
            lane_busy_s=busy_s[:lane_count] + [0.0] * (lane_count - len(busy_s)),
            ahead_s=self._queue.cost_ahead_s(caller) + sum(lost_s),
            waiting_count=len(self._queue),
            waiting_bytes=self._waiting_bytes,
        )

    @property
    def _lane_count(self) -> int:
        # Where there is none the next job is the pool's to refuse: it knows why.
        return max(1, self._pool.lane_count)

    def _busy_s(self, now_s: float) -> list[float]:
        """Return what is left of each running job; an overdue one may take as long again."""
        return [
            max(ticket.estimate_s - (now_s - ticket.taken_at_s), (now_s - ticket.taken_at_s) / 2)
            for ticket in self._running
        ]

    def _hand_over(self) -> None:
        while self._queue and len(self._running) < self._lane_count:
            ticket = self._queue.pop().item
            self._waiting_bytes -= ticket.order.byte_count
            ticket.taken_at_s = time.monotonic()
            if not self._is_in_time(ticket):
                continue
            try:
                job = ticket.order.make_job()
            except Exception as error:
                ticket.fail(error)
                continue
            self._running.add(ticket)
            task = asyncio.create_task(self._run(ticket, job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _is_in_time(self, ticket: _Ticket) -> bool:
        remaining_s = ticket.order.remaining_s
        if remaining_s is None:
            return True
        left_s = ticket.admitted_at_s + remaining_s - ticket.taken_at_s
        # Work that was free to start was admitted without a look at its own time.
        waited = ticket.taken_at_s - ticket.admitted_at_s > 1e-3
        if left_s > 0 and not (waited and left_s < ticket.estimate_s):
            return True
        late = f"its turn came {1e3 * left_s:.0f} ms before its deadline"
        ticket.fail(overloaded(OverloadCause.TURN, late, 0.0))
        return False

    async def _run(self, ticket: _Ticket, job: Job | TracedJob) -> None:
        try:
            answer = await served_by(self._pool, job)
        except Exception as error:
            ticket.fail(error)
            return
        finally:
            self._running.discard(ticket)
            self._hand_over()  # the worker first: the answer can wait, its next job cannot
        order = ticket.order
        service_s = time.monotonic() - ticket.taken_at_s
        queue_s = ticket.taken_at_s - ticket.admitted_at_s
        self._times.observe(order.kind, order.byte_count, service_s)
        self._margins[order.kind].observe(ticket.expected_s, queue_s + service_s)
        self._metrics.served(order.kind, answer, queue_s, service_s, ticket.estimate_s)
        if not ticket.result.done():
            ticket.result.set_result(Served(answer, queue_s, service_s))
