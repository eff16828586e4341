"""How one stream comes to its end, whoever brings it about."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class StreamEnd:
    """Nothing more is read once it has come, and nothing is lost that was read before.

    Attributes
    ----------
    has_come : bool
        Whether nothing more is to be read.
    reason : Exception or None
        What the client is told when all that was read has been answered; None for an end
        in peace.
    """

    def __init__(self) -> None:
        self.has_come = False
        self.reason: Exception | None = None
        self._reader: asyncio.Task[object] | None = None

    @contextmanager
    def ending_wait(self) -> Iterator[None]:
        """Have the end cancel this task while it is in here, which has nothing in hand then."""
        self._reader = asyncio.current_task()
        try:
            yield
        finally:
            self._reader = None

    def come(self, reason: Exception | None = None) -> None:
        """Let the end come; the first reason counts."""
        self.has_come = True
        self.reason = self.reason or reason
        if self._reader is not None:
            self._reader.cancel()
