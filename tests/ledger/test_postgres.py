"""The ledger on a real PostgreSQL server is the ledger in a SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from capture.errors import LedgerError
from capture.ledger.ledger import Ledger, open_ledger
from capture.ledger.rows import Row
from capture.review.gathering import gather
from tests.ledger.postgres import postgres_server
from tests.ledger.test_labels import label
from tests.ledger.test_migrations import CAPTURE_COLUMNS
from tests.review.ledgers import DEFAULT, filled


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    pytest.importorskip("psycopg", reason="PostgreSQL needs psycopg: [archive]")
    with postgres_server() as server:
        yield server.url


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with open_ledger(url) as opened:
        yield opened
        with opened.engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    with filled(tmp_path / "run.db", 200, broken=10) as sqlite:
        return list(sqlite.rows())


def put(ledger: Ledger, rows: list[Row]) -> int:
    run_id = ledger.begin_run(["/photos"], DEFAULT, "1.0", classify=False)
    ledger.put(run_id, rows, scored_count=len(rows))
    return run_id


def test_rows_are_the_same_in_the_same_order(ledger: Ledger, rows: list[Row]) -> None:
    """To the bit, reasons included."""
    put(ledger, rows)
    assert list(ledger.rows()) == rows
    assert ledger.rows_with_sha256(rows[0]["sha256"]) == [rows[0]]


def test_counts_and_findings_are_the_same(ledger: Ledger, rows: list[Row], tmp_path: Path) -> None:
    """The report says the same of either."""
    put(ledger, rows)
    with open_ledger(tmp_path / "run.db") as sqlite:
        assert ledger.outcomes() == sqlite.outcomes()
        here, there = gather(ledger), gather(sqlite)
    assert here.reasons == there.reasons
    assert here.root == there.root
    for mine, other in zip(here.distributions, there.distributions, strict=True):
        assert (mine.bins == other.bins).all()
        assert (mine.nearest, mine.worst) == (other.nearest, other.worst)


def test_runs_are_taken_up_again(ledger: Ledger, rows: list[Row]) -> None:
    """A stopped run goes on under its number."""
    run_id = put(ledger, rows[:5])
    assert put(ledger, rows) == run_id
    ledger.finish_run(run_id)
    assert put(ledger, rows) != run_id


def test_labels_are_the_same(ledger: Ledger, tmp_path: Path) -> None:
    """The last word of each person, with its moment."""
    with open_ledger(tmp_path / "labels.db") as sqlite:
        for place in (ledger, sqlite):
            place.add_labels([label("f00", minute=1), label("f00", minute=2), label("ba5")])
        assert ledger.labels() == sqlite.labels()
        assert len(ledger.labels()) == 2


def test_machines_may_write_side_by_side(ledger: Ledger, rows: list[Row], url: str) -> None:
    """Four writers of overlapping batches: every row once, the last word stands."""
    run_id = put(ledger, [])
    with open_ledger(url) as other, ThreadPoolExecutor(4) as writers:
        written = [
            writers.submit(place.put, run_id, rows[start : start + 20], scored_count=1)
            for start in range(0, 200, 5)
            for place in (ledger, other)
        ]
        for batch in written:
            batch.result()
    assert list(ledger.rows()) == rows
    assert ledger.runs()[0]["scored_count"] == 80


def test_an_older_schema_is_brought_forward(ledger: Ledger, rows: list[Row], url: str) -> None:
    """A server's ledger from before groups were told gets the columns, and keeps its rows."""
    put(ledger, rows)
    with ledger.engine.begin() as connection:
        for name in (*CAPTURE_COLUMNS, "measures_version"):
            connection.exec_driver_sql(f"ALTER TABLE assessments DROP COLUMN {name}")
        connection.exec_driver_sql("DROP TABLE archives")
        connection.exec_driver_sql("DROP INDEX ix_assessments_size")
        connection.exec_driver_sql("UPDATE ledger_version SET version = 2")
    with open_ledger(url) as opened:
        found = list(opened.rows())
    assert [row["path"] for row in found] == [row["path"] for row in rows]
    assert {row["captured_at"] for row in found} == {None}


def test_a_server_that_is_not_there_is_named() -> None:
    """One line that says where, not a trace of libraries."""
    pytest.importorskip("psycopg", reason="PostgreSQL needs psycopg: [archive]")
    with pytest.raises(LedgerError, match="connection"):
        open_ledger("postgresql://nobody@127.0.0.1:1/nothing")
