"""What a server refused for the moment, sent again over the same stream."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

from capture.v1 import assessment_pb2

FIRST_RETRY_AFTER_S = 0.1

Key = TypeVar("Key")


class Retries(Generic[Key]):
    """Sends again what may be retried, when the server said, and not for ever.

    Parameters
    ----------
    send : callable
        Called with the key of what is due.
    max_attempts : int
        Times that one thing is sent, the first one included.
    """

    def __init__(self, send: Callable[[Key], None], max_attempts: int) -> None:
        self._send = send
        self._max_attempts = max_attempts
        self._attempts: Counter[Key] = Counter()
        self._timers: dict[Key, asyncio.TimerHandle] = {}

    def put_off(self, key: Key, error: assessment_pb2.ImageError) -> bool:
        """Arrange one more attempt; False when this answer is the last.

        Parameters
        ----------
        key : object
            What was answered.
        error : ImageError
            How; an empty one where it was judged.
        """
        self._attempts[key] += 1
        if not error.retryable or self._attempts[key] >= self._max_attempts:
            del self._attempts[key]
            return False
        wait_s = max(error.retry_after_ms / 1000, FIRST_RETRY_AFTER_S)
        self._timers[key] = asyncio.get_running_loop().call_later(wait_s, self._send_due, key)
        return True

    def stream_ended(self) -> None:
        """Arrange nothing more: what has no answer goes over the next stream anyway, once."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _send_due(self, key: Key) -> None:
        del self._timers[key]
        self._send(key)
