"""A ledger and an engine for the tests of the archive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from capture.archive.engines import LocalEngine
from capture.archive.file_worker import build_file_worker
from capture.ledger.ledger import Ledger, open_ledger
from capture.worker import WorkerConfig, build_worker
from inference.lanes import LanePool


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "run.db") as opened:
        yield opened


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    factory = partial(build_file_worker, partial(build_worker, WorkerConfig(classify=False)))
    async with LocalEngine(LanePool(factory, worker_count=1, job_timeout_s=30)) as started:
        yield started
