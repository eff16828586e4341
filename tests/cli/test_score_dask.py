"""``smart-capture score --engine dask``, with a cluster that it starts itself."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.archive.pictures import jpeg

pytest.importorskip("distributed", reason="needs the [archive] extra (distributed)")


def score(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "capture", "score", *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@contextmanager
def dashboard_port_taken() -> Iterator[None]:
    """Dask's usual port is held, by this or by another cluster of the machine."""
    with socket.socket() as holder:
        with suppress(OSError):
            holder.bind(("127.0.0.1", 8787))
            holder.listen()
        yield


def test_a_cluster_of_ones_own_is_started_and_stopped(tmp_path: Path) -> None:
    """One flag more than on one machine; nothing of the cluster is printed."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(10):
        (photos / f"{number}.jpg").write_bytes(jpeg(number, 160, 128))
    ledger = ("--ledger", tmp_path / "run.db")
    with dashboard_port_taken():
        done = score(photos, *ledger, "--engine", "dask", "--workers", 1, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["scored_count"] == 10
    assert done.stderr == ""
    again = score(photos, *ledger, "--json")
    assert json.loads(again.stdout)["unchanged_count"] == 10


def test_a_scheduler_without_dask_is_wrong_use(tmp_path: Path) -> None:
    """It would be ignored otherwise, and the work done here in silence."""
    words = ("--ledger", tmp_path / "run.db", "--scheduler", "tcp://127.0.0.1:8786")
    done = score(tmp_path, *words)
    assert done.returncode == 2
    assert "add --engine dask" in done.stderr
