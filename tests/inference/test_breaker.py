"""When workers that are lost are replaced, by a clock of the test's own."""

from __future__ import annotations

import math

import pytest

from inference.breaker import (
    FIRST_DELAY_S,
    LEAST_CALM_S,
    LOSS_WINDOW_S,
    MAX_DELAY_S,
    Breaker,
    BreakerState,
)

A_MOMENT_S = 1e-3


def open_breaker(max_losses: int = 3, at_s: float = 100.0) -> Breaker:
    breaker = Breaker(max_losses)
    assert [breaker.observe_loss(at_s) for _ in range(max_losses + 1)][-1]
    return breaker


def next_change(breaker: Breaker) -> float:
    assert breaker.changes_at_s is not None
    return breaker.changes_at_s


def half_open(breaker: Breaker) -> float:
    """Wait until one may be tried, and return when that is."""
    now_s = next_change(breaker)
    assert breaker.advance(now_s)
    assert breaker.state is BreakerState.HALF_OPEN
    return now_s


def test_losses_up_to_the_limit_do_not_open_it() -> None:
    """The one beyond it does, and says when it has to be looked at again."""
    breaker = Breaker(3)
    assert [breaker.observe_loss(0.1 * number) for number in range(4)] == [False] * 3 + [True]
    assert breaker.state is BreakerState.OPEN
    assert breaker.changes_at_s == pytest.approx(0.3 + FIRST_DELAY_S)


def test_losses_that_are_far_apart_never_open_it() -> None:
    """However many: the window goes on."""
    breaker = Breaker(3)
    apart_s = LOSS_WINDOW_S / 3
    assert not any(breaker.observe_loss(apart_s * number) for number in range(1000))
    assert breaker.state is BreakerState.CLOSED


def test_without_a_limit_it_never_opens() -> None:
    """Ten thousand at once are not too many."""
    breaker = Breaker(math.inf)
    assert not any(breaker.observe_loss(1.0) for _ in range(10_000))


def test_workers_lost_while_it_is_open_change_nothing() -> None:
    """They are of before, and the wait is no longer for it."""
    breaker = open_breaker()
    changes_at_s = next_change(breaker)
    assert not breaker.observe_loss(changes_at_s - A_MOMENT_S)
    assert breaker.changes_at_s == changes_at_s


def test_it_is_half_open_after_the_delay_and_closed_after_a_calm_time() -> None:
    """Not a moment before."""
    breaker = open_breaker()
    assert not breaker.advance(next_change(breaker) - A_MOMENT_S)
    started_at_s = half_open(breaker) + 0.1
    assert breaker.observe_start(started_at_s)
    closed_at_s = next_change(breaker)
    assert closed_at_s >= started_at_s + LEAST_CALM_S
    assert not breaker.advance(closed_at_s - A_MOMENT_S)
    assert breaker.advance(closed_at_s)
    assert breaker.state is BreakerState.CLOSED
    assert not breaker.advance(closed_at_s + 1e6)


def test_a_worker_that_is_slow_to_start_has_not_lived_calmly() -> None:
    """Its time begins when it is ready, and not again with the next one."""
    breaker = open_breaker()
    now_s = half_open(breaker)
    assert not breaker.advance(now_s + 1000)
    assert breaker.observe_start(now_s + 1000)
    assert not breaker.observe_start(now_s + 1001)
    assert next_change(breaker) < now_s + 1002


def test_workers_that_start_otherwise_say_nothing() -> None:
    """While it is closed, or open."""
    for breaker in (Breaker(3), open_breaker(3)):
        before = breaker.state, breaker.changes_at_s
        assert not breaker.observe_start(200.0)
        assert (breaker.state, breaker.changes_at_s) == before


def test_the_wait_doubles_with_each_worker_that_was_tried_and_lost() -> None:
    """Up to its limit; then it stays."""
    breaker = open_breaker()
    waits_s = []
    for _ in range(8):
        now_s = half_open(breaker)
        assert breaker.observe_loss(now_s)
        waits_s.append(next_change(breaker) - now_s)
    expected = [min(FIRST_DELAY_S * 2.0**times, MAX_DELAY_S) for times in range(1, 9)]
    assert waits_s == pytest.approx(expected)


def test_once_closed_it_counts_from_nothing() -> None:
    """The limit is whole again, and the first wait as short as at first."""
    breaker = open_breaker(max_losses=3)
    breaker.observe_loss(half_open(breaker))
    breaker.observe_start(half_open(breaker))
    now_s = next_change(breaker)
    breaker.advance(now_s)
    assert [breaker.observe_loss(now_s) for _ in range(4)] == [False] * 3 + [True]
    assert next_change(breaker) == pytest.approx(now_s + FIRST_DELAY_S)


@pytest.mark.parametrize("max_losses", [0, -1, math.nan])
def test_a_limit_below_one_makes_no_sense(max_losses: float) -> None:
    """It would open at the first loss, or never tell."""
    with pytest.raises(ValueError, match="at least 1"):
        Breaker(max_losses)
