"""Sessions that were cut off, and how they go on: in this process, or in the next one."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from capture.errors import ConfigurationError
from capture.gates.profile import Profile
from capture.server.session_file import SessionFile, default_session_file
from capture.server.session_state import UnreadableStateError, session_from, state_of
from capture.session import Session, SessionConfig
from capture.settings import Settings

_LOG = structlog.get_logger("capture.server")


@dataclass(eq=False, slots=True)
class OpenSession:
    """A session that a stream serves.

    Attributes
    ----------
    token : str
        Names the session.
    session : Session
        As it was when its stream opened.
    is_resumed : bool
        Whether it goes on from an earlier stream.
    """

    token: str
    session: Session
    is_resumed: bool
    _key: bytes
    _give_up: Callable[[], Session]
    _is_written: bool = False


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

    def open(
        self, config: SessionConfig, profile: Profile, caller: str, give_up: Callable[[], Session]
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
            came back before we noticed that it had gone. Ends the stream, returns its state.
        """
        token = config.resume_token
        session = self._take(_key(token, caller), config, profile) if token else None
        is_resumed = session is not None
        if session is None:
            token, session = secrets.token_urlsafe(16), Session.start(config, profile)
        opened = OpenSession(token, session, is_resumed, _key(token, caller), give_up)
        self._open[opened._key] = opened
        return opened

    def write(self, opened: OpenSession, session: Session) -> None:
        """Write an open session down, for a client that comes back before its stream ends."""
        if self._open.get(opened._key) is opened:
            self._file.put(opened._key, state_of(session), is_known=opened._is_written)
            opened._is_written = True

    def close(self, opened: OpenSession, session: Session) -> None:
        """Keep a session that has ended, unless another stream goes on with it."""
        self.write(opened, session)
        if self._open.get(opened._key) is opened:
            del self._open[opened._key]

    def end(self) -> None:
        """Let go of the file; what was kept is there for the next process."""
        self._file.close()

    def _take(self, key: bytes, config: SessionConfig, profile: Profile) -> Session | None:
        kept = self._file.take(key)
        if key in self._open:
            return replace(self._open.pop(key)._give_up(), config=config, profile=profile)
        try:
            return None if kept is None else session_from(kept, config, profile)
        except UnreadableStateError as error:
            _LOG.warning("a session starts anew: its state cannot be read", cause=str(error))
            return None


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
