"""How far a run has come."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Effort(StrEnum):
    """What it took to have a picture's row."""

    SCORED = "scored"
    """It was decoded and measured, or failed to be."""
    REUSED = "reused"
    """The measures of the same bytes answered; nothing was decoded."""
    UNCHANGED = "unchanged"
    """Its row stood already."""


@dataclass(slots=True)
class Tally:
    """Counts of the pictures seen so far in one run.

    Attributes
    ----------
    efforts : Counter
        By what it took.
    verdicts : Counter
        By verdict, of those that were judged.
    failures : Counter
        By status, of those that could not be.
    """

    efforts: Counter[Effort] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    def add(self, status: str, verdict: str | None, effort: Effort) -> None:
        """Count one picture."""
        self.efforts[effort] += 1
        if verdict is None:
            self.failures[status] += 1
        else:
            self.verdicts[verdict] += 1

    @property
    def seen_count(self) -> int:
        """Pictures so far."""
        return self.efforts.total()
