"""What two looks at a server say of the time between them. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from capture.top.reading import Reading

KINDS = ("still", "preview")
QUANTILES = (0.5, 0.9, 0.99)


@dataclass(frozen=True, slots=True)
class Latency:
    """From admission to answer, over the time looked at.

    Attributes
    ----------
    p50_ms, p90_ms, p99_ms : float or None
        Quantiles, interpolated within the buckets; None when nothing was answered.
    queue_ms, service_ms : float or None
        Means of the wait for a worker and of the time in its hands.
    """

    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    queue_ms: float | None
    service_ms: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """How a server does.

    Attributes
    ----------
    version : str
        Of the server.
    interval_s : float
        Time that the rates are taken over, in seconds.
    uptime_s : float or None
        Since the server started; None where the system does not tell.
    session_count : int
        Open camera sessions.
    answer_rates : mapping
        Answers per second, by kind and outcome.
    skipped_rate, abandoned_rate : float
        Previews passed over, and jobs whose caller went away, per second.
    refusal_rates, error_rates : mapping
        Per second, by cause and by code; those that are 0 are left out.
    job_counts, worker_counts : mapping
        Jobs waiting and running; workers idle, busy, starting and missing.
    breaker_state : str
        Whether lost workers are replaced: closed, they are; open, not for now; half_open, one
        is tried. Empty where the server does not tell.
    worker_events : mapping
        Restarts, deaths, timeouts and failed starts of workers, openings of the breaker, and
        poison jobs, since the server started.
    latencies : mapping
        By kind.
    prediction_ratio : mapping
        Observed service time over the predicted one, by kind; None when nothing was answered.
    tier_rates : mapping
        Pictures classified per second, by ``model tier``.
    front_cpu_share, front_memory_mb : float or None
        Cores that the front used, and its resident memory; None where it is not told.
    """

    version: str
    interval_s: float
    uptime_s: float | None
    session_count: int
    answer_rates: Mapping[str, Mapping[str, float]]
    skipped_rate: float
    abandoned_rate: float
    refusal_rates: Mapping[str, float]
    error_rates: Mapping[str, float]
    job_counts: Mapping[str, int]
    worker_counts: Mapping[str, int]
    breaker_state: str
    worker_events: Mapping[str, int]
    latencies: Mapping[str, Latency]
    prediction_ratio: Mapping[str, float | None]
    tier_rates: Mapping[str, float]
    front_cpu_share: float | None
    front_memory_mb: float | None


def summarize(before: Reading, now: Reading) -> Summary:
    """Say what happened between two looks at one server.

    A server that was started anew in between has counted from 0: then the rates are those
    since its start.
    """
    if _start_s(before) != _start_s(now):
        before = Reading(_start_s(now) or before.at_s, {})
    return _Span(before, now).summary()


@dataclass(frozen=True, slots=True)
class _Span:
    before: Reading
    now: Reading

    @property
    def interval_s(self) -> float:
        return max(1e-9, self.now.at_s - self.before.at_s)

    def summary(self) -> Summary:
        now = self.now
        start_s = _start_s(now)
        cpu_s = "process_cpu_seconds_total"
        memory = "process_resident_memory_bytes"
        versions = list(now.select("smart_capture_build_info"))
        return Summary(
            version=versions[0].labels["version"] if versions else "",
            interval_s=self.interval_s,
            uptime_s=None if start_s is None else now.at_s - start_s,
            session_count=int(now.total("smart_capture_sessions")),
            answer_rates={
                kind: self.rates("outcome", "smart_capture_answers_total", kind=kind)
                for kind in KINDS
            },
            skipped_rate=self.rate("smart_capture_previews_skipped_total"),
            abandoned_rate=self.rate("smart_capture_abandoned_jobs_total"),
            refusal_rates=self.rates("cause", "smart_capture_refusals_total"),
            error_rates=self.rates("code", "smart_capture_errors_total"),
            job_counts=_whole(now.by("state", "smart_capture_jobs")),
            worker_counts=_whole(now.by("state", "smart_capture_workers")),
            breaker_state=now.value_of("state", "smart_capture_worker_breaker"),
            worker_events={
                "restarts": int(now.total("smart_capture_worker_restarts_total")),
                "deaths": int(now.total("smart_capture_worker_deaths_total")),
                "timeouts": int(now.total("smart_capture_worker_timeouts_total")),
                "failed_starts": int(now.total("smart_capture_worker_failed_starts_total")),
                "breaker_openings": int(now.total("smart_capture_worker_breaker_openings_total")),
                "poison_jobs": int(now.total("smart_capture_poison_jobs_total")),
            },
            latencies={kind: self.latency(kind) for kind in KINDS},
            prediction_ratio={kind: self.prediction_ratio(kind) for kind in KINDS},
            tier_rates=self.tier_rates(),
            front_cpu_share=self.rate(cpu_s) if cpu_s in now.samples else None,
            front_memory_mb=now.total(memory) / 2**20 if memory in now.samples else None,
        )

    def increase(self, name: str, **labels: str) -> float:
        return max(0.0, self.now.total(name, **labels) - self.before.total(name, **labels))

    def rate(self, name: str, **labels: str) -> float:
        return self.increase(name, **labels) / self.interval_s

    def rates(self, label: str, name: str, **labels: str) -> dict[str, float]:
        before = self.before.by(label, name, **labels)
        return {
            key: (value - before.get(key, 0.0)) / self.interval_s
            for key, value in sorted(self.now.by(label, name, **labels).items())
            if value > before.get(key, 0.0)
        }

    def tier_rates(self) -> dict[str, float]:
        name = "smart_capture_classifications_total"
        rates = {}
        for sample in self.now.select(name):
            rate = self.rate(name, **sample.labels)
            if rate:
                rates[f"{sample.labels['model']} {sample.labels['tier']}"] = rate
        return rates

    def latency(self, kind: str) -> Latency:
        name = "smart_capture_stage_duration_seconds"
        buckets = self.now.by("le", f"{name}_bucket", kind=kind, stage="total")
        earlier = self.before.by("le", f"{name}_bucket", kind=kind, stage="total")
        counts = {float(le): count - earlier.get(le, 0.0) for le, count in buckets.items()}
        p50_ms, p90_ms, p99_ms = (_milliseconds(quantile(counts, share)) for share in QUANTILES)
        queue_s, service_s = (self.mean_s(kind, stage) for stage in ("queue", "service"))
        return Latency(p50_ms, p90_ms, p99_ms, _milliseconds(queue_s), _milliseconds(service_s))

    def mean_s(self, kind: str, stage: str) -> float | None:
        name = "smart_capture_stage_duration_seconds"
        count = self.increase(f"{name}_count", kind=kind, stage=stage)
        return self.increase(f"{name}_sum", kind=kind, stage=stage) / count if count else None

    def prediction_ratio(self, kind: str) -> float | None:
        predicted_s = self.increase("smart_capture_predicted_service_seconds_total", kind=kind)
        observed_s = self.increase(
            "smart_capture_stage_duration_seconds_sum", kind=kind, stage="service"
        )
        return observed_s / predicted_s if predicted_s else None


def quantile(cumulative: Mapping[float, float], share: float) -> float | None:
    """Return a quantile of a histogram, interpolated within its bucket.

    Parameters
    ----------
    cumulative : mapping
        Upper bound of each bucket -> number of values up to it; infinity among them.
    share : float
        In [0, 1].

    Returns
    -------
    float or None
        In the unit of the bounds. Beyond the last finite bound that bound; None when the
        histogram is empty.
    """
    total = max(cumulative.values(), default=0.0)
    if total <= 0:
        return None
    lower, below = 0.0, 0.0
    for bound in sorted(cumulative):
        count = cumulative[bound]
        if count >= share * total and count > below:
            if math.isinf(bound):
                return lower
            return lower + (bound - lower) * max(0.0, share * total - below) / (count - below)
        lower, below = bound, count
    return lower


def _start_s(reading: Reading) -> float | None:
    return reading.total("process_start_time_seconds") or None


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


def _whole(counts: Mapping[str, float]) -> dict[str, int]:
    return {key: int(value) for key, value in counts.items()}
