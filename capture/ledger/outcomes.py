"""Counts of pictures that ended alike, at hand however large the ledger is.

In SQLite ``outcome_counts`` is a table that triggers keep true, whatever SQL changes the
rows. In PostgreSQL it is a view: counters shared by several writers would make them wait
for each other, and the server counts in parallel.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, column, select, table

outcome_counts = table(
    "outcome_counts", column("status"), column("verdict"), column("reason_codes"), column("count")
)

_GROUPED = """
SELECT status, coalesce(verdict, '') AS verdict, reason_codes, count(*) AS count
FROM assessments GROUP BY 1, 2, 3
"""

_VIEW = (f"CREATE VIEW outcome_counts AS {_GROUPED}",)


def _add(row: str, count: int) -> str:
    return f"""
    INSERT INTO outcome_counts VALUES
        ({row}.status, coalesce({row}.verdict, ''), {row}.reason_codes, {count})
    ON CONFLICT DO UPDATE SET count = count + excluded.count;
    """


_KEPT_TABLE = (
    """
    CREATE TABLE outcome_counts (
        status TEXT NOT NULL, verdict TEXT NOT NULL, reason_codes TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (status, verdict, reason_codes)
    ) WITHOUT ROWID
    """,
    f"INSERT INTO outcome_counts {_GROUPED}",
    f"CREATE TRIGGER outcome_inserted AFTER INSERT ON assessments BEGIN {_add('new', 1)} END",
    f"CREATE TRIGGER outcome_deleted AFTER DELETE ON assessments BEGIN {_add('old', -1)} END",
    f"""
    CREATE TRIGGER outcome_updated AFTER UPDATE OF status, verdict, reason_codes ON assessments
    WHEN (old.status, old.verdict, old.reason_codes)
        IS NOT (new.status, new.verdict, new.reason_codes)
    BEGIN {_add("old", -1)} {_add("new", 1)} END
    """,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many pictures ended alike.

    Attributes
    ----------
    status : str
        ``ok``, or the code of why they were not judged.
    verdict : str or None
        None unless the status is ``ok``.
    reason_codes : tuple of str
        Gravest first; empty where nothing was wrong.
    count : int
        Pictures.
    """

    status: str
    verdict: str | None
    reason_codes: tuple[str, ...]
    count: int


def outcomes_in(connection: Connection) -> list[Outcome]:
    """Count the pictures that ended alike, most first."""
    counted = outcome_counts.c
    query = (
        select(counted.status, counted.verdict, counted.reason_codes, counted.count)
        .where(counted.count > 0)
        .order_by(counted.count.desc(), counted.status, counted.verdict, counted.reason_codes)
    )
    return [
        Outcome(status, verdict or None, tuple(codes.split(",")) if codes else (), count)
        for status, verdict, codes, count in connection.execute(query)
    ]


def create_outcome_counts(connection: Connection) -> None:
    """Create ``outcome_counts``, and count the rows that are there already."""
    statements = _KEPT_TABLE if connection.dialect.name == "sqlite" else _VIEW
    for statement in statements:
        connection.exec_driver_sql(statement)
