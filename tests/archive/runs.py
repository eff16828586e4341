"""Runs over sources, as the command makes them."""

from __future__ import annotations

from capture import __version__
from capture.archive.engines import Engine
from capture.archive.judging import Judging
from capture.archive.lookups import recalling
from capture.archive.run import ArchiveRun
from capture.archive.sources import Sources
from capture.archive.tally import Tally
from capture.gates.profile import load_profile
from capture.ledger.ledger import Ledger
from capture.ledger.rows import Row

DEFAULT = load_profile("default")


async def score(ledger: Ledger, engine: Engine, *names: str) -> Tally:
    """Score sources from their beginning to their end."""
    run_id = ledger.begin_run(list(names), DEFAULT, __version__, classify=False)
    judging = Judging(DEFAULT, __version__, False, False, ledger.max_pixels_of)
    run = ArchiveRun(ledger, engine, judging, run_id=run_id, on_progress=lambda _: None)
    return await run.score(Sources(names).listing(recalling(ledger, judging)))


def measured(row: Row) -> Row:
    """A row without where and when its picture lay."""
    return row | {"path": "", "mtime_ns": 0, "run_id": 0}
