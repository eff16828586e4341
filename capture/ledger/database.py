"""Connections to the database of a ledger, and what differs between its kinds."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Dialect,
    Engine,
    Insert,
    Table,
    Update,
    bindparam,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from capture.errors import LedgerError

BUSY_TIMEOUT_S = 60.0

as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Writes what a JSON column holds."""


def connect(place: str | Path, *, create: bool = True) -> Engine:
    """Return connections to a database; none is opened yet.

    Transactions of connections with the execution option ``writes`` wait for each other
    from their beginning.

    Parameters
    ----------
    place : str or Path
        Path of a SQLite file, or a database URL.
    create : bool
        Make the file if there is none. Otherwise a file that cannot be written is opened to
        be read, see `is_read_only`.

    Raises
    ------
    LedgerError
        If the URL cannot be used, there is no such file, or it cannot be read as it lies.
    """
    url = url_of(place)
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise LedgerError(
            f"no such kind of database: {url.drivername}; give a file or postgresql://host/name"
        )
    file = url.database if url.get_backend_name() == "sqlite" else None
    if url.get_backend_name() == "sqlite" and file in (None, "", ":memory:"):
        raise LedgerError("a ledger is a file or a database: one in memory would be lost")
    if file and not create:
        if not Path(file).is_file():
            raise LedgerError(f"no ledger at {file}")
        if not _can_be_written(Path(file)):
            url = _url_to_read(Path(file))
    try:
        engine = create_engine(url, json_serializer=as_json)
    except ArgumentError as error:
        raise LedgerError(f"no such kind of database: {error}") from error
    except ImportError as error:
        raise LedgerError(
            f"{url.drivername} needs {error.name}: pip install 'smart-capture[archive]'"
        ) from error
    if url.get_backend_name() == "sqlite":
        _set_up_sqlite(engine)
    return engine


def url_of(place: str | Path) -> URL:
    """Return the database URL of a file, or of what is one already.

    Raises
    ------
    LedgerError
        If it looks like a URL and is none.
    """
    if isinstance(place, Path) or "://" not in place:
        return URL.create("sqlite", database=str(place))
    try:
        return make_url(place)
    except (ArgumentError, ValueError) as error:  # a port that is no number
        # Where its password lies, nobody knows.
        raise LedgerError(f"no database URL: {place.partition('://')[0]}://...") from error


def name_of(place: str | Path) -> str:
    """Return what may be shown of a ledger's place: never its password."""
    if isinstance(place, Path) or "://" not in place:
        return str(place)
    return url_of(place).render_as_string(hide_password=True)


def is_file(engine: Engine) -> bool:
    """Say whether a database is a SQLite file, which is of one program alone."""
    return engine.dialect.name == "sqlite"


def is_read_only(engine: Engine) -> bool:
    """Say whether a SQLite file was opened to be read, since it cannot be written."""
    return engine.url.query.get("mode") == "ro"


def _can_be_written(file: Path) -> bool:
    # The log is made beside it.
    return os.access(file, os.W_OK) and os.access(file.absolute().parent, os.W_OK)


def _url_to_read(file: Path) -> URL:
    query = {"uri": "true", "mode": "ro"}
    log, index = (file.with_name(f"{file.name}-{end}") for end in ("wal", "shm"))
    if not log.exists():
        # Nobody writes: then no log is needed, and none could be made.
        query["immutable"] = "1"
    elif not index.exists() and not os.access(file.absolute().parent, os.W_OK):
        raise LedgerError(f"{file} has a log beside it: copy both to where they can be written")
    return URL.create("sqlite", database=f"file:{quote(str(file.absolute()))}", query=query)


def _set_up_sqlite(engine: Engine) -> None:
    """Make every batch all or nothing, and have it wait for others.

    The driver's own transactions would leave table creation out, so it gets none, and
    SQLAlchemy's begin is passed on as it is.
    """

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        pragmas = [f"busy_timeout = {int(1000 * BUSY_TIMEOUT_S)}"]
        if not is_read_only(engine):
            pragmas += ["synchronous = NORMAL", "foreign_keys = ON"]
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads before it writes would fail, not wait, beside another.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def keep_log(engine: Engine) -> None:
    """Have a SQLite file keep a log, which lets readers in while a batch is written.

    It is a property of the file, which is changed outside of any transaction.

    Raises
    ------
    LedgerError
        If the file cannot be changed.
    """
    if not is_file(engine):
        return
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error as error:
        raise LedgerError(str(error)) from error
    finally:
        connection.close()


@lru_cache(maxsize=8)
def upsert(table: Table, key: str, dialect: Dialect) -> Insert:
    """Return the statement that inserts rows, or replaces those of the same key."""
    inserts: Any = postgresql if dialect.name == "postgresql" else sqlite
    statement = inserts.insert(table).values({c.name: bindparam(c.name) for c in table.columns})
    replaced = {column.name: statement.excluded[column.name] for column in table.columns}
    upserting: Insert = statement.on_conflict_do_update(index_elements=[key], set_=replaced)
    return upserting


def execute_plain(
    connection: Connection, statement: Update | Insert, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Execute a statement for each of many rows, with their values as they are.

    By its own way the library spends more time on the values of a row than SQLite on
    writing it. Here JSON has to be text already, by `as_json`.
    """
    compiled = _compiled(statement, connection.dialect)
    names = compiled.positiontup
    given = rows if names is None else list(map(itemgetter(*names), rows))
    connection.exec_driver_sql(compiled.string, given)


def select_among(
    connection: Connection, columns: Sequence[Column[Any]], key: Column[Any], values: Sequence[str]
) -> Sequence[Any]:
    """Return the rows whose key is one of many values; JSON stays as the driver gives it.

    Again as plain SQL, and all values as one: by its own way the library writes the statement
    anew for each count of them.
    """
    asked = f"SELECT {', '.join(map(str, columns))} FROM {key.table} WHERE {key}"
    if connection.dialect.name == "postgresql":
        return connection.exec_driver_sql(f"{asked} = ANY(%s)", (list(values),)).all()
    among = f"{asked} IN (SELECT value FROM json_each(?))"
    return connection.exec_driver_sql(among, (as_json(list(values)),)).all()


@lru_cache(maxsize=8)
def _compiled(statement: Update | Insert, dialect: Dialect) -> Any:
    return statement.compile(dialect=dialect)


@contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Turn what the library raises into LedgerError: the ledger's name, the database's words."""
    try:
        yield
    except (SQLAlchemyError, LedgerError) as error:
        raise LedgerError(f"ledger {name}: {getattr(error, 'orig', None) or error}") from error
