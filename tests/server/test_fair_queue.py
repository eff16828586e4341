"""The queue in which a greedy caller only queues behind itself."""

from __future__ import annotations

import weakref

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


def test_newcomers_do_not_keep_back_a_caller_who_was_served_before() -> None:
    """Who opens a connection for each job has no more turns than who keeps one."""
    queue: FairQueue[str] = FairQueue()
    queue.push("faithful", 0.01, "faithful")
    for number in range(3):
        queue.push(number, 0.01, "new")
    order = []
    for number in range(3, 43):
        order.append(queue.pop().item)
        queue.push(number, 0.01, "new")
        if order[-1] == "faithful":
            queue.push("faithful", 0.01, "faithful")
    assert order.count("faithful") >= 5  # of forty turns among four to five callers


def test_an_empty_queue_holds_on_to_nobody() -> None:
    """What names a caller, a camera's stream for one, must not live on in the queue."""

    class Caller:
        pass

    queue: FairQueue[str] = FairQueue()
    callers = [Caller() for _ in range(3)]
    left = [weakref.ref(caller) for caller in callers]
    for caller in callers:
        queue.push(caller, 0.01, "once")
    served(queue)
    del caller
    callers.clear()
    assert [caller() for caller in left] == [None] * 3


def test_callers_that_have_gone_are_forgotten_under_load() -> None:
    """A thousand short calls from a thousand ports do not grow a queue that is never empty."""
    queue: FairQueue[str] = FairQueue()
    queue.push("first", 0.01, "once")
    for number in range(5000):
        queue.push(number, 0.01, "once")
        queue.pop()
    assert len(queue) == 1
    assert len(queue._ends_s) <= 65
