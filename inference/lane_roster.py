"""The places of a pool and the jobs for them: who is there, who is replaced, who works next."""

from __future__ import annotations

from collections.abc import Sequence

from inference.breaker import Breaker, BreakerState
from inference.errors import WorkerError, WorkersLostError, WorkerStartError
from inference.lane_frame import Frame
from inference.lane_jobs import Job, WaitingJobs
from inference.lane_place import MAX_FAILED_STARTS, Place, PlaceEvents
from inference.lane_respawn import Respawn
from inference.lane_statistics import LaneStatistics


class Roster:
    """Gives jobs to the workers at its places, and has lost workers replaced.

    Parameters
    ----------
    breaker : Breaker
        How many may be lost, and how long to wait when there were more.

    Notes
    -----
    It has no places until some `take_over`; jobs wait for them.
    """

    def __init__(self, breaker: Breaker) -> None:
        self.events = PlaceEvents(
            on_ready=self._on_ready,
            on_answer=self._on_answer,
            on_death=self._on_death,
            on_timeout=self._on_timeout,
            on_failed_start=self._on_failed_start,
        )
        """What the places that are to take over have to tell."""
        self._places: tuple[Place, ...] = ()
        self._retired: list[Place] = []
        self._waiting = WaitingJobs()
        self._respawn = Respawn(breaker, self._refill)
        self._statistics = LaneStatistics()

    @property
    def lane_count(self) -> int:
        """Workers that are there, or come at once."""
        return sum(map(self._is_hopeful, self._places))

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
    def statistics(self) -> LaneStatistics:
        """What has happened to the workers."""
        return self._statistics

    @property
    def refusal(self) -> WorkerError | None:
        """Why no job can be taken now; None while a worker is there, or comes."""
        if not self._places or any(map(self._is_hopeful, self._places)):
            return None
        for place in self._places:
            if place.failed_start_count >= MAX_FAILED_STARTS:
                return WorkerStartError(place.start_failure)
        return WorkersLostError(self._respawn.retry_after_s)

    def _is_hopeful(self, place: Place) -> bool:
        return place.failed_start_count < MAX_FAILED_STARTS and not self._respawn.withholds(place)

    # ---- what the pool decides

    def add(self, job: Job) -> None:
        """Give a job to an idle worker, or to the first that will be.

        Raises
        ------
        WorkerError
            No worker is there, and none comes.
        """
        if (refusal := self.refusal) is not None:
            raise refusal
        self._waiting.append(job)
        self._dispatch()

    def remove(self, job: Job) -> None:
        """Forget a job whose caller has gone, unless a worker has it."""
        self._waiting.remove(job)

    def take_over(self, places: Sequence[Place]) -> None:
        """Let these places do what is to be done from now on.

        Those before finish what their workers have in hand, and are given up.
        """
        retired = [place for place in (*self._retired, *self._places) if place.is_busy]
        before, self._places, self._retired = self._places, tuple(places), retired
        for place in before:
            place.retire()
        self._respawn.reset()
        self._dispatch()

    def close(self, reason: WorkerError) -> None:
        """End the workers; what still waits or runs fails with `reason`."""
        self._respawn.stop()
        for place in (*self._places, *self._retired):
            if (job := place.close()) is not None:
                job.fail(reason)
        self._retired.clear()
        self._waiting.fail_all(reason)

    # ---- what happens at the places

    def _on_ready(self) -> None:
        self._respawn.observe_start()
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

    def _on_failed_start(self, _place: Place) -> None:
        self._count(failed_start_count=1)
        self._dispatch_or_refuse()

    def _replace(self, place: Place) -> None:
        if self._respawn.replace(place):
            self._count(opening_count=1)

    def _refill(self, place: Place) -> None:
        if not place.is_retired:
            self._count(restart_count=1)
        place.fill()

    def _dispatch_or_refuse(self) -> None:
        if (refusal := self.refusal) is None:
            self._dispatch()
        else:
            self._waiting.fail_all(refusal)

    def _dispatch(self) -> None:
        self._waiting.hand_over(self._places)

    def _count(self, **increments: int) -> None:
        self._statistics = self._statistics.plus(**increments)
