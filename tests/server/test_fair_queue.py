"""The queue in which a greedy caller only queues behind itself."""

from __future__ import annotations

import pytest

from capture.server.fair_queue import FairQueue


def served(queue: FairQueue[str]) -> list[str]:
    return [queue.pop().item for _ in range(len(queue))]


def test_one_caller_is_served_in_order() -> None:
    """First come, first served."""
    queue: FairQueue[str] = FairQueue()
    for name in ("first", "second", "third"):
        queue.push("caller", 0.01, name)
    assert served(queue) == ["first", "second", "third"]


def test_a_greedy_caller_is_served_in_turn_with_the_others() -> None:
    """Ten jobs at once do not go before the one job of somebody else."""
    queue: FairQueue[str] = FairQueue()
    for number in range(10):
        queue.push("greedy", 0.01, f"greedy {number}")
    queue.push("modest", 0.01, "modest")
    assert served(queue)[:2] == ["greedy 0", "modest"]


def test_turns_are_weighed_by_the_time_they_take() -> None:
    """A caller of stills gets as much time as a caller of previews, not as many turns."""
    queue: FairQueue[str] = FairQueue()
    for _ in range(4):
        queue.push("stills", 0.0625, "still")
    for _ in range(40):
        queue.push("previews", 0.00390625, "preview")  # a sixteenth of a still
    first = served(queue)[:34]
    assert (first.count("still"), first.count("preview")) == (2, 32)


def test_a_caller_who_was_away_has_saved_nothing_up() -> None:
    """Time in which a caller sent nothing gives no right to go first for long."""
    queue: FairQueue[str] = FairQueue()
    for _ in range(100):
        queue.push("steady", 0.01, "steady")
        queue.pop()
    for _ in range(3):
        queue.push("steady", 0.01, "steady")
        queue.push("back", 0.01, "back")
    assert sorted(served(queue)[:2]) == ["back", "steady"]


def test_a_job_taken_out_is_never_served() -> None:
    """A cancelled call does not reach a worker; taking it out twice does no harm."""
    queue: FairQueue[str] = FairQueue()
    queue.push("caller", 0.01, "kept")
    cancelled = queue.push("caller", 0.01, "cancelled")
    queue.remove(cancelled)
    queue.remove(cancelled)
    assert served(queue) == ["kept"]


def test_the_cost_ahead_counts_only_what_goes_first() -> None:
    """A newcomer waits for one job of a greedy caller, the greedy caller for all of them."""
    queue: FairQueue[str] = FairQueue()
    for _ in range(5):
        queue.push("greedy", 0.01, "greedy")
    assert queue.cost_ahead_s("greedy") == pytest.approx(0.05)
    assert queue.cost_ahead_s("newcomer") == pytest.approx(0.01)


def test_callers_that_have_gone_are_forgotten() -> None:
    """A thousand short calls from a thousand ports do not grow the queue's memory."""
    queue: FairQueue[str] = FairQueue()
    for number in range(5000):
        queue.push(number, 0.01, "once")
        queue.pop()
    assert len(queue._ends_s) <= 1025
