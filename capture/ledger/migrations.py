"""Bring a ledger forward to the schema of this version; never back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Engine, delete, insert, inspect, select

from capture.errors import LedgerError
from capture.ledger.database import is_file, is_read_only, keep_log
from capture.ledger.outcomes import create_outcome_counts
from capture.ledger.schema import BY_SIZE, FAILURES, archives, ledger_version, metadata

Migration = Callable[[Connection], None]


def _add_capture_columns(connection: Connection) -> None:
    """Make room for what groups are told by; rows that are there stay without."""
    for column in (
        *("perceptual_hash TEXT", "captured_at TEXT", "exposure_time_s DOUBLE PRECISION"),
        *("f_number DOUBLE PRECISION", "iso DOUBLE PRECISION"),
    ):
        connection.exec_driver_sql(f"ALTER TABLE assessments ADD COLUMN {column}")


def _add_measures_version(connection: Connection) -> None:
    """Say of what is measured already that it was by the first version; rename statuses."""
    for statement in (
        "ALTER TABLE assessments ADD COLUMN measures_version INTEGER",
        "UPDATE assessments SET measures_version = 1 WHERE status = 'ok'",
        "UPDATE assessments SET status = lower(status) "
        "WHERE status IN ('POISON', 'TIMEOUT', 'INTERNAL')",
    ):
        connection.exec_driver_sql(statement)


def _index_failures_alone(connection: Connection) -> None:
    """Let a file judge its rows again without moving each in an index."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("DROP INDEX IF EXISTS ix_assessments_outcome")
        FAILURES.create(connection)


MIGRATIONS: Mapping[int, Migration] = {
    2: create_outcome_counts,
    3: _add_capture_columns,
    4: _add_measures_version,
    5: archives.create,
    6: BY_SIZE.create,
    7: _index_failures_alone,
}
"""What turns schema ``n - 1`` into schema ``n``, under the key ``n``."""

FIRST_VERSION = 1


def latest_version() -> int:
    """Return the schema that this program reads and writes."""
    return max(MIGRATIONS, default=FIRST_VERSION)


def bring_forward(engine: Engine, *, create: bool) -> None:
    """Turn tables that are there into those of this version: by all steps, or by none.

    Parameters
    ----------
    engine : Engine
        A database.
    create : bool
        Make the tables where there are none.

    Raises
    ------
    LedgerError
        If the database holds something else, a ledger of a newer program, or one that needs
        to be brought forward and cannot be written.
    """
    with engine.connect() as connection:  # without waiting for writers, and leaving no trace
        tables = set(inspect(connection).get_table_names())
        is_there = ledger_version.name in tables
        is_current = is_there and _version_of(connection) == latest_version()
    if is_current and not create:
        return
    if not is_there and not create:
        raise LedgerError("there is no ledger in it")
    # A file is of one program; the database of a server may be shared.
    if not is_there and (tables if is_file(engine) else tables & set(metadata.tables)):
        raise LedgerError("it holds tables of another program")
    if is_read_only(engine):
        raise LedgerError(
            "it is of another schema, and nothing can be brought forward that cannot be "
            "written: copy it to where it can"
        )
    keep_log(engine)
    if is_current:
        return
    with engine.execution_options(writes=True).begin() as connection:
        if inspect(connection).has_table(ledger_version.name):  # others may have come first
            _migrate(connection)
        else:
            metadata.create_all(connection)
            create_outcome_counts(connection)
            _stamp(connection, latest_version())


def _version_of(connection: Connection) -> int | None:
    return connection.scalar(select(ledger_version.c.version))


def _migrate(connection: Connection) -> None:
    version = _version_of(connection)
    if version is None or version > latest_version():
        raise LedgerError(
            f"it has schema {version}, this program knows up to {latest_version()}: "
            "use the program that wrote it, or a newer one"
        )
    for step in range(version + 1, latest_version() + 1):
        MIGRATIONS[step](connection)
        _stamp(connection, step)


def _stamp(connection: Connection, version: int) -> None:
    connection.execute(delete(ledger_version))
    connection.execute(insert(ledger_version).values(version=version))
