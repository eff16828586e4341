"""Sessions that were cut off, and how they go on: in this process, or in the next one.

What an open session remembers is written down every so often, by a thread of its own, so
that a process that is killed takes no more than the last second or two with it.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from capture.errors import ConfigurationError
from capture.gates.profile import Profile
from capture.server.session_file import SessionFile, default_session_file
from capture.server.session_state import UnreadableStateError, session_from, state_of
from capture.session import Session, SessionConfig
from capture.settings import Settings

WRITE_INTERVAL_S = 1.8
"""How often the open sessions that have changed are written down."""

_WRITE_SHARE = 0.02
"""Share of a core that this may take; with very many of them it is done less often."""

_LOG = structlog.get_logger("capture.server")


@dataclass(eq=False, slots=True)
class OpenSession:
    """A session that a stream serves.

    Attributes
    ----------
    token : str
        Names the session.
    session : Session
        As it is now: the stream puts each new one here.
    is_resumed : bool
        Whether it goes on from an earlier stream.
    """

    token: str
    session: Session
    is_resumed: bool
    _key: bytes
    _give_up: Callable[[], object]
    _written: Session | None = None
    _written_at_s: float | None = None


class SessionShelf:
    """Knows the open sessions by their tokens, and keeps those that were cut off.

    A token is 128 random bits. Only its hash is kept, together with the name of its caller:
    it is worth nothing in the hands of another one.

    Parameters
    ----------
    file : SessionFile
        Where the sessions are kept that no stream serves.
    """

    def __init__(self, file: SessionFile) -> None:
        self._file = file
        self._open: dict[bytes, OpenSession] = {}
        self._lock = threading.Lock()  # over both, and so that a newer state is written last
        self._is_ending = threading.Event()
        self._writer = threading.Thread(target=self._keep_written, name="sessions", daemon=True)

    def start(self) -> None:
        """Write open sessions down from now on, where another process can read them."""
        if self._file.outlives_process:
            self._writer.start()

    def open(
        self, config: SessionConfig, profile: Profile, caller: str, give_up: Callable[[], object]
    ) -> OpenSession:
        """Open a session, or go on with the one that the configuration names.

        Parameters
        ----------
        config : SessionConfig
            As the client sent it.
        profile : Profile
            The limits in force.
        caller : str
            Name of the caller; empty where callers have none.
        give_up : callable
            Called when the session is taken over by another stream, because its client
            came back before we noticed that it had gone. Ends the stream.
        """
        token = config.resume_token
        session = self._take(_key(token, caller), config, profile) if token else None
        if session is not None:
            opened = OpenSession(token, session, True, _key(token, caller), give_up)
        else:
            token, session = secrets.token_urlsafe(16), Session.start(config, profile)
            # As good as written: it has nothing to lose yet.
            opened = OpenSession(token, session, False, _key(token, caller), give_up, session)
        with self._lock:
            self._open[opened._key] = opened
        return opened

    def write(self, opened: OpenSession) -> None:
        """Write an open session down, for a client that comes back before its stream ends."""
        session = opened.session
        state = state_of(session)
        with self._lock:
            self._put(opened, session, state)

    def close(self, opened: OpenSession) -> None:
        """Keep a session that has ended, unless another stream goes on with it."""
        self.write(opened)
        with self._lock:
            if self._open.get(opened._key) is opened:
                del self._open[opened._key]

    def end(self) -> None:
        """Let go of the file; what was kept is there for the next process."""
        self._is_ending.set()
        if self._writer.is_alive():
            self._writer.join()
        self._file.close()

    def _take(self, key: bytes, config: SessionConfig, profile: Profile) -> Session | None:
        with self._lock:
            kept = self._file.take(key)
            before = self._open.pop(key, None)
        if before is not None:
            before._give_up()
            return replace(before.session, config=config, profile=profile)
        try:
            return None if kept is None else session_from(kept, config, profile)
        except UnreadableStateError as error:
            _LOG.warning("a session starts anew: its state cannot be read", cause=str(error))
            return None

    def _put(self, opened: OpenSession, session: Session, state: bytes) -> None:
        # The thread is overtaken where the stream went on, or ended, in the meantime.
        if self._open.get(opened._key) is not opened or opened.session is not session:
            return
        if self._file.put(opened._key, state, is_known=opened._written_at_s is not None):
            opened._written, opened._written_at_s = session, time.monotonic()

    def _keep_written(self) -> None:
        """Write down what has changed, and keep what has not from growing too old."""
        least_s = min(WRITE_INTERVAL_S, self._file.kept_s / 3)
        wait_s = least_s
        while not self._is_ending.wait(wait_s):
            started_s = time.thread_time()
            with self._lock:
                all_open = tuple(self._open.values())
            for opened in all_open:
                if self._is_ending.is_set():
                    return
                self._keep(opened)
            wait_s = max(least_s, (time.thread_time() - started_s) / _WRITE_SHARE)

    def _keep(self, opened: OpenSession) -> None:
        session = opened.session
        if session is not opened._written:
            state = state_of(session)
            with self._lock, self._file.hurried():
                self._put(opened, session, state)
            return
        now_s, written_at_s = time.monotonic(), opened._written_at_s
        if written_at_s is not None and now_s - written_at_s > self._file.kept_s / 3:
            with self._lock, self._file.hurried():
                self._file.prolong(opened._key)
                opened._written_at_s = now_s


def open_session_file(settings: Settings) -> SessionFile:
    """Open the file of the settings, or the one at which the servers of this user meet.

    Raises
    ------
    ConfigurationError
        If the one of the settings cannot be used. Without the other one, sessions go on
        within this process alone; the log says so.
    """
    kept_s, max_count = settings.session_kept_s, settings.max_session_count
    if settings.session_file is not None:
        return SessionFile(settings.session_file, kept_s=kept_s, max_count=max_count)
    try:
        return SessionFile(default_session_file(), kept_s=kept_s, max_count=max_count)
    except ConfigurationError as error:
        _LOG.warning("sessions will not outlive this process", cause=str(error))
        return SessionFile(None, kept_s=kept_s, max_count=max_count)


def _key(token: str, caller: str) -> bytes:
    return hashlib.sha256(f"{caller}\0{token}".encode(errors="surrogateescape")).digest()
