"""What has happened to the workers of a pool."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class LaneStatistics:
    """What has happened to the workers of a pool since its start.

    Attributes
    ----------
    restart_count : int
        Workers started in place of others.
    death_count : int
        Workers that ended by themselves or by another's hand.
    timeout_count : int
        Workers killed because their job ran past its limit.
    poison_count : int
        Jobs refused because they had ended two workers.
    failed_start_count : int
        Workers that did not come up.
    opening_count : int
        Times that so many were lost that the next ones had to wait.
    """

    restart_count: int = 0
    death_count: int = 0
    timeout_count: int = 0
    poison_count: int = 0
    failed_start_count: int = 0
    opening_count: int = 0

    def plus(self, **increments: int) -> LaneStatistics:
        """Return what it is after more has happened."""
        return replace(self, **{name: getattr(self, name) + n for name, n in increments.items()})
