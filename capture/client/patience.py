"""How long to wait before coming back to a server, and when to stop trying."""

from __future__ import annotations

import random

import grpc

from capture.client.errors import ServerUnreachableError, error_of_call, pushback_ms

FIRST_CONNECTION_WITHIN_S = 10.0

_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.1, 5.0
_WORTH_COMING_BACK = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
    }
)
# What grpc.aio makes of a write that the end of its stream overtook; the true status is lost.
_OVERTAKEN_WRITE = "Internal error from Core"


class Patience:
    """Exponential backoff that obeys the server's pushback.

    Parameters
    ----------
    reconnect_for_s : float
        For how long to try to come back, in seconds; 0 never tries.
    now_s : float
        Time of a clock that only rises, in seconds.
    """

    def __init__(self, reconnect_for_s: float, now_s: float) -> None:
        self._reconnect_for_s = reconnect_for_s
        self._give_up_at_s = now_s + min(FIRST_CONNECTION_WITHIN_S, reconnect_for_s)
        self._failure_count = 0
        self._is_connected = False

    def connected(self) -> None:
        """Note that the server answered: the next loss starts afresh."""
        self._is_connected = True

    def wait_s(self, failure: grpc.aio.AioRpcError | None, now_s: float) -> float:
        """Return how long to wait after a loss.

        Parameters
        ----------
        failure : grpc.aio.AioRpcError or None
            How the call ended; None when the server ended it without an error.
        now_s : float
            Time of the loss.

        Raises
        ------
        SmartCaptureError
            If coming back is no use, or was tried for long enough.
        """
        if self._is_connected:
            self._is_connected, self._failure_count = False, 0
            self._give_up_at_s = now_s + self._reconnect_for_s
        wait_s = self._backoff_s()
        if failure is not None:
            asked_ms = pushback_ms(failure)
            if not _is_worth_coming_back(failure) or (asked_ms is not None and asked_ms < 0):
                raise error_of_call(failure)
            wait_s = wait_s if asked_ms is None else asked_ms / 1000
        if now_s + wait_s > self._give_up_at_s:
            raise error_of_call(failure) if failure else ServerUnreachableError("the stream ended")
        return wait_s

    def _backoff_s(self) -> float:
        longest_s = min(_FIRST_BACKOFF_S * 2.0**self._failure_count, _LONGEST_BACKOFF_S)
        self._failure_count += 1
        # Spread over time, so that a fleet of cameras does not come back all at once.
        return longest_s * random.uniform(0.8, 1.2)


def _is_worth_coming_back(failure: grpc.aio.AioRpcError) -> bool:
    return failure.code() in _WORTH_COMING_BACK or failure.details() == _OVERTAKEN_WRITE
