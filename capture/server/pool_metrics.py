"""What is read only when somebody asks: the workers, and the jobs before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.breaker import BreakerState

if TYPE_CHECKING:
    from inference.lanes import LanePool


class Queue(Protocol):
    """The jobs of a server, on their way to the workers."""

    @property
    def waiting_count(self) -> int:
        """Jobs that wait for a worker."""
        ...

    @property
    def running_count(self) -> int:
        """Jobs in the hands of workers."""
        ...


class PoolCollector(Collector):
    """Reads the state of the workers and of the queue at the time of a scrape.

    Parameters
    ----------
    pool : LanePool
        The workers.
    queue : Queue
        The jobs before them.
    """

    def __init__(self, pool: LanePool, queue: Queue) -> None:
        self._pool = pool
        self._queue = queue

    def collect(self) -> Iterable[Metric]:
        """Return the metrics as they stand now."""
        return self._metrics()

    def _metrics(self) -> Iterator[Metric]:
        pool, statistics = self._pool, self._pool.statistics
        workers = GaugeMetricFamily(
            "smart_capture_workers",
            "Workers by state; those that are missing did not come up, or have to wait because "
            "too many were lost.",
            labels=["state"],
        )
        idle_count, busy_count = pool.idle_count, self._queue.running_count
        workers.add_metric(["idle"], idle_count)
        workers.add_metric(["busy"], busy_count)
        workers.add_metric(["starting"], max(0, pool.lane_count - idle_count - busy_count))
        workers.add_metric(["missing"], pool.worker_count - pool.lane_count)
        yield workers
        jobs = GaugeMetricFamily(
            "smart_capture_jobs", "Jobs that wait for a worker, or run in one.", labels=["state"]
        )
        jobs.add_metric(["waiting"], self._queue.waiting_count)
        jobs.add_metric(["running"], self._queue.running_count)
        yield jobs
        breaker = GaugeMetricFamily(
            "smart_capture_worker_breaker",
            "1 for the state of the breaker: closed, lost workers are replaced at once; open, "
            "too many were lost and the next one has to wait; half_open, one is tried.",
            labels=["state"],
        )
        for state in BreakerState:
            breaker.add_metric([state.value], state is pool.breaker_state)
        yield breaker
        for name, help_text, value in (
            ("worker_restarts", "Workers started in place of others.", statistics.restart_count),
            ("worker_deaths", "Workers that ended by themselves.", statistics.death_count),
            ("worker_timeouts", "Workers killed at their job's limit.", statistics.timeout_count),
            (
                "worker_failed_starts",
                "Workers that did not come up.",
                statistics.failed_start_count,
            ),
            (
                "worker_breaker_openings",
                "Times that so many workers were lost that the next one had to wait.",
                statistics.opening_count,
            ),
            (
                "poison_jobs",
                "Jobs refused because they ended two workers.",
                statistics.poison_count,
            ),
        ):
            yield CounterMetricFamily(f"smart_capture_{name}", help_text, value=value)
