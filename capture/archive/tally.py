"""How far a run has come."""

from __future__ import annotations

import sqlite3
import weakref
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class Effort(StrEnum):
    """What it took to have a picture's row."""

    SCORED = "scored"
    """It was decoded and measured, or failed to be."""
    REUSED = "reused"
    """The measures of the same bytes answered; nothing was decoded."""
    UNCHANGED = "unchanged"
    """Its row stood already."""


Outcome: TypeAlias = tuple[str, str | None, Effort]
"""Status, verdict and what it took."""


class _Seen:
    """The last outcome of every path, on a disk: it grows with the archive, and memory does not.

    Paths are told apart by 64 bits of their hashes.
    """

    def __init__(self) -> None:
        self._outcomes: list[Outcome] = []
        self._codes: dict[Outcome, int] = {}
        # Of a nameless file that SQLite deletes when it is closed.
        self._table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._table.close)
        self._table.execute("PRAGMA journal_mode = OFF")
        self._table.execute("CREATE TABLE seen (path INTEGER PRIMARY KEY, outcome INTEGER)")
        self._table.execute("BEGIN")

    def get(self, path: str) -> Outcome | None:
        """Return how a path ended last."""
        found = self._table.execute("SELECT outcome FROM seen WHERE path = ?", (hash(path),))
        code = found.fetchone()
        return None if code is None else self._outcomes[code[0]]

    def put(self, path: str, outcome: Outcome) -> Outcome | None:
        """Remember how a path ended now, and return how it had before."""
        if outcome not in self._codes:
            self._codes[outcome] = len(self._outcomes)
            self._outcomes.append(outcome)
        key, code = hash(path), self._codes[outcome]
        put = self._table.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, code))
        if put.rowcount:
            return None
        before = self.get(path)
        self._table.execute("UPDATE seen SET outcome = ? WHERE path = ?", (code, key))
        return before


@dataclass(slots=True)
class Tally:
    """Counts of the pictures seen so far in one run, each path once, as it ended last.

    A name may come twice: in a tar that was added to, or by sources that overlap.

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

    _seen: _Seen | None = field(default_factory=_Seen, repr=False, compare=False)

    def add(self, path: str, status: str, verdict: str | None, effort: Effort) -> None:
        """Count one picture; one that was counted before counts as it ends now."""
        before: Outcome | None = None
        try:
            if self._seen is not None:
                before = self._seen.put(path, (status, verdict, effort))
        except sqlite3.Error:  # no room for it: from here on, each time counts
            self._seen = None
        if before is not None:
            self._count(before, -1)
        self._count((status, verdict, effort), 1)

    def was_written(self, path: str) -> bool:
        """Say whether this run has made the row of a path."""
        before: Outcome | None = None
        with suppress(sqlite3.Error):
            before = None if self._seen is None else self._seen.get(path)
        return before is not None and before[2] is not Effort.UNCHANGED

    def _count(self, outcome: Outcome, by: int) -> None:
        status, verdict, effort = outcome
        counts, of = (self.failures, status) if verdict is None else (self.verdicts, verdict)
        self.efforts[effort] += by
        counts[of] += by
        if not counts[of]:
            del counts[of]

    @property
    def seen_count(self) -> int:
        """Pictures so far."""
        return self.efforts.total()
