"""How fast workers may take the place of others that were lost."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

LOSS_WINDOW_S = 10.0
"""Losses that are older do not count."""

FIRST_DELAY_S = 0.5
MAX_DELAY_S = 8.0
LEAST_CALM_S = 1.0


class BreakerState(StrEnum):
    """Whether workers that are lost are replaced."""

    CLOSED = "closed"
    """At once."""
    OPEN = "open"
    """Not for now."""
    HALF_OPEN = "half_open"
    """One of them was, to see how it fares."""


class Breaker:
    """A circuit breaker over the workers of a pool.

    More losses than `max_losses` within `LOSS_WINDOW_S` seconds open it. After a delay it is
    half open: one worker may be tried. A loss then opens it again, for twice as long, up to
    `MAX_DELAY_S`. When that worker has started and none is lost for as long as it had been
    open, and `LEAST_CALM_S` at least, it is closed. Pure: the clock is the caller's, any that
    does not go back, in seconds.

    Parameters
    ----------
    max_losses : float
        Workers that may be lost within the window, >= 1; infinite for a breaker that never
        opens.

    References
    ----------
    Nygard, "Release It!", 2nd ed. 2018, "Circuit Breaker".
    """

    def __init__(self, max_losses: float) -> None:
        if not max_losses >= 1:
            raise ValueError(f"max_losses must be at least 1, got {max_losses}")
        self._max_losses = max_losses
        self._losses_s: deque[float] = deque()
        self._delay_s = FIRST_DELAY_S
        self.state = BreakerState.CLOSED
        self.changes_at_s: float | None = None
        """When `advance` has something to say; None while there is nothing to wait for."""

    @property
    def delay_s(self) -> float:
        """How long it is open, or was when it last was, in seconds."""
        return self._delay_s

    def observe_loss(self, now_s: float) -> bool:
        """Count a worker that was lost; True when that opens the breaker."""
        if self.state is BreakerState.OPEN:
            return False
        if self.state is BreakerState.HALF_OPEN:
            self._delay_s = min(2 * self._delay_s, MAX_DELAY_S)
        else:
            self._losses_s.append(now_s)
            while self._losses_s[0] <= now_s - LOSS_WINDOW_S:
                self._losses_s.popleft()
            if len(self._losses_s) <= self._max_losses:
                return False
        self.state = BreakerState.OPEN
        self.changes_at_s = now_s + self._delay_s
        return True

    def observe_start(self, now_s: float) -> bool:
        """Begin the calm time with a worker that is ready; True when it was the one tried."""
        if self.state is not BreakerState.HALF_OPEN or self.changes_at_s is not None:
            return False
        self.changes_at_s = now_s + max(self._delay_s, LEAST_CALM_S)
        return True

    def advance(self, now_s: float) -> bool:
        """Let time pass; True when that changes the state."""
        if self.changes_at_s is None or now_s < self.changes_at_s:
            return False
        if self.state is BreakerState.OPEN:
            self.state = BreakerState.HALF_OPEN
            self.changes_at_s = None
        else:
            self.reset()
        return True

    def reset(self) -> None:
        """Close it, and forget what was lost."""
        self._losses_s.clear()
        self._delay_s = FIRST_DELAY_S
        self.state = BreakerState.CLOSED
        self.changes_at_s = None
