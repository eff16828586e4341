"""Fills the places whose workers were lost: at once, or when the breaker lets them be."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from inference.breaker import Breaker, BreakerState
from inference.lane_place import Place

_LOGGER = logging.getLogger(__name__)


class Respawn:
    """Decides when a worker that was lost is replaced.

    Parameters
    ----------
    breaker : Breaker
        How many may be lost, and how long to wait when there were more.
    fill : callable
        Starts a worker at a place.
    """

    def __init__(self, breaker: Breaker, fill: Callable[[Place], None]) -> None:
        self._breaker = breaker
        self._fill = fill
        self._withheld: list[Place] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def state(self) -> BreakerState:
        """Whether workers that are lost are replaced."""
        return self._breaker.state

    @property
    def retry_after_s(self) -> float:
        """Time until the next worker is tried, in seconds; 0 when none is waited for."""
        return max(0.0, (self._breaker.changes_at_s or 0.0) - time.monotonic())

    def withholds(self, place: Place) -> bool:
        """Tell whether a place has to wait for its worker."""
        return place in self._withheld

    def replace(self, place: Place) -> bool:
        """Fill a place whose worker was lost, now or later; True when that opens the breaker."""
        has_opened = self._breaker.observe_loss(time.monotonic())
        if self._breaker.state is BreakerState.CLOSED or place.is_retired:
            self._fill(place)
        else:
            self._withheld.append(place)
        if has_opened:
            _LOGGER.error(
                "too many workers were lost: the next one is tried in %g s", self._breaker.delay_s
            )
            self._set_timer()
        return has_opened

    def observe_start(self) -> None:
        """Take note of a worker that is ready: when it was tried, its time begins."""
        if self._breaker.observe_start(time.monotonic()):
            self._set_timer()

    def reset(self) -> None:
        """Forget what was lost, and fill all places that wait."""
        places = self._withheld
        self.stop()
        for place in places:
            self._fill(place)

    def stop(self) -> None:
        """Forget what was lost, and fill no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._withheld = []
        self._breaker.reset()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.retry_after_s, self._on_timer)

    def _on_timer(self) -> None:
        if not self._breaker.advance(time.monotonic()):  # the loop's clock is ahead a little
            self._set_timer()
        elif self._breaker.state is BreakerState.CLOSED:
            _LOGGER.warning("no more workers were lost: all are started again")
            self.reset()
        elif self._withheld:
            _LOGGER.warning("one worker is tried")
            self._fill(self._withheld.pop(0))
        else:  # its place was given up meanwhile
            self.observe_start()
