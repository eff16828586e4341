"""Bring a ledger forward to the schema of this version; never back."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, delete, insert, inspect, select

from capture.errors import LedgerError
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


def is_current(connection: Connection) -> bool:
    """Say whether the tables are those of this version, without waiting for writers."""
    if not inspect(connection).has_table(ledger_version.name):
        return False
    return connection.scalar(select(ledger_version.c.version)) == latest_version()


def migrate(connection: Connection) -> None:
    """Create the tables in an empty database, or bring older ones forward.

    Runs inside the caller's transaction: all steps happen, or none.

    Raises
    ------
    LedgerError
        If the database holds something else, or a ledger of a newer program.
    """
    tables = set(inspect(connection).get_table_names())
    if ledger_version.name not in tables:
        if tables & set(metadata.tables):
            raise LedgerError("the database holds tables of another program")
        metadata.create_all(connection)
        create_outcome_counts(connection)
        _stamp(connection, latest_version())
        return
    version = connection.scalar(select(ledger_version.c.version))
    if version is None or version > latest_version():
        raise LedgerError(
            f"the ledger has schema {version}, this program knows up to {latest_version()}: "
            "use the program that wrote it, or a newer one"
        )
    for step in range(version + 1, latest_version() + 1):
        MIGRATIONS[step](connection)
        _stamp(connection, step)


def _stamp(connection: Connection, version: int) -> None:
    connection.execute(delete(ledger_version))
    connection.execute(insert(ledger_version).values(version=version))
