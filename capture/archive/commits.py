"""Rows on their way into the ledger: gathered, and committed by batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeAlias

from capture.archive.tally import Effort
from capture.ledger.ledger import Ledger
from capture.ledger.rows import Row

BATCH_COUNT = 64
BATCH_S = 1.0

Batch: TypeAlias = dict[str, tuple[Row, Effort]]
"""Rows and what they took, by path: of two for one path the last one counts."""


class RowWriter:
    """Commits rows as soon as there are enough of them, or the first one is a second old.

    Parameters
    ----------
    ledger : Ledger
        Where they go.
    run_id : int
        The run that made them.
    in_thread : callable
        Calls a function where it may wait for the database.
    """

    def __init__(
        self,
        ledger: Ledger,
        run_id: int,
        in_thread: Callable[[Callable[[], None]], Coroutine[Any, Any, None]],
    ) -> None:
        self._ledger = ledger
        self._run_id = run_id
        self._in_thread = in_thread
        self._batch: Batch = {}
        self._is_due = asyncio.Event()
        self._was_taken = asyncio.Event()
        self._is_ended = False

    async def put(self, row: Row, effort: Effort) -> None:
        """Hand a row over; waits while as many lie there as a batch holds."""
        while len(self._batch) >= BATCH_COUNT:
            self._was_taken.clear()
            await self._was_taken.wait()
        if not self._batch:
            asyncio.get_running_loop().call_later(BATCH_S, self._is_due.set)
        self._batch[row["path"]] = row, effort
        if len(self._batch) >= BATCH_COUNT:
            self._is_due.set()

    def end(self) -> None:
        """Say that there are no more."""
        self._is_ended = True
        self._is_due.set()

    async def commit_all(self) -> None:
        """Commit until the last row.

        Raises
        ------
        LedgerError
            If a batch cannot be written.
        """
        while self._batch or not self._is_ended:
            await self._is_due.wait()
            self._is_due.clear()
            batch, self._batch = self._batch, {}
            self._was_taken.set()
            if batch:
                await self._in_thread(partial(self._commit, batch))

    def _commit(self, batch: Batch) -> None:
        efforts = [effort for _, effort in batch.values()]
        self._ledger.put(
            self._run_id,
            [row for row, _ in batch.values()],
            scored_count=efforts.count(Effort.SCORED),
            reused_count=efforts.count(Effort.REUSED),
        )
