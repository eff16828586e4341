"""Sessions that were cut off, kept for a while so that they can go on."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from capture.session import Session

KEPT_S = 60.0
_MAX_KEPT_COUNT = 512


@dataclass(frozen=True, slots=True)
class _Kept:
    session: Session
    until_s: float


class SessionShelf:
    """Holds the state of sessions by their tokens: of the open ones, and of those cut off.

    Bounded in number and time; the oldest go first. A session holds some 100 kB, most of it
    its last small plane.

    Parameters
    ----------
    clock : callable
        Returns seconds; rising.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._open: dict[str, Callable[[], Session]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def open(self, token: str, give_up: Callable[[], Session]) -> tuple[str, Session | None]:
        """Open a session, or go on with an earlier one.

        Parameters
        ----------
        token : str
            Of the session to go on with; empty for a new one.
        give_up : callable
            Called when the session is taken over by another stream, because its client
            came back before we noticed that it had gone. Ends the stream, returns its state.

        Returns
        -------
        str, Session or None
            The session's token, and its state if there is one to go on with.
        """
        session = self._take(token) if token else None
        if session is None:
            token = secrets.token_urlsafe(16)
        self._open[token] = give_up
        return token, session

    def close(self, token: str, give_up: Callable[[], Session], session: Session) -> None:
        """Keep a session that has ended, unless another stream has taken it over."""
        if self._open.get(token) != give_up:
            return
        del self._open[token]
        self._kept[token] = _Kept(session, self._clock() + KEPT_S)
        self._forget_old()

    def _take(self, token: str) -> Session | None:
        self._forget_old()
        if token in self._open:
            return self._open.pop(token)()
        kept = self._kept.pop(token, None)
        return None if kept is None else kept.session

    def _forget_old(self) -> None:
        now_s = self._clock()
        while self._kept:
            oldest = next(iter(self._kept.values()))
            if oldest.until_s > now_s and len(self._kept) <= _MAX_KEPT_COUNT:
                return
            self._kept.popitem(last=False)
