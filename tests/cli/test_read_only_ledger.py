"""What permissions forbid: ledgers that cannot be written are read, pictures are told of."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from capture.ledger.ledger import open_ledger
from capture.ledger.rows import row_of_unjudged
from tests.review.ledgers import DEFAULT, filled

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="drops capabilities of Linux")

# PR_CAPBSET_DROP of CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: in vain for who is no superuser.
# In the child itself, since a fork of a process that runs gRPC may abort: no preexec_fn.
BOUND_BY_PERMISSIONS = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
for capability in (1, 2):
    libc.prctl(24, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "capture", *sys.argv[1:]])
"""


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command that the permissions of files bind, whoever runs the tests."""
    return subprocess.run(
        [sys.executable, "-c", BOUND_BY_PERMISSIONS, *(str(word) for word in words)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a ledger, neither of which may be written."""
    folder = tmp_path / "backup"
    folder.mkdir()
    filled(folder / "run.db", 20, broken=3).close()
    return folder


def lock(folder: Path) -> None:
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)


def test_a_ledger_that_cannot_be_written_is_read(folder: Path, tmp_path: Path) -> None:
    """Status and export ask; nothing is left beside it."""
    lock(folder)
    status = run("status", folder / "run.db", "--json")
    assert status.returncode == 0, status.stderr
    assert json.loads(status.stdout)["picture_count"] == 23
    exported = run("export", folder / "run.db", "-o", tmp_path / "rows.csv")
    assert (exported.returncode, exported.stderr) == (0, "")
    assert [file.name for file in folder.iterdir()] == ["run.db"]


def test_a_file_alone_that_cannot_be_written_is_read(folder: Path) -> None:
    """Though its folder can be: no log is made there."""
    (folder / "run.db").chmod(0o444)
    assert json.loads(run("status", folder / "run.db", "--json").stdout)["picture_count"] == 23
    assert [file.name for file in folder.iterdir()] == ["run.db"]


def test_what_is_in_the_log_counts_as_well(folder: Path) -> None:
    """Beside a run that writes, or said clearly where the log cannot be read."""
    with closing(sqlite3.connect(folder / "run.db")) as writer:
        writer.execute("DELETE FROM assessments WHERE status = 'TRUNCATED'")
        writer.commit()
        (folder / "run.db").chmod(0o444)
        status = run("status", folder / "run.db", "--json")
        assert json.loads(status.stdout)["picture_count"] == 20
        copy = folder.with_name("copy")
        copy.mkdir()
        for name in ("run.db", "run.db-wal"):
            shutil.copyfile(folder / name, copy / name)
    lock(copy)
    refused = run("status", copy / "run.db")
    assert refused.returncode == 2
    assert "has a log beside it" in refused.stderr


def test_an_older_ledger_that_cannot_be_written_says_so(folder: Path) -> None:
    """It needs to be brought forward: one line, exit code 2."""
    with closing(sqlite3.connect(folder / "run.db")) as plain:
        plain.execute("UPDATE ledger_version SET version = 5")
        plain.commit()
    lock(folder)
    refused = run("status", folder / "run.db")
    assert refused.returncode == 2
    assert "cannot be written: copy it to where it can" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_picture_that_nobody_may_read_ends_no_export(tmp_path: Path) -> None:
    """The others are laid out, and the line says how many are missing."""
    empty = row_of_unjudged("EMPTY", "no bytes", DEFAULT, "1.0")
    photos = [tmp_path / "photos" / name for name in ("a.jpg", "b.jpg")]
    (tmp_path / "photos").mkdir()
    for photo in photos:
        photo.touch()
    with open_ledger(tmp_path / "run.db") as ledger:
        run_id = ledger.begin_run(["/"], DEFAULT, "1.0", classify=False)
        ledger.put(run_id, [empty | {"path": str(photo)} for photo in photos])
    photos[0].chmod(0)
    done = run("export", tmp_path / "run.db", "--copy-to", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "1 laid out, 1 gone or changed since they were judged" in done.stdout
    assert [file.name for file in (tmp_path / "out").rglob("*.jpg")] == ["b.jpg"]
