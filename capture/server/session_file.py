"""Where sessions that were cut off wait for their clients: a small SQLite file.

Two server processes of one user share it, so that a session may end in one and go on in
the other. It holds no tokens, and it is for its owner alone: a state has the last preview
in it, 320 px wide.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import structlog

from capture.errors import ConfigurationError
from capture.server.session_state import MAX_STATE_BYTES
from inference.network_cache import cache_folder

_LOG = structlog.get_logger("capture.server")

_LOCK_WAIT_S: Final = 0.5
"""For the other process, which holds the lock for less than a millisecond."""

_HURRIED_WAIT_S: Final = 0.02
"""The same where it can be tried again soon, and others wait for us."""

_SCHEMA: Final = (
    # No bytes of a state that was taken or forgotten stay behind.
    "PRAGMA secure_delete = ON",
    "PRAGMA auto_vacuum = FULL",
    # It has to outlive a process, not the machine: nothing waits for the disk.
    "PRAGMA synchronous = OFF",
    "PRAGMA journal_mode = TRUNCATE",
    "CREATE TABLE IF NOT EXISTS session"
    " (key BLOB PRIMARY KEY, until_s REAL NOT NULL, state BLOB NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS session_until_s ON session (until_s)",
)


def default_session_file() -> Path | None:
    """Return where the servers of this user meet, if there is such a place."""
    folder = cache_folder()
    return None if folder is None else folder / "sessions.db"


class SessionFile:
    """States by key, for a while, in a bounded number. For one thread at a time.

    Parameters
    ----------
    path : Path or None
        The file, made if it is not there; None keeps the states in this process alone.
    kept_s : float
        For how long, in seconds.
    max_count : int
        How many; the oldest go first.
    clock : callable
        Returns seconds, the same in every process.

    Raises
    ------
    ConfigurationError
        If the file cannot be used, or others than its owner may read or write it.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        kept_s: float,
        max_count: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self.kept_s = kept_s
        """For how long, in seconds."""
        self._max_count = max_count
        self._is_hurried = False
        self._clock = clock
        try:
            if path is not None:
                _require_private(path)
            self._database = _opened(":memory:" if path is None else str(path))
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"{path} cannot keep sessions: {error}") from error

    @property
    def outlives_process(self) -> bool:
        """Whether another process can read it."""
        return self._path is not None

    def __len__(self) -> int:
        (count,) = self._database.execute("SELECT count(*) FROM session").fetchone()
        return int(count)

    def put(self, key: bytes, state: bytes, *, is_known: bool = False) -> bool:
        """Keep a state, in place of an older one; return whether the file could be written.

        Parameters
        ----------
        key : bytes
            By which it is taken again.
        state : bytes
            One of more than 2 MiB is not kept.
        is_known : bool
            Only in place of an older one: if that was taken, its session goes on elsewhere.
        """
        if len(state) > MAX_STATE_BYTES:
            return True
        is_written = False
        until_s = self._clock() + self.kept_s
        with self._telling("kept"):
            if is_known:
                self._database.execute(
                    "UPDATE session SET until_s = ?, state = ? WHERE key = ?", (until_s, state, key)
                )
            else:
                self._database.execute(
                    "INSERT OR REPLACE INTO session VALUES (?, ?, ?)", (key, until_s, state)
                )
            is_written = True
            self.forget_old()
        return is_written

    def prolong(self, key: bytes) -> None:
        """Keep a state for as long as if it were put now."""
        with self._telling("kept"):
            self._database.execute(
                "UPDATE session SET until_s = ? WHERE key = ?", (self._clock() + self.kept_s, key)
            )

    def take(self, key: bytes) -> bytes | None:
        """Return a state and keep it no longer; None when there is none, or no longer."""
        row: tuple[bytes] | None = None
        with self._telling("taken up"):
            self.forget_old()
            row = self._database.execute(
                "DELETE FROM session WHERE key = ? RETURNING state", (key,)
            ).fetchone()
        return None if row is None else row[0]

    def forget_old(self) -> None:
        """Forget what was kept for long enough, and the oldest of too many."""
        now_s = self._clock()
        # What ends too late was written under a clock that has been set back since.
        self._database.execute(
            "DELETE FROM session WHERE until_s <= ? OR until_s > ?", (now_s, now_s + self.kept_s)
        )
        self._database.execute(
            "DELETE FROM session WHERE key IN"
            " (SELECT key FROM session ORDER BY until_s DESC LIMIT -1 OFFSET ?)",
            (self._max_count,),
        )

    @contextlib.contextmanager
    def hurried(self) -> Iterator[None]:
        """Wait for another process for hardly any time, and say nothing when that is too short."""
        self._is_hurried = True
        self._database.execute(f"PRAGMA busy_timeout = {1e3 * _HURRIED_WAIT_S:.0f}")
        try:
            yield
        finally:
            self._database.execute(f"PRAGMA busy_timeout = {1e3 * _LOCK_WAIT_S:.0f}")
            self._is_hurried = False

    def close(self) -> None:
        """Close the file; what it holds stays for the next process."""
        self._database.close()

    @contextlib.contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """Go on without the file where it fails: a session starts anew, the server lives."""
        try:
            yield
        except sqlite3.Error as error:
            if not self._is_hurried:
                _LOG.warning(f"a session could not be {what}", cause=str(error))


def _require_private(path: Path) -> None:
    """Make the file if it is not there; raise `OSError` unless it is for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise PermissionError("others than its owner may open it")


def _opened(name: str) -> sqlite3.Connection:
    # In autocommit: each statement is a transaction, and holds its lock no longer.
    database = sqlite3.connect(
        name, timeout=_LOCK_WAIT_S, isolation_level=None, check_same_thread=False
    )
    try:
        for statement in _SCHEMA:
            database.execute(statement)
    except sqlite3.Error:
        database.close()
        raise
    return database
