"""How one stream comes to its end, whoever brings it about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TypeVar

from capture.errors import IdleTimeoutError, InvalidMessageError
from capture.server.calls import next_within

Received = TypeVar("Received")


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

    async def next_before(
        self, messages: AsyncIterator[Received], timeout_s: float
    ) -> Received | None:
        """Return the next message of a stream; None when there is none before the end.

        Silence for `timeout_s` seconds, or bytes that are no message, bring the end about. An
        end that comes while this waits cancels the task, which has nothing in hand then.
        """
        if self.has_come:
            return None
        try:
            with self._ending_wait():
                return await next_within(messages, timeout_s)
        except (IdleTimeoutError, InvalidMessageError) as error:
            self.come(error)
            return None

    def come(self, reason: Exception | None = None) -> None:
        """Let the end come; the first reason counts."""
        self.has_come = True
        self.reason = self.reason or reason
        if self._reader is not None:
            self._reader.cancel()

    @contextmanager
    def _ending_wait(self) -> Iterator[None]:
        self._reader = asyncio.current_task()
        try:
            yield
        finally:
            self._reader = None
