"""A Dask cluster gives the rows that one machine gives, whatever it loses on the way."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from capture import __version__
from capture.archive.engines import Engine, LocalEngine
from capture.archive.judging import Judging
from capture.archive.run import ArchiveRun
from capture.archive.sources import Sources
from capture.archive.tally import Tally
from capture.errors import ConfigurationError
from capture.gates.profile import load_profile
from capture.ledger.ledger import open_ledger
from capture.ledger.rows import Row
from inference.lanes import LanePool
from tests.archive.pictures import jpeg
from tests.archive.workers import KILLS, RAISES, build_hostile_worker

dask = pytest.importorskip("dask", reason="needs the [archive] extra (distributed)")

from distributed import LocalCluster  # noqa: E402

from capture.archive.dask_engine import DaskEngine  # noqa: E402

DEFAULT = load_profile("default")
PICTURE_COUNT = 60


def hostile_pool(*, worker_count: int) -> LanePool:
    return LanePool(build_hostile_worker, worker_count=worker_count, job_timeout_s=30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures, some that are none, one that ends its worker and one that confuses it."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(PICTURE_COUNT):
        (folder / f"{number:03d}.jpg").write_bytes(jpeg(number, 160, 128))
    for name, data in {"a": b"", "b": b"no picture", "c": KILLS, "d": RAISES}.items():
        (folder / f"{name}.jpg").write_bytes(data)
    return folder


async def rows_by(
    engine: Engine, folder: Path, file: Path, *, after_some: asyncio.Event | None = None
) -> list[Row]:
    """Score a folder, and return its rows."""

    def tell(tally: Tally) -> None:
        if after_some is not None and tally.seen_count >= PICTURE_COUNT // 4:
            after_some.set()

    with open_ledger(file) as ledger:
        run_id = ledger.begin_run([str(folder)], DEFAULT, __version__, classify=False)
        judging = Judging(DEFAULT, __version__, False, False, ledger.max_pixels_of)
        run = ArchiveRun(ledger, engine, judging, run_id=run_id, on_progress=tell)
        await run.score(Sources([str(folder)]))
        return list(ledger.rows())


@pytest.fixture
async def cluster() -> AsyncIterator[LocalCluster]:
    """Two worker processes, as somebody else would have started them."""
    with dask.config.set({"distributed.worker.daemon": False}):
        async with LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", asynchronous=True
        ) as started:
            yield started


async def test_rows_equal_those_of_one_machine_with_a_worker_lost(
    folder: Path, tmp_path: Path, cluster: LocalCluster
) -> None:
    """One of two worker processes is killed at work; every row is there once and the same."""
    async with LocalEngine(hostile_pool(worker_count=2)) as local:
        expected = await rows_by(local, folder, tmp_path / "local.db")
    after_some = asyncio.Event()
    async with DaskEngine(hostile_pool, cluster.scheduler_address, 1) as engine:
        scoring = asyncio.create_task(
            rows_by(engine, folder, tmp_path / "dask.db", after_some=after_some)
        )
        await after_some.wait()
        assert not scoring.done()
        os.kill(cluster.workers[0].pid, signal.SIGKILL)
        found = await scoring
    assert found == expected
    assert len(found) == PICTURE_COUNT + 4
    assert {row["status"] for row in found} == {
        *("ok", "EMPTY", "UNRECOGNIZED_FORMAT", "poison", "internal")
    }


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("nonsense://here:1", "nonsense"),
        ("tcp://here", "port"),
        ("", "port"),
        ("tls://127.0.0.1:1", "certificate"),
    ],
)
async def test_an_address_that_cannot_be_one_is_wrong_use(address: str, complaint: str) -> None:
    """Before anything is connected; TLS needs certificates from Dask's settings."""
    factory = partial(LanePool, build_hostile_worker, worker_count=1)
    with pytest.raises(ConfigurationError, match=complaint):
        async with DaskEngine(factory, address, 1):
            pass


async def test_no_scheduler_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong address is a configuration error, not a traceback."""
    monkeypatch.setattr("capture.archive.dask_engine.CONNECT_TIMEOUT_S", 1)
    with pytest.raises(ConfigurationError, match="no Dask cluster"):
        async with DaskEngine(partial(hostile_pool), "tcp://127.0.0.1:9", 1):
            pass
