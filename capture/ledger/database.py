"""Connections to the database of a ledger, and what differs between its kinds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Dialect,
    Engine,
    Table,
    Update,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from capture.errors import LedgerError

BUSY_TIMEOUT_S = 60.0

as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Writes what a JSON column holds."""


def connect(place: str | Path, *, create: bool = True) -> Engine:
    """Return connections to a database; in SQLite with a log that lets readers in.

    Transactions of connections with the execution option ``writes`` wait for each other
    from their beginning.

    Parameters
    ----------
    place : str or Path
        Path of a SQLite file, or a database URL.
    create : bool
        Make the file if there is none.

    Raises
    ------
    LedgerError
        If the URL cannot be used, or there is no such file.
    """
    url = url_of(place)
    file = url.database if url.get_backend_name() == "sqlite" else None
    if file and not create and not Path(file).is_file():
        raise LedgerError(f"no ledger at {file}")
    with named_errors():
        try:
            engine = create_engine(url, json_serializer=as_json)
        except ImportError as error:
            raise LedgerError(f"{url.drivername} needs the package {error.name}") from error
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
    except ArgumentError as error:
        raise LedgerError(f"no database URL: {place}") from error


def name_of(place: str) -> str:
    """Return what may be shown of a ledger's place: never its password."""
    return url_of(place).render_as_string(hide_password=True) if "://" in place else place


def _set_up_sqlite(engine: Engine) -> None:
    """Let readers in while a batch is written, and make every batch all or nothing.

    The driver's own transactions would leave table creation out, so it gets none, and
    SQLAlchemy's begin is passed on as it is.
    """

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {int(1000 * BUSY_TIMEOUT_S)}",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads before it writes would fail, not wait, beside another.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def upsert(table: Table, key: str, connection: Connection) -> Any:
    """Return the statement that inserts rows, or replaces those of the same key."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    return statement.on_conflict_do_update(
        index_elements=[key],
        set_={column.name: statement.excluded[column.name] for column in table.columns},
    )


def execute_plain(
    connection: Connection, statement: Update, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Execute a statement for each of many rows, with their values as they are.

    By its own way the library spends more time on the values of a row than SQLite on
    writing it. Here JSON has to be text already, by `as_json`.
    """
    compiled = _compiled(statement, connection.dialect)
    names = compiled.positiontup
    given = rows if names is None else [tuple([row[name] for name in names]) for row in rows]
    connection.exec_driver_sql(compiled.string, given)


@lru_cache(maxsize=8)
def _compiled(statement: Update, dialect: Dialect) -> Any:
    return statement.compile(dialect=dialect)


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn what the library raises into LedgerError, with the database's own words."""
    try:
        yield
    except NoSuchModuleError as error:
        raise LedgerError(f"no such kind of database: {error}") from error
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise LedgerError(f"ledger: {cause}") from error
