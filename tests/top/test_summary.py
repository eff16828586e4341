"""What two looks at a page of metrics say."""

from __future__ import annotations

import math

import pytest
from prometheus_client import generate_latest

from capture.errors import OverloadCause
from capture.jobs import Unjudged
from capture.server.admission import JobKind
from capture.server.metrics import Metrics
from capture.top.reading import Reading, parse_metrics
from capture.top.summary import quantile, summarize


def look(metrics: Metrics, at_s: float) -> Reading:
    return parse_metrics(generate_latest(metrics.registry).decode(), at_s, "here")


def unjudged(metrics: Metrics, count: int, service_s: float = 0.02) -> None:
    for _ in range(count):
        metrics.served(JobKind.STILL, Unjudged("CORRUPT", ""), 0.005, service_s, 0.01)


def test_rates_are_those_between_two_looks() -> None:
    """What was counted before does not count."""
    metrics = Metrics()
    unjudged(metrics, 7)
    metrics.refused(OverloadCause.DEADLINE)
    before = look(metrics, 100.0)
    unjudged(metrics, 10)
    metrics.skipped()
    summary = summarize(before, look(metrics, 102.0))
    assert summary.answer_rates == {"still": {"CORRUPT": 5.0}, "preview": {}}
    assert summary.refusal_rates == {}
    assert summary.skipped_rate == 0.5
    assert summary.interval_s == 2.0


def test_latencies_are_quantiles_and_means() -> None:
    """From admission to answer; queue and service apart, and service against its prediction."""
    metrics = Metrics()
    before = look(metrics, 0.0)
    unjudged(metrics, 100)
    summary = summarize(before, look(metrics, 1.0))
    latency = summary.latencies["still"]
    assert latency.queue_ms == pytest.approx(5)
    assert latency.service_ms == pytest.approx(20)
    assert latency.p50_ms is not None
    assert 20 <= latency.p50_ms <= 30  # the bucket that 25 ms fall into
    assert summary.prediction_ratio == {"still": pytest.approx(2.0), "preview": None}
    assert summary.latencies["preview"].p99_ms is None


def test_sessions_are_those_open_now() -> None:
    """Whatever came and went in between."""
    metrics = Metrics()
    metrics.session_opened()
    before = look(metrics, 0.0)
    metrics.session_opened()
    metrics.session_opened()
    metrics.session_closed()
    assert summarize(before, look(metrics, 1.0)).session_count == 2


def test_the_breaker_is_told_by_its_state() -> None:
    """That of its lines which is 1; nothing where the server has no workers to tell of."""
    page = (
        "smart_capture_sessions 0\n"
        'smart_capture_worker_breaker{state="closed"} 0\n'
        'smart_capture_worker_breaker{state="open"} 1\n'
        'smart_capture_worker_breaker{state="half_open"} 0\n'
        "smart_capture_worker_breaker_openings_total 3\n"
    )
    now = parse_metrics(page, 1.0, "here")
    summary = summarize(look(Metrics(), 0.0), now)
    assert summary.breaker_state == "open"
    assert summary.worker_events["breaker_openings"] == 3
    assert summarize(now, look(Metrics(), 2.0)).breaker_state == ""


def test_a_server_that_was_started_anew_counts_from_its_start() -> None:
    """Counters that went back to 0 give no negative rates."""
    old, new = Metrics(), Metrics()
    unjudged(old, 50)
    unjudged(new, 4)
    before, now = look(old, 100.0), look(new, 102.0)
    restarted = Reading(
        now.at_s,
        {
            **now.samples,
            "process_start_time_seconds": tuple(
                type(sample)(sample.labels, 101.0)
                for sample in now.samples["process_start_time_seconds"]
            ),
        },
    )
    summary = summarize(before, restarted)
    assert summary.answer_rates["still"] == {"CORRUPT": pytest.approx(4.0)}
    assert summary.uptime_s == 1.0


@pytest.mark.parametrize(
    ("cumulative", "share", "expected"),
    [
        ({1.0: 0.0, 2.0: 10.0, math.inf: 10.0}, 0.5, 1.5),
        ({1.0: 10.0, 2.0: 10.0, math.inf: 10.0}, 0.9, 0.9),
        ({1.0: 5.0, 2.0: 10.0, math.inf: 10.0}, 0.5, 1.0),
        ({1.0: 0.0, 2.0: 0.0, math.inf: 3.0}, 0.5, 2.0),
        ({1.0: 0.0, math.inf: 0.0}, 0.5, None),
        ({}, 0.5, None),
    ],
)
def test_quantiles_are_interpolated_as_prometheus_does(
    cumulative: dict[float, float], share: float, expected: float | None
) -> None:
    """Within the bucket; beyond the last bound that bound; nothing from nothing."""
    assert quantile(cumulative, share) == (None if expected is None else pytest.approx(expected))


def test_a_page_of_somebody_else_is_told_apart() -> None:
    """HTML, and the metrics of another program."""
    for text in ("<html></html>", "up 1\n", ""):
        with pytest.raises(ConnectionError, match="not the metrics of a Smart Capture server"):
            parse_metrics(text, 0.0, "here")
