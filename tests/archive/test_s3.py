"""Archives in an S3 store, of a real server on this machine."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from capture.archive.engines import LocalEngine
from capture.archive.tally import Effort
from capture.ledger.ledger import Ledger, open_ledger
from tests.archive.pictures import jpeg
from tests.archive.runs import measured, score
from tests.archive.s3 import CREDENTIALS, Application, s3_server

fsspec = pytest.importorskip("fsspec", reason="needs the [archive] extra (fsspec)")

IN_FLIGHT = 2
DEADLINE_S = 60.0


def photos(count: int) -> dict[str, bytes]:
    return {f"{number:03d}.jpg": jpeg(number, 96, 80) for number in range(count)}


def packed_zip(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def packed_tar(members: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


FILES = {
    **photos(4),
    "cut.jpg": jpeg(9, 96, 80)[:-300],
    "deeper/photos.zip": packed_zip(photos(3)),
    "deeper/shard-000.tar": packed_tar(photos(3) | {"x.json": b"{}"}),
}


class AtOnce:
    """Holds answers back until several pictures are asked for at the same time."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._together = threading.Barrier(IN_FLIGHT)
        self.meeting_count = 0

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith(".jpg"):
            # Were pictures read one after the other, nobody would ever come to meet the first.
            self._together.wait(DEADLINE_S)
            self.meeting_count += 1
        return self._application(environ, start)


class Gate:
    """Lets twenty pictures through, and no more until it is opened."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._left = threading.Semaphore(20)
        self.open = threading.Event()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        is_picture = environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith(".jpg")
        if is_picture and not self._left.acquire(blocking=False):
            self.open.wait(DEADLINE_S)
        return self._application(environ, start)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    # Clients are kept, and would go on to call the server of another test.
    fsspec.get_filesystem_class("s3").clear_instance_cache()


def fill(files: Mapping[str, bytes]) -> str:
    """Make a bucket with files."""
    bucket = f"photos-{uuid.uuid4().hex}"
    system = fsspec.filesystem("s3")
    system.mkdir(bucket)
    for name, data in files.items():
        system.pipe_file(f"{bucket}/{name}", data)
    return bucket


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that is in nobody's way."""
    with s3_server() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        yield address


@pytest.mark.usefixtures("address")
async def test_a_bucket_is_scored_as_a_folder_is(
    tmp_path: Path, ledger: Ledger, engine: LocalEngine
) -> None:
    """Pictures, a broken one, a zip and a shard: rows as of a disk, and none the second time."""
    bucket = fill(FILES)
    for name, data in FILES.items():
        (tmp_path / bucket / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / bucket / name).write_bytes(data)
    tally = await score(ledger, engine, f"s3://{bucket}")
    assert tally.failures == {"TRUNCATED": 1}
    assert tally.seen_count == 11
    with open_ledger(tmp_path / "disk.db") as disk:
        await score(disk, engine, str(tmp_path / bucket))
        there, here = list(ledger.rows()), list(disk.rows())
    assert [measured(row) for row in there] == [measured(row) for row in here]
    assert there[-1]["path"] == f"s3://{bucket}/deeper/shard-000.tar!002.jpg"
    assert (await score(ledger, engine, f"s3://{bucket}")).efforts == {Effort.UNCHANGED: 11}


async def test_several_pictures_are_on_their_way_at_once(
    monkeypatch: pytest.MonkeyPatch, ledger: Ledger, engine: LocalEngine
) -> None:
    """A store that is slow to answer does not keep workers waiting for one picture at a time."""
    gates: list[AtOnce] = []

    def held_back(application: Application) -> Application:
        gates.append(AtOnce(application))
        return gates[0]

    with s3_server(held_back) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        bucket = fill(photos(4 * IN_FLIGHT))
        tally = await score(ledger, engine, f"s3://{bucket}")
    assert tally.verdicts.total() == 4 * IN_FLIGHT
    assert gates[0].meeting_count == 4 * IN_FLIGHT


def test_a_killed_run_over_a_bucket_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """SIGKILL in mid-run: the same command ends with the rows of a run that was left alone."""
    gates: list[Gate] = []

    def gated(application: Application) -> Application:
        gates.append(Gate(application))
        return gates[0]

    def start(ledger: str) -> subprocess.Popen[bytes]:
        words = ("score", f"s3://{bucket}", "--ledger", ledger, "--workers", "1", "--quiet")
        return subprocess.Popen(
            [sys.executable, "-m", "capture", *words], env=os.environ, cwd=tmp_path
        )

    with s3_server(gated) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        bucket = fill(photos(30) | {"shard.tar": packed_tar(photos(10))})
        with start("run.db") as run:
            ends_at = time.monotonic() + DEADLINE_S
            while count_of(tmp_path / "run.db") == 0:
                assert run.poll() is None
                assert time.monotonic() < ends_at
                time.sleep(0.02)
            run.send_signal(signal.SIGKILL)
        gates[0].open.set()
        assert 0 < count_of(tmp_path / "run.db") < 40
        both = [start(ledger) for ledger in ("run.db", "whole.db")]
        assert [run.wait() for run in both] == [0, 0]
    with open_ledger(tmp_path / "run.db") as here, open_ledger(tmp_path / "whole.db") as there:
        assert list(here.rows()) == list(there.rows())
        assert len(list(here.rows())) == 40


def count_of(file: Path) -> int:
    if not file.exists():
        return 0
    with open_ledger(file) as ledger:
        return sum(outcome.count for outcome in ledger.outcomes())
