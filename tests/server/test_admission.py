"""Who may wait for a worker, and who is told at once to come back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.errors import OverloadedError
from capture.server.admission import (
    AdmissionLimits,
    JobKind,
    Load,
    Margin,
    ServiceTimes,
    admit,
)

LIMITS = AdmissionLimits(max_waiting_count=8, max_waiting_bytes=1000)


def load(
    busy_s: tuple[float, ...] = (0.01, 0.02), ahead_s: float = 0.0, count: int = 0, size: int = 0
) -> Load:
    return Load(busy_s, ahead_s, count, size)


def try_to_admit(present: Load, **changes: Any) -> None:
    request: dict[str, Any] = {
        "own_s": 0.015,
        "slack_s": 0.02,
        "byte_count": 10,
        "remaining_s": 0.3,
        "is_counted": True,
    }
    admit(present, LIMITS, **(request | changes))


def test_the_wait_is_until_the_first_lane_is_free() -> None:
    """With nothing ahead, the next job starts when the first worker ends its own."""
    assert load((0.03, 0.01)).wait_s == pytest.approx(0.01)


def test_jobs_ahead_fill_the_lanes_from_the_emptiest() -> None:
    """40 ms of work over lanes free at 10 and 30 ms: both are busy until 40 ms."""
    assert load((0.03, 0.01), ahead_s=0.04).wait_s == pytest.approx(0.04)


def test_a_stuck_lane_does_not_take_part() -> None:
    """A worker that hangs for 10 s leaves all the work to the other."""
    assert load((10.0, 0.0), ahead_s=0.5).wait_s == pytest.approx(0.5)


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=8),
    st.floats(0, 100),
)
def test_the_lanes_hold_exactly_the_work_ahead(busy_s: list[float], ahead_s: float) -> None:
    """What fits below the level that the wait reaches is the work ahead."""
    wait_s = Load(busy_s, ahead_s, 1, 1).wait_s
    room_s = sum(max(0.0, wait_s - lane_s) for lane_s in busy_s)
    assert room_s == pytest.approx(ahead_s, abs=1e-6)
    assert wait_s >= min(busy_s)


def test_a_job_that_fits_its_deadline_is_admitted() -> None:
    """No error means admitted."""
    try_to_admit(load(ahead_s=0.2, count=5))


def test_a_job_that_would_come_too_late_is_refused_with_a_time_to_come_back() -> None:
    """The pushback is about the time by which the queue is too long."""
    with pytest.raises(OverloadedError, match="expected in 530 ms") as refused:
        try_to_admit(load(ahead_s=1.0, count=5))
    assert refused.value.retry_after_ms == pytest.approx(530 + 100 - 300, abs=1)


def test_a_caller_without_a_deadline_waits() -> None:
    """Only the hard limits hold for it."""
    try_to_admit(load(ahead_s=100.0, count=5), remaining_s=None)


def test_a_full_queue_refuses_whoever_has_time() -> None:
    """The number of waiting jobs is bounded."""
    with pytest.raises(OverloadedError, match="8 jobs are waiting"):
        try_to_admit(load(count=8), remaining_s=None)


def test_a_job_that_is_not_counted_still_counts_in_bytes() -> None:
    """Sessions are bounded by themselves, but memory is bounded for all."""
    try_to_admit(load(count=8), remaining_s=None, is_counted=False)
    with pytest.raises(OverloadedError, match="MiB are waiting"):
        try_to_admit(load(count=8, size=995), remaining_s=None, is_counted=False)


def test_a_free_worker_takes_whatever_comes() -> None:
    """An estimate that is far too high is put right by the job that it would refuse."""
    try_to_admit(load((0.0, 0.5)), own_s=60.0)


@pytest.mark.parametrize("ahead_s", [0.3, 3.0, 3000.0])
def test_the_time_to_come_back_is_neither_rude_nor_endless(ahead_s: float) -> None:
    """Between 20 ms and 5 s, whatever the queue."""
    with pytest.raises(OverloadedError) as refused:
        try_to_admit(load((0.0, 0.0), ahead_s=2 * ahead_s, count=1))
    assert 20 <= refused.value.retry_after_ms <= 5000


def test_estimates_follow_the_mix() -> None:
    """A class of jobs that turns from dear to cheap is soon expected to be cheap."""
    times = ServiceTimes()
    for took_s in [0.1] * 50 + [0.01] * 50:
        times.observe(JobKind.STILL, 100_000, took_s)
    assert times.estimate_s(JobKind.STILL, 100_000) == pytest.approx(0.01, rel=0.1)


def test_one_job_that_hung_does_not_spoil_the_estimate() -> None:
    """A worker that was stopped for ten seconds leaves the next callers a fair chance."""
    times = ServiceTimes()
    for took_s in [0.015] * 20 + [10.0]:
        times.observe(JobKind.STILL, 100_000, took_s)
    assert times.estimate_s(JobKind.STILL, 100_000) < 0.03


def test_small_and_large_pictures_are_told_apart() -> None:
    """A preview-sized still is not expected to take as long as one of 12 MP."""
    times = ServiceTimes()
    times.observe(JobKind.STILL, 100_000, 0.015)
    times.observe(JobKind.STILL, 3_000_000, 0.12)
    assert times.estimate_s(JobKind.STILL, 90_000) == pytest.approx(0.015)
    assert times.estimate_s(JobKind.STILL, 3_500_000) == pytest.approx(0.12)


def test_a_size_never_seen_is_guessed_from_the_nearest() -> None:
    """Twice the bytes, twice the time."""
    times = ServiceTimes()
    times.observe(JobKind.STILL, 100_000, 0.015)
    assert times.estimate_s(JobKind.STILL, 200_000) == pytest.approx(0.03)


@given(st.sampled_from(JobKind), st.integers(0, 2**40))
def test_there_is_an_estimate_before_the_first_job(kind: JobKind, byte_count: int) -> None:
    """A new server has a guess for everything."""
    assert 0 < ServiceTimes().estimate_s(kind, byte_count) < 1


def test_the_margin_grows_with_surprises_and_shrinks_with_calm() -> None:
    """Mean lateness and four mean deviations; calm brings it down to a few milliseconds."""
    margin = Margin()
    for _ in range(50):
        margin.observe(0.1, 0.1)
    calm_s = margin.slack_s
    for _ in range(5):
        margin.observe(0.1, 0.2)
    surprised_s = margin.slack_s
    for _ in range(100):
        margin.observe(0.1, 0.1)
    assert calm_s < 0.005
    assert surprised_s > 0.05
    assert margin.slack_s < 0.005


def test_one_job_that_hung_does_not_widen_the_margin_for_long() -> None:
    """After ten seconds of one, a handful of others is enough."""
    margin = Margin()
    for _ in range(50):
        margin.observe(0.1, 0.11)
    margin.observe(0.1, 10.0)
    for _ in range(5):
        margin.observe(0.1, 0.11)
    assert margin.slack_s < 0.05
