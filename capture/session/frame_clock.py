"""Time as the frames tell it: which one is new, which came late, when the clock was set back."""

from __future__ import annotations

import math
from dataclasses import dataclass

CLOCK_JUMP_MS = 1000.0
"""A frame that is older than the newest by more than this comes from a clock set back."""

LATE_IN_SUCCESSION = 3
"""So does the third late frame of a rising row; others were overtaken, or come twice."""

MIN_INTERVAL_MS = 1.0


@dataclass(frozen=True, slots=True)
class FrameClock:
    """The times of the frames so far, folded.

    Attributes
    ----------
    newest_ms : float or None
        Time of the newest frame; None before the first.
    late_ms : tuple of float
        Times of the late frames since then that rise.
    """

    newest_ms: float | None = None
    late_ms: tuple[float, ...] = ()

    def interval_ms(self, at_ms: float) -> float | None:
        """Return the time since the frame before; infinite for a cut, None for a late frame."""
        if self.newest_ms is None:
            return math.inf
        interval_ms = at_ms - self.newest_ms
        if interval_ms >= MIN_INTERVAL_MS:
            return interval_ms
        if interval_ms < -CLOCK_JUMP_MS or len(self._late_with(at_ms)) >= LATE_IN_SUCCESSION:
            return math.inf
        return None

    def after_late(self, at_ms: float) -> FrameClock:
        """Return the clock after a frame that came late or twice."""
        return FrameClock(self.newest_ms, self._late_with(at_ms))

    def _late_with(self, at_ms: float) -> tuple[float, ...]:
        """Return the times of the late frames in succession that rise up to this one."""
        if self.newest_ms is None or at_ms > self.newest_ms - MIN_INTERVAL_MS:
            return self.late_ms  # the newest once more is not late
        return (*(late for late in self.late_ms if late <= at_ms - MIN_INTERVAL_MS), at_ms)
