"""Admission by deadline: take only what can be answered in time, refuse the rest at once.

A first-in-first-out queue under overload starts every job just before its caller gives up,
and answers nobody. Here a job is admitted when its expected wait, its own time and a margin
fit into the time its caller has left. Pure: the clock is the caller's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from capture.errors import OverloadCause, OverloadedError


class JobKind(StrEnum):
    """What is asked of a worker; each kind has its own service times."""

    STILL = "still"
    PREVIEW = "preview"


_PRIOR_S = {JobKind.STILL: 0.02, JobKind.PREVIEW: 0.004}
_PRIOR_CLASS = (128 << 10).bit_length()
_WEIGHT = 0.1
# One job that hung must not have all others refused.
_SETTLED_COUNT, _MAX_SURPRISE = 10, 4.0
_MAX_DEVIATIONS, _MIN_DEVIATION_S = 8.0, 0.0005

_MIN_RETRY_S, _MAX_RETRY_S = 0.02, 5.0


class ServiceTimes:
    """How long jobs take, by kind and size, learnt from how long they took.

    Sizes fall into classes, each twice the one before. A class without a job so far is
    guessed from the nearest that has one, in proportion to its bytes. Refused pictures are
    cheap and accepted ones dear: the average of a class follows the mix.
    """

    def __init__(self) -> None:
        self._means: dict[JobKind, dict[int, tuple[float, int]]] = {kind: {} for kind in JobKind}

    def observe(self, kind: JobKind, byte_count: int, took_s: float) -> None:
        """Learn from one job, measured from hand-over to answer, in seconds."""
        means = self._means[kind]
        size_class = byte_count.bit_length()
        mean_s, count = means.get(size_class, (0.0, 0))
        if count >= _SETTLED_COUNT:
            took_s = min(took_s, _MAX_SURPRISE * mean_s)
        weight = max(_WEIGHT, 1 / (count + 1))
        means[size_class] = (mean_s + weight * (took_s - mean_s), count + 1)

    def estimate_s(self, kind: JobKind, byte_count: int) -> float:
        """Return how long such a job is expected to take, in seconds."""
        means = self._means[kind]
        size_class = byte_count.bit_length()
        if size_class in means:
            return means[size_class][0]
        nearest = min(means, key=lambda known: abs(known - size_class), default=None)
        if nearest is None:
            return _PRIOR_S[kind] * 2.0 ** min(4, max(-2, size_class - _PRIOR_CLASS))
        return means[nearest][0] * 2.0 ** min(4, max(-2, size_class - nearest))

    def least_s(self, kind: JobKind) -> float:
        """Return how long the shortest of the jobs seen so far are expected to take."""
        return min((mean_s for mean_s, _ in self._means[kind].values()), default=0.0)


class Margin:
    """How far expectations are off: kept as slack between an answer and its deadline.

    After Jacobson, "Congestion avoidance and control", SIGCOMM 1988: mean error plus four
    mean deviations, as TCP sets its retransmission timer.
    """

    def __init__(self) -> None:
        self._error_s = 0.0
        self._deviation_s = 0.01

    def observe(self, expected_s: float, actual_s: float) -> None:
        """Learn from one job, both times from admission to answer, in seconds."""
        most_s = _MAX_DEVIATIONS * self._deviation_s
        error_s = min(max(actual_s - expected_s - self._error_s, -most_s), most_s)
        self._error_s += error_s / 8
        self._deviation_s += (abs(error_s) - self._deviation_s) / 4
        self._deviation_s = max(self._deviation_s, _MIN_DEVIATION_S)

    @property
    def slack_s(self) -> float:
        """Time to keep free, in seconds, > 0."""
        return max(0.0, self._error_s) + 4 * self._deviation_s


@dataclass(frozen=True, slots=True)
class Load:
    """What stands before a new job.

    Attributes
    ----------
    lane_busy_s : sequence of float
        For each worker, the time until it is free, in seconds; 0 when it is.
    ahead_s : float
        Expected time of all jobs that will be taken before this one, in seconds.
    waiting_count, waiting_bytes : int
        Jobs that wait for a worker, and their size.
    """

    lane_busy_s: Sequence[float]
    ahead_s: float
    waiting_count: int
    waiting_bytes: int

    @property
    def wait_s(self) -> float:
        """Expected time until a worker takes the new job, in seconds.

        The workers fill up like vessels that start at different levels.
        """
        levels = sorted(self.lane_busy_s)
        left_s, wait_s = self.ahead_s, levels[0]
        for count, next_level in enumerate([*levels[1:], float("inf")], start=1):
            step_s = min(next_level - wait_s, left_s / count)
            wait_s += step_s
            left_s -= step_s * count
            if left_s <= 0:
                break
        return wait_s

    @property
    def is_idle(self) -> bool:
        """A worker is free and nothing waits."""
        return self.waiting_count == 0 and min(self.lane_busy_s) == 0.0


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """The hard limits behind the expectations.

    Attributes
    ----------
    max_waiting_count : int
        Jobs that may wait, but for those of camera sessions: a session has one at a time.
    max_waiting_bytes : int
        Bytes of all jobs that may wait.
    """

    max_waiting_count: int
    max_waiting_bytes: int = 256 << 20


_KEPT_SHARE = 1 / 3
"""Share of a caller's time that is kept free: the way back is not seen from here. A queue
longer than that keeps no worker busier, it only makes every answer later."""


def admit(
    load: Load,
    limits: AdmissionLimits,
    *,
    own_s: float,
    slack_s: float,
    byte_count: int,
    remaining_s: float | None,
    is_counted: bool,
) -> None:
    """Return if a job may wait for a worker.

    Parameters
    ----------
    load : Load
        What stands before it.
    limits : AdmissionLimits
        The hard limits.
    own_s : float
        Its own expected time, in seconds.
    slack_s : float
        Time to keep free, in seconds.
    byte_count : int
        Its size.
    remaining_s : float or None
        Time until its caller gives up; None for a caller without a deadline.
    is_counted : bool
        Whether the limit on the number of waiting jobs applies to it.

    Raises
    ------
    OverloadedError
        If it must not wait; says when to come back.

    Notes
    -----
    A free worker takes any job: a job that is refused teaches nothing, and an estimate
    that is too high would never be put right.
    """
    if load.is_idle:
        return
    if is_counted and load.waiting_count >= limits.max_waiting_count:
        raise overloaded(
            OverloadCause.QUEUE_LENGTH, f"{load.waiting_count} jobs are waiting", load.wait_s
        )
    if load.waiting_bytes + byte_count > limits.max_waiting_bytes:
        raise overloaded(
            OverloadCause.QUEUE_BYTES, f"{load.waiting_bytes >> 20} MiB are waiting", load.wait_s
        )
    if remaining_s is None:
        return
    needed_s = load.wait_s + own_s + max(slack_s, _KEPT_SHARE * remaining_s)
    if needed_s > remaining_s:
        raise overloaded(
            OverloadCause.DEADLINE,
            f"the answer is expected in {1e3 * (load.wait_s + own_s):.0f} ms, too late for a "
            f"deadline in {1e3 * remaining_s:.0f} ms",
            needed_s - remaining_s,
        )


def overloaded(cause: OverloadCause, message: str, retry_after_s: float) -> OverloadedError:
    """Return the refusal, with a time to come back that is neither rude nor endless."""
    retry_after_ms = round(1e3 * min(max(retry_after_s, _MIN_RETRY_S), _MAX_RETRY_S))
    return OverloadedError(message, retry_after_ms, cause)
