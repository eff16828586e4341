"""Ledgers are brought forward, never back, and strangers are left alone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect

from capture.errors import LedgerError
from capture.ledger import migrations
from capture.ledger.ledger import open_ledger
from tests.review.ledgers import filled

CAPTURE_COLUMNS = ("perceptual_hash", "captured_at", "exposure_time_s", "f_number", "iso")


def version_of(file: Path) -> int:
    plain = sqlite3.connect(file)
    ((version,),) = plain.execute("SELECT version FROM ledger_version").fetchall()
    plain.close()
    return int(version)


def indexes_in(plain: sqlite3.Connection) -> set[str]:
    return {name for (name,) in plain.execute("SELECT name FROM sqlite_master WHERE type='index'")}


def test_a_new_ledger_has_the_latest_schema(tmp_path: Path) -> None:
    """Nothing is migrated that was made just now."""
    open_ledger(tmp_path / "run.db").close()
    assert version_of(tmp_path / "run.db") == migrations.latest_version()


def test_the_first_schema_is_brought_forward(tmp_path: Path) -> None:
    """A ledger from before counts were kept and groups were told has room for both."""
    with filled(tmp_path / "run.db", 30, broken=4) as ledger:
        counted = ledger.outcomes()
    with sqlite3.connect(tmp_path / "run.db") as plain:
        indexes = indexes_in(plain)
        for name in ("outcome_inserted", "outcome_updated", "outcome_deleted"):
            plain.execute(f"DROP TRIGGER {name}")
        plain.execute("DROP TABLE outcome_counts")
        plain.execute("DROP TABLE archives")
        plain.execute("DROP INDEX ix_assessments_size")
        plain.execute("DROP INDEX ix_assessments_failures")
        plain.execute(
            "CREATE INDEX ix_assessments_outcome ON assessments (status, verdict, reason_codes)"
        )
        for name in (*CAPTURE_COLUMNS, "measures_version"):
            plain.execute(f"ALTER TABLE assessments DROP COLUMN {name}")
        plain.execute("UPDATE ledger_version SET version = 1")
    plain.close()
    with open_ledger(tmp_path / "run.db") as ledger:
        assert ledger.outcomes() == counted
        rows = list(ledger.rows())
        assert {row["perceptual_hash"] for row in rows} == {None}
        versions = {(row["status"], row["measures_version"]) for row in rows}
        assert versions == {("ok", 1), ("TRUNCATED", None)}
    with sqlite3.connect(tmp_path / "run.db") as plain:
        assert indexes_in(plain) == indexes
    plain.close()
    assert version_of(tmp_path / "run.db") == migrations.latest_version()


def test_an_older_ledger_takes_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps run in order, each once, and the ledger says how far it has come."""
    open_ledger(tmp_path / "run.db").close()
    latest = migrations.latest_version()
    taken: list[int] = []
    steps = {latest + n: lambda _, n=n: taken.append(n) for n in (1, 2)}
    monkeypatch.setattr(migrations, "MIGRATIONS", {**migrations.MIGRATIONS, **steps})
    for _ in range(2):
        open_ledger(tmp_path / "run.db").close()
    assert taken == [1, 2]
    assert version_of(tmp_path / "run.db") == latest + 2


def test_a_step_that_fails_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration is all or nothing: half a step is rolled back with its tables."""

    def half(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half_made (id INTEGER)")
        connection.exec_driver_sql("no such statement")

    open_ledger(tmp_path / "run.db").close()
    latest = migrations.latest_version()
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", {**migrations.MIGRATIONS, latest + 1: half})
        with pytest.raises(LedgerError):
            open_ledger(tmp_path / "run.db")
    with open_ledger(tmp_path / "run.db") as ledger:
        assert "half_made" not in inspect(ledger.engine).get_table_names()
    assert version_of(tmp_path / "run.db") == latest


def test_a_ledger_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    """What this program does not know it does not write to."""
    open_ledger(tmp_path / "run.db").close()
    with sqlite3.connect(tmp_path / "run.db") as plain:
        plain.execute("UPDATE ledger_version SET version = 99")
    plain.close()
    with pytest.raises(LedgerError, match="schema 99"):
        open_ledger(tmp_path / "run.db")


@pytest.mark.parametrize("table", ["runs", "bookmarks"])
def test_another_programs_tables_are_refused(table: str, tmp_path: Path) -> None:
    """A file with tables, of our names or others, but no version is not ours."""
    with sqlite3.connect(tmp_path / "other.db") as plain:
        plain.execute(f"CREATE TABLE {table} (distance_km REAL)")
    plain.close()
    with pytest.raises(LedgerError, match="another program"):
        open_ledger(tmp_path / "other.db")
