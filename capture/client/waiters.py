"""Those who wait for what is said of one preview, or of one still, of a session."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from capture.client.events import Event, InputRefused, PreviewSkipped, StillFailed, StillJudged
from capture.gates.stability import Stability

Answer = TypeVar("Answer")


class Waiters:
    """Hands each event to whoever waits for it."""

    def __init__(self) -> None:
        self._previews: dict[int, asyncio.Future[Stability | None]] = {}
        self._stills: dict[int, asyncio.Future[StillJudged]] = {}

    async def preview(self, preview_id: int) -> Stability | None:
        """Wait for what is said of a preview; None when it was passed over.

        Raises
        ------
        SmartCaptureError
            Why it could not be used, or what ended the session.
        """
        return await _answer(self._previews, preview_id)

    async def still(self, still_id: int) -> StillJudged:
        """Wait for the verdict of a still.

        Raises
        ------
        SmartCaptureError
            Why it could not be judged, or what ended the session.
        """
        return await _answer(self._stills, still_id)

    def tell(self, event: Event) -> bool:
        """Hand an event over; False when nobody waits for it."""
        match event:
            case Stability(preview_id=preview_id):
                return _resolve(self._previews.get(preview_id), event)
            case PreviewSkipped(preview_id=preview_id):
                return _resolve(self._previews.get(preview_id), None)
            case InputRefused(preview_id=preview_id, error=error):
                return _reject(self._previews.get(preview_id), error)
            case StillJudged(still_id=still_id):
                return _resolve(self._stills.get(still_id), event)
            case StillFailed(still_id=still_id, error=error):
                return _reject(self._stills.get(still_id), error)
            case _:
                return False

    def give_up(self, reason: BaseException) -> None:
        """Tell all of them that no answer will come."""
        for preview in self._previews.values():
            _reject(preview, reason)
        for still in self._stills.values():
            _reject(still, reason)


async def _answer(waiting: dict[int, asyncio.Future[Answer]], request_id: int) -> Answer:
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    waiting[request_id] = future
    try:
        return await future
    finally:
        waiting.pop(request_id, None)


def _resolve(future: asyncio.Future[Answer] | None, answer: Answer) -> bool:
    if future is None or future.done():
        return False
    future.set_result(answer)
    return True


def _reject(future: asyncio.Future[Answer] | None, error: BaseException) -> bool:
    if future is None or future.done():
        return False
    future.set_exception(error)
    return True
