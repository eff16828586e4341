"""What Prometheus is told: latencies by stage and verdict, refusals, sessions, workers.

Names and units follow the conventions of Prometheus: base units, ``_total`` for what only
grows. Every label has few values, known beforehand: none carries what a caller chose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from capture import __version__
from capture.assessment import MeasuredPreview
from capture.errors import OverloadCause
from capture.jobs import Unjudged
from capture.server.admission import JobKind
from capture.server.pool_metrics import PoolCollector, Queue
from capture.v1 import assessment_pb2
from capture.wire.enums import VERDICTS

if TYPE_CHECKING:
    from capture.server.writing import ServedAnswer
    from inference.lanes import LanePool

_BUCKETS_S = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05),
    *(0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 10.0),
)
"""With the two promises among them: 50 ms for a preview, 300 ms for a call."""

_RATIO_BUCKETS = (0.25, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2.0, 4.0)

MEASURED, UNJUDGED = "MEASURED", "UNJUDGED"
"""What stands for the verdict of a preview, and of what could not be judged."""


_STAGES_OUTSIDE = ("queue", "service", "total")
_STAGES = (*_STAGES_OUTSIDE, "decode", "measure", "classify")
_STAGES_OF_PREVIEWS = (*_STAGES_OUTSIDE, "decode", "measure", "fold")
_STAGES_BY_VERDICT = {MEASURED: _STAGES_OF_PREVIEWS, UNJUDGED: _STAGES_OUTSIDE}


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("smart_capture_build", "What is running.", registry=registry).info(
            {"version": __version__}
        )
        self._answers = Counter(
            "smart_capture_answers",
            "Jobs that a worker answered: verdict, MEASURED, or the code of what was no picture.",
            ["kind", "outcome"],
            registry=registry,
        )
        self._durations = Histogram(
            "smart_capture_stage_duration_seconds",
            "Time of answered jobs: queue, service (hand-over to answer), both (total), "
            "decode, measure and classify within the worker, and fold (from what a preview "
            "says to guidance) in the front.",
            ["kind", "stage", "verdict"],
            buckets=_BUCKETS_S,
            registry=registry,
        )
        # A label costs more than the count behind it: each series is looked up once.
        self._series: dict[tuple[JobKind, str], dict[str, Histogram]] = {}
        self._outcomes: dict[tuple[JobKind, str], Counter] = {}
        ratios = Histogram(
            "smart_capture_service_prediction_ratio",
            "Observed service time over the predicted one.",
            ["kind"],
            buckets=_RATIO_BUCKETS,
            registry=registry,
        )
        self._ratios = {kind: ratios.labels(kind) for kind in JobKind}
        predicted = Counter(
            "smart_capture_predicted_service_seconds",
            "Service time predicted for the jobs that were answered.",
            ["kind"],
            registry=registry,
        )
        self._predicted = {kind: predicted.labels(kind) for kind in JobKind}
        self._tiers = Counter(
            "smart_capture_classifications",
            "Accepted pictures by model and the tier that answered.",
            ["model", "tier"],
            registry=registry,
        )
        refusals = Counter(
            "smart_capture_refusals",
            "What was refused for want of time or room, by cause.",
            ["cause"],
            registry=registry,
        )
        self._refusals = {cause: refusals.labels(cause) for cause in OverloadCause}
        abandoned = Counter(
            "smart_capture_abandoned_jobs",
            "Jobs whose caller went away before the answer.",
            ["kind"],
            registry=registry,
        )
        self._abandoned = {kind: abandoned.labels(kind) for kind in JobKind}
        self._errors = Counter(
            "smart_capture_errors", "Errors told to callers, by code.", ["code"], registry=registry
        )
        self._errors_by_code: dict[str, Counter] = {}
        self._skipped = Counter(
            "smart_capture_previews_skipped",
            "Previews passed over for a newer one.",
            registry=registry,
        )
        self._sessions = Gauge("smart_capture_sessions", "Open camera sessions.", registry=registry)
        self._opened = Counter(
            "smart_capture_sessions_opened",
            "Camera sessions opened, those that went on with an earlier one included.",
            registry=registry,
        )

    def watch(self, pool: LanePool, queue: Queue) -> None:
        """Report the workers of a pool, and the jobs before them, whenever somebody asks."""
        self.registry.register(PoolCollector(pool, queue))

    def refused(self, cause: OverloadCause) -> None:
        """Count what was refused for want of time or room."""
        self._refusals[cause].inc()

    def failed(self, code: str) -> None:
        """Count an error that a caller was told, by its code."""
        if code not in self._errors_by_code:
            self._errors_by_code[code] = self._errors.labels(code)
        self._errors_by_code[code].inc()

    def abandoned(self, kind: JobKind) -> None:
        """Count a job whose caller went away before the answer."""
        self._abandoned[kind].inc()

    def skipped(self) -> None:
        """Count a preview that was passed over."""
        self._skipped.inc()

    def session_opened(self) -> None:
        """Count a camera session in."""
        self._opened.inc()
        self._sessions.inc()

    def session_closed(self) -> None:
        """Count a camera session out."""
        self._sessions.dec()

    def served(
        self,
        kind: JobKind,
        answer: ServedAnswer,
        queue_s: float,
        service_s: float,
        predicted_s: float,
    ) -> None:
        """Count an answered job with its times, in seconds."""
        verdict, code = _verdict_and_outcome(answer)
        key = kind, code
        if key not in self._outcomes:
            self._outcomes[key] = self._answers.labels(kind, code)
        self._outcomes[key].inc()
        stages = self._stages_of(kind, verdict)
        stages["queue"].observe(queue_s)
        stages["service"].observe(service_s)
        stages["total"].observe(queue_s + service_s)
        self._predicted[kind].inc(predicted_s)
        self._ratios[kind].observe(service_s / predicted_s)
        if isinstance(answer, assessment_pb2.Assessment):
            times = answer.times
            stages["decode"].observe(times.decode_ms / 1e3)
            stages["measure"].observe(times.measure_ms / 1e3)
            if answer.HasField("classification"):
                stages["classify"].observe(times.classify_ms / 1e3)
                said_by = answer.classification
                self._tiers.labels(said_by.model, said_by.tier).inc()
        elif isinstance(answer, MeasuredPreview):
            stages["decode"].observe(answer.decode_ms / 1e3)
            stages["measure"].observe(answer.measure_ms / 1e3)

    def folded(self, took_s: float) -> None:
        """Count the time from what a preview says to guidance, in seconds."""
        self._stages_of(JobKind.PREVIEW, MEASURED)["fold"].observe(took_s)

    def _stages_of(self, kind: JobKind, verdict: str) -> dict[str, Histogram]:
        """Return the series of one kind and verdict; made when the first one comes."""
        key = kind, verdict
        if key not in self._series:
            stages = _STAGES_BY_VERDICT.get(verdict, _STAGES)
            self._series[key] = {
                stage: self._durations.labels(kind, stage, verdict) for stage in stages
            }
        return self._series[key]


def _verdict_and_outcome(answer: ServedAnswer) -> tuple[str, str]:
    if isinstance(answer, assessment_pb2.Assessment):
        verdict = VERDICTS.require(answer.verdict).value
        return verdict, verdict
    return (UNJUDGED, answer.code) if isinstance(answer, Unjudged) else (MEASURED, MEASURED)
