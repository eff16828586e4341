"""Rows on their way into the ledger: gathered, and committed by batch."""

from __future__ import annotations

import asyncio
import time
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
        self._rows: asyncio.Queue[tuple[Row, Effort] | None] = asyncio.Queue(BATCH_COUNT)

    async def put(self, row: Row, effort: Effort) -> None:
        """Hand a row over; waits while as many lie there as a batch holds."""
        await self._rows.put((row, effort))

    async def end(self) -> None:
        """Say that there are no more."""
        await self._rows.put(None)

    async def commit_all(self) -> None:
        """Commit until the last row.

        Raises
        ------
        LedgerError
            If a batch cannot be written.
        """
        more = True
        while more:
            batch: Batch = {}
            more = await self._fill(batch)
            efforts = [effort for _, effort in batch.values()]
            put = partial(
                self._ledger.put,
                self._run_id,
                [row for row, _ in batch.values()],
                scored_count=efforts.count(Effort.SCORED),
                reused_count=efforts.count(Effort.REUSED),
            )
            if batch:
                await self._in_thread(put)

    async def _fill(self, batch: Batch) -> bool:
        """Wait for rows until there are enough or they get old; False after the last."""
        ends_at: float | None = None
        while len(batch) < BATCH_COUNT:
            try:
                timeout_s = None if ends_at is None else max(0.0, ends_at - time.monotonic())
                async with asyncio.timeout(timeout_s):
                    item = await self._rows.get()
            except TimeoutError:
                return True
            if item is None:
                return False
            batch[item[0]["path"]] = item
            ends_at = ends_at or time.monotonic() + BATCH_S
        return True
