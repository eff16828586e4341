"""What is waiting to be judged: filled by the list, drained one by one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Backlog(Generic[Item]):
    """A queue that is filled with many at once, when few are left.

    Taking one does not wake whoever fills it, until it is worth while.

    Parameters
    ----------
    few_count : int
        With so many left, more are asked for.
    """

    def __init__(self, few_count: int) -> None:
        self._few_count = few_count
        self._items: deque[Item] = deque()
        self._is_ended = False
        self._is_low = asyncio.Event()
        self._has_some = asyncio.Event()

    async def put(self, items: Iterable[Item]) -> None:
        """Add items, and wait until few are left."""
        self._items.extend(items)
        if self._items:
            self._has_some.set()
        if len(self._items) > self._few_count:
            self._is_low.clear()
            await self._is_low.wait()

    def end(self) -> None:
        """Say that there are no more."""
        self._is_ended = True
        self._has_some.set()

    async def get(self) -> Item | None:
        """Take the first one, or wait for it; None after the last."""
        while not self._items:
            if self._is_ended:
                return None
            self._has_some.clear()
            await self._has_some.wait()
        item = self._items.popleft()
        if len(self._items) <= self._few_count:
            self._is_low.set()
        return item
