"""A queue that is fair between callers, however much each of them sends.

Start-time fair queueing: each caller's jobs are laid end to end in virtual time, at the
length that they are expected to take, and the job that starts earliest goes first. A caller
who sends ten times as much only queues behind itself.

References
----------
Goyal, Vin, Cheng, "Start-time fair queueing", SIGCOMM 1996. doi:10.1145/248156.248171
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")

_MIN_FORGETTING_COUNT = 64


@dataclass(slots=True, order=True)
class Entry(Generic[Item]):
    """A job in the queue.

    Attributes
    ----------
    start_s : float
        Where it starts in virtual time.
    number : int
        Order of arrival, which decides between equals.
    cost_s : float
        How long it is expected to take, in seconds.
    item : object
        The job.
    """

    start_s: float
    number: int
    cost_s: float = field(compare=False)
    item: Item = field(compare=False)


class FairQueue(Generic[Item]):
    """Jobs of many callers, in the order in which they are fairly served."""

    def __init__(self) -> None:
        self._entries: list[Entry[Item]] = []
        self._ends_s: dict[Hashable, float] = {}
        self._now_s = 0.0
        self._count = 0
        self._forget_at_count = _MIN_FORGETTING_COUNT

    def __len__(self) -> int:
        return len(self._entries)

    def push(self, caller: Hashable, cost_s: float, item: Item) -> Entry[Item]:
        """Add a job of a caller; `cost_s` is how long it is expected to take."""
        start_s = self._start_s(caller)
        entry = Entry(start_s, self._count, cost_s, item)
        self._count += 1
        self._ends_s[caller] = start_s + cost_s
        insort(self._entries, entry)
        return entry

    def pop(self) -> Entry[Item]:
        """Take the job whose turn it is.

        Raises
        ------
        IndexError
            If the queue is empty.
        """
        entry = self._entries.pop(0)
        # Time goes on as if those who wait were served at once, each more slowly: whoever
        # comes back is then not for ever behind those who are new.
        share_s = entry.cost_s / (1 + len(self._entries))
        self._now_s = max(self._now_s, entry.start_s) + share_s
        if not self._entries:  # nobody has a claim, and nobody is remembered
            self._ends_s.clear()
        elif len(self._ends_s) > self._forget_at_count:
            self._forget_callers()
        return entry

    def remove(self, entry: Entry[Item]) -> None:
        """Take a job out before its turn, if it is still there."""
        with suppress(ValueError):
            self._entries.remove(entry)

    def cost_ahead_s(self, caller: Hashable) -> float:
        """Return the expected time of all jobs that go before a new one of `caller`."""
        start_s = self._start_s(caller)
        return sum(entry.cost_s for entry in self._entries if entry.start_s <= start_s)

    def _forget_callers(self) -> None:
        """Forget callers whose jobs all ended before now: they count as new anyway."""
        self._ends_s = {
            caller: end_s for caller, end_s in self._ends_s.items() if end_s > self._now_s
        }
        self._forget_at_count = max(_MIN_FORGETTING_COUNT, 2 * len(self._ends_s))

    def _start_s(self, caller: Hashable) -> float:
        return max(self._now_s, self._ends_s.get(caller, 0.0))
