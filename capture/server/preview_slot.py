"""Where the newest preview of a session waits until a worker is free."""

from __future__ import annotations

import asyncio

from capture.v1 import session_pb2


class PreviewSlot:
    """Has room for one preview: each new one takes the place of the one before."""

    def __init__(self) -> None:
        self._newest: session_pb2.Preview | None = None
        self._is_closed = False
        self._has_changed = asyncio.Event()

    def put(self, preview: session_pb2.Preview) -> session_pb2.Preview | None:
        """Let a preview wait, and return the one that it takes the place of."""
        passed_over, self._newest = self._newest, preview
        self._has_changed.set()
        return passed_over

    def close(self) -> None:
        """Let no more come; one that waits can still be taken."""
        self._is_closed = True
        self._has_changed.set()

    async def newest(self) -> session_pb2.Preview | None:
        """Wait until there is one, and leave it there; None when no more will come."""
        while self._newest is None and not self._is_closed:
            self._has_changed.clear()
            await self._has_changed.wait()
        return self._newest

    def take(self) -> session_pb2.Preview:
        """Take the newest one out, which has to be there."""
        preview, self._newest = self._newest, None
        assert preview is not None
        return preview
