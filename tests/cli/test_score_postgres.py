"""An archive scored into a real PostgreSQL server, by the same commands."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from capture.errors import LedgerError
from capture.ledger.ledger import open_ledger
from capture.ledger.schema import assessments
from tests.archive.pictures import jpeg
from tests.ledger.postgres import PostgresServer, postgres_server

COUNT = 300
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    pytest.importorskip("psycopg", reason="PostgreSQL needs psycopg: [archive]")
    with postgres_server() as started:
        yield started


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(COUNT):
        data = jpeg(number, 96, 80)
        (folder / f"{number:04d}.jpg").write_bytes(data[:-200] if number % 50 == 7 else data)
    return folder


def start(photos: Path, ledger: str | Path) -> subprocess.Popen[bytes]:
    words = ("score", str(photos), "--ledger", str(ledger), "--workers", "1", "--quiet")
    return subprocess.Popen([sys.executable, "-m", "capture", *words], stderr=subprocess.PIPE)


def count_of(ledger: str) -> int:
    try:
        with open_ledger(ledger, create=False) as opened:
            return int(next(opened.select(select(func.count()).select_from(assessments)))[0])
    except LedgerError:  # just being made
        return 0


def test_a_server_that_crashes_in_mid_run_loses_nothing(
    photos: Path, server: PostgresServer, tmp_path: Path
) -> None:
    """The run says that it goes on, and once the server is back it ends as a file would."""
    whole = start(photos, tmp_path / "run.db")
    run = start(photos, server.url)
    ends_at = time.monotonic() + DEADLINE_S
    while count_of(server.url) == 0:
        assert run.poll() is None
        assert time.monotonic() < ends_at
        time.sleep(0.02)
    server.stop()
    _, said = run.communicate()
    assert run.returncode == 2
    assert b"the same command goes on" in said
    assert b"Traceback" not in said
    server.start()
    assert 0 < count_of(server.url) < COUNT
    again = start(photos, server.url)
    again.communicate()
    whole.communicate()
    assert (again.returncode, whole.returncode) == (1, 1)
    with open_ledger(server.url) as there, open_ledger(tmp_path / "run.db") as here:
        assert list(there.rows()) == list(here.rows())
        assert there.outcomes() == here.outcomes()
        assert [run["resume_count"] for run in there.runs()] == [1]
