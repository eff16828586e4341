"""The ledger keeps rows through anything: batches, replacements, stops and full disks."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from capture.errors import LedgerError
from capture.gates.profile import load_profile
from capture.ledger.database import name_of
from capture.ledger.ledger import Ledger, open_ledger
from capture.ledger.rows import Row, row_of_unjudged
from capture.ledger.schema import assessments

PROFILE = load_profile("default")


def row(path: str, status: str = "CORRUPT", **columns: object) -> Row:
    return row_of_unjudged(status, "no picture", PROFILE, "1.0") | {"path": path} | columns


def begin(ledger: Ledger, *sources: str, classify: bool = False) -> int:
    return ledger.begin_run(sources, PROFILE, "1.0", classify=classify)


def test_rows_are_found_by_path_and_by_bytes(tmp_path: Path) -> None:
    """The same bytes at two places are two rows with one hash."""
    with open_ledger(tmp_path / "run.db") as ledger:
        ledger.put(begin(ledger, "/a"), [row("/a/1", sha256="f00"), row("/a/2", sha256="f00")])
        assert set(ledger.rows_at(["/a/2", "/a/3"])) == {"/a/2"}
        assert [found["path"] for found in ledger.rows_with_sha256("f00")] == ["/a/1", "/a/2"]


def test_a_picture_judged_again_replaces_its_row(tmp_path: Path) -> None:
    """A path has one row, and it holds what was said last."""
    with open_ledger(tmp_path / "run.db") as ledger:
        run_id = begin(ledger, "/a")
        ledger.put(run_id, [row("/a/1", "CORRUPT")])
        ledger.put(run_id, [row("/a/1", "TRUNCATED")])
        assert [found["status"] for found in ledger.rows()] == ["TRUNCATED"]


def test_outcomes_are_counted_most_first(tmp_path: Path) -> None:
    """Pictures that ended alike are counted together."""
    with open_ledger(tmp_path / "run.db") as ledger:
        rows = [row("/a/1"), row("/a/2"), row("/a/3", "EMPTY")]
        ledger.put(begin(ledger, "/a"), rows)
        assert [(o.status, o.count) for o in ledger.outcomes()] == [("CORRUPT", 2), ("EMPTY", 1)]


def test_counts_stay_true_whatever_changes_the_rows(tmp_path: Path) -> None:
    """Replaced by us, or edited and deleted by hand with plain SQL: the counts follow."""
    with open_ledger(tmp_path / "run.db") as ledger:
        run_id = begin(ledger, "/a")
        ledger.put(run_id, [row(f"/a/{n}") for n in range(9)])
        ledger.put(run_id, [row("/a/0", "EMPTY"), row("/a/1", "CORRUPT")])
        with sqlite3.connect(tmp_path / "run.db") as plain:
            plain.execute("DELETE FROM assessments WHERE path IN ('/a/2', '/a/3')")
            plain.execute("UPDATE assessments SET status = 'EMPTY' WHERE path = '/a/4'")
        plain.close()
        assert [(o.status, o.count) for o in ledger.outcomes()] == [("CORRUPT", 5), ("EMPTY", 2)]


def test_a_stopped_run_is_taken_up_again(tmp_path: Path) -> None:
    """The same command goes on under the same run; another one, or a finished one, does not."""
    with open_ledger(tmp_path / "run.db") as ledger:
        first = begin(ledger, "/a")
        assert begin(ledger, "/a") == first
        assert begin(ledger, "/b") != first
        assert begin(ledger, "/a", classify=True) != first
        ledger.finish_run(first)
        assert begin(ledger, "/a") != first


def test_a_run_counts_what_was_committed(tmp_path: Path) -> None:
    """The counts of a run grow with its rows, in the same transaction."""
    with open_ledger(tmp_path / "run.db") as ledger:
        run_id = begin(ledger, "/a")
        ledger.put(run_id, [row("/a/1")], scored_count=1)
        ledger.put(run_id, [row("/a/2")], reused_count=1)
        (run,) = ledger.runs()
        assert (run["scored_count"], run["reused_count"]) == (1, 1)


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A row that the database refuses takes its batch back, and nothing else."""
    with open_ledger(tmp_path / "run.db") as ledger:
        run_id = begin(ledger, "/a")
        ledger.put(run_id, [row("/a/1")])
        with pytest.raises(LedgerError, match="NOT NULL"):
            ledger.put(run_id, [row("/a/2"), row("/a/3", profile_sha256=None)])
        assert [found["path"] for found in ledger.rows()] == ["/a/1"]


def test_a_full_disk_is_named_and_loses_nothing_committed(tmp_path: Path) -> None:
    """When the database cannot grow, the error says so and earlier rows stay."""
    with open_ledger(tmp_path / "run.db") as ledger:
        run_id = begin(ledger, "/a")
        ledger.put(run_id, [row("/a/1")])
        with ledger.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(LedgerError, match="full"):
            ledger.put(run_id, [row(f"/b/{n}", error="x" * 1000) for n in range(1000)])
        assert [found["path"] for found in ledger.rows()] == ["/a/1"]


def test_the_ledger_reads_as_plain_sql(tmp_path: Path) -> None:
    """Any SQLite shell sees one table with a column per measure."""
    with open_ledger(tmp_path / "run.db") as ledger:
        ledger.put(begin(ledger, "/a"), [row("/a/1")])
    with sqlite3.connect(tmp_path / "run.db") as plain:
        found = plain.execute(
            "SELECT status, error, verdict, reasons, blur_px, exposure_offset_ev FROM assessments"
        ).fetchall()
    plain.close()
    assert found == [("CORRUPT", "no picture", None, "[]", None, None)]


def test_every_column_says_what_it_holds() -> None:
    """No column of the assessments is without its comment."""
    assert [column.name for column in assessments.columns if not column.comment] == []


def test_odd_names_are_kept_legibly(tmp_path: Path) -> None:
    """A file name that is no text, and a NUL from a hostile archive, do not stop a batch."""
    with open_ledger(tmp_path / "run.db") as ledger:
        strange = row_of_unjudged("CORRUPT", "bad \udcff \0 name", PROFILE, "1.0")
        ledger.put(begin(ledger, "/a"), [strange | {"path": "/a/1"}])
        assert [found["error"] for found in ledger.rows()] == ["bad \\xff \\x00 name"]


@pytest.mark.parametrize(
    "url", ["no://where", "mysql://host/archive", "postgresql://host:port/archive"]
)
def test_what_is_no_url_of_a_database_is_refused(url: str) -> None:
    """No such kind, none of ours, or no such port: an error of the ledger, not of its library."""
    with pytest.raises(LedgerError, match=r"no such kind of database|no database URL"):
        open_ledger(url)


@pytest.mark.parametrize("kind", ["missing", "folder", "other"])
def test_a_place_that_cannot_be_opened_is_named(kind: str, tmp_path: Path) -> None:
    """Whatever the database says of it, its path stands before."""
    file = tmp_path / "photos" / "run.db"
    if kind == "folder":
        file.mkdir(parents=True)
    elif kind == "other":
        file.parent.mkdir()
        with sqlite3.connect(file) as plain:
            plain.execute("CREATE TABLE runs (distance_km REAL)")
        plain.close()
    with pytest.raises(LedgerError, match=rf"^ledger {file}: "):
        open_ledger(file)


def test_a_password_is_never_shown() -> None:
    """A URL is printed without it; a path is printed as it is."""
    shown = name_of("postgresql://me:secret@host/archive")
    assert "secret" not in shown
    assert "host/archive" in shown
    assert name_of("a@b/run.db") == "a@b/run.db"
    with pytest.raises(LedgerError, match="no database URL") as refused:
        open_ledger("postgresql://me:secret@host:port/archive")
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_ledger_is_left_alone(tmp_path: Path) -> None:
    """A picture given as the ledger by mistake is refused and not written to."""
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"\xff\xd8" + bytes(5000))
    with pytest.raises(LedgerError, match=r"photo\.jpg: file is not a database"):
        open_ledger(file)
    assert file.read_bytes() == b"\xff\xd8" + bytes(5000)


def test_looking_at_a_ledger_does_not_make_one(tmp_path: Path) -> None:
    """A mistyped name is an error, not an empty ledger."""
    with pytest.raises(LedgerError, match="no ledger"):
        open_ledger(tmp_path / "typo.db", create=False)
    assert not (tmp_path / "typo.db").exists()


def test_a_database_without_a_ledger_is_only_looked_at(tmp_path: Path) -> None:
    """An empty file, or another program's: what asks of a ledger makes none there."""
    (tmp_path / "empty.db").touch()
    with sqlite3.connect(tmp_path / "other.db") as plain:
        plain.execute("CREATE TABLE bookmarks (url TEXT)")
    plain.close()
    for name in ("empty.db", "other.db"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(LedgerError, match="no ledger in it"):
            open_ledger(tmp_path / name, create=False)
        assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize("place", ["", ":memory:", "sqlite://"])
def test_a_ledger_is_not_kept_in_memory(place: str) -> None:
    """It would be lost with the command, and threads would each have one of their own."""
    with pytest.raises(LedgerError, match="in memory would be lost"):
        open_ledger(place)
