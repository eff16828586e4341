"""What Prometheus is told: latencies by stage and verdict, refusals, sessions, workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from capture.assessment import Assessment
from capture.server.admission import JobKind
from capture.worker import Answer, Unjudged

if TYPE_CHECKING:
    from inference.lanes import LanePool

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

_STAGES = ("queue", "service", "decode", "measure", "classify")


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answers = Counter(
            "smart_capture_answers",
            "Jobs that a worker answered, by kind and outcome.",
            ["kind", "outcome"],
            registry=self.registry,
        )
        stages = Histogram(
            "smart_capture_stage_seconds",
            "Time in each stage: queue, service (hand-over to answer), decode, measure, classify.",
            ["kind", "stage"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        # Looked up once: a label costs more than the observation.
        self._stages = {
            kind: {stage: stages.labels(kind, stage) for stage in _STAGES} for kind in JobKind
        }
        ratios = Histogram(
            "smart_capture_service_ratio",
            "Observed service time over the expected one, by kind.",
            ["kind"],
            buckets=(0.25, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2, 4),
            registry=self.registry,
        )
        self._ratios = {kind: ratios.labels(kind) for kind in JobKind}
        self._tiers = Counter(
            "smart_capture_classifications",
            "Accepted pictures by model and the tier that answered.",
            ["model", "tier"],
            registry=self.registry,
        )
        refusals = Counter(
            "smart_capture_refusals",
            "Jobs refused by the server, by cause.",
            ["cause"],
            registry=self.registry,
        )
        self._refused = {cause: refusals.labels(cause) for cause in ("admission", "dequeue")}
        self._failures = Counter(
            "smart_capture_errors",
            "Errors told to callers, by code.",
            ["code"],
            registry=self.registry,
        )
        self._skips = Counter(
            "smart_capture_previews_skipped",
            "Previews passed over for a newer one.",
            registry=self.registry,
        )
        self._sessions = Gauge(
            "smart_capture_sessions", "Open camera sessions.", registry=self.registry
        )

    def watch(self, pool: LanePool) -> None:
        """Report the workers of a pool whenever somebody asks."""
        self.registry.register(_PoolCollector(pool))

    def refused(self, cause: str) -> None:
        """Count a job that was refused: at ``admission``, or at ``dequeue``."""
        self._refused[cause].inc()

    def failed(self, code: str) -> None:
        """Count an error that a caller was told, by its code."""
        self._failures.labels(code).inc()

    def skipped(self) -> None:
        """Count a preview that was passed over."""
        self._skips.inc()

    def session_opened(self) -> None:
        """Count a camera session in."""
        self._sessions.inc()

    def session_closed(self) -> None:
        """Count a camera session out."""
        self._sessions.dec()

    def served(
        self, kind: JobKind, answer: Answer, queue_s: float, service_s: float, expected_s: float
    ) -> None:
        """Count an answered job with its times, in seconds."""
        self._answers.labels(kind, _outcome(answer)).inc()
        stages = self._stages[kind]
        stages["queue"].observe(queue_s)
        stages["service"].observe(service_s)
        self._ratios[kind].observe(service_s / expected_s)
        if isinstance(answer, Assessment):
            stages["decode"].observe(answer.times.decode_ms / 1e3)
            stages["measure"].observe(answer.times.measure_ms / 1e3)
            if answer.prediction is not None:
                stages["classify"].observe(answer.times.classify_ms / 1e3)
                self._tiers.labels(answer.prediction.model, answer.prediction.tier).inc()


def _outcome(answer: Answer) -> str:
    if isinstance(answer, Assessment):
        return answer.verdict.value
    return answer.code if isinstance(answer, Unjudged) else "MEASURED"


class _PoolCollector(Collector):
    """Reads the state of the workers at the time of a scrape."""

    def __init__(self, pool: LanePool) -> None:
        self._pool = pool

    def collect(self) -> Iterable[Metric]:
        return self._metrics()

    def _metrics(self) -> Iterator[Metric]:
        statistics = self._pool.statistics
        yield GaugeMetricFamily(
            "smart_capture_workers_idle",
            "Workers that are ready and hold no job.",
            value=self._pool.idle_count,
        )
        for name, help_text, value in (
            ("restarts", "Workers started in place of others.", statistics.restart_count),
            ("deaths", "Workers that ended by themselves.", statistics.death_count),
            ("timeouts", "Workers killed at their job's limit.", statistics.timeout_count),
            ("poison_jobs", "Jobs that ended two workers.", statistics.poison_count),
        ):
            yield CounterMetricFamily(f"smart_capture_worker_{name}", help_text, value=value)
