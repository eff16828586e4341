"""The front alone, and large ledgers: pictures without files, judged from a seed."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from capture import __version__
from capture.archive.pictures import Stamp
from capture.archive.tally import Effort
from capture.assessment import Assessment, Provenance, StageTimes
from capture.gates.profile import load_profile
from capture.gates.shot import judge
from capture.jobs import Answer, StillJob
from capture.ledger.ledger import Ledger, open_ledger
from capture.ledger.rows import row_of
from capture.ledger.schema import assessments
from tests.benchmarks.archive_pace import run_of
from tests.review.ledgers import measures

DEFAULT, STRICT = load_profile("default"), load_profile("strict")
KIND_COUNT = 1000
"""Different assessments; all further pictures repeat them."""


@dataclass(frozen=True, slots=True)
class SimulatedPicture:
    """A picture without a file."""

    number: int

    @property
    def path(self) -> str:
        """A path as a real archive has them."""
        return f"/simulated/{self.number // 1000:05d}/{self.number:09d}.jpg"

    def stamp(self) -> Stamp:
        """Never changes."""
        return Stamp(16, 1)

    def read(self, max_bytes: int) -> bytes:  # noqa: ARG002 - as of any picture
        """Other bytes for each."""
        return self.number.to_bytes(16, "big")


class InstantEngine:
    """Answers at once: what remains is the front."""

    worker_count = 2

    def __init__(self) -> None:
        self._answers = simulated_assessments()

    async def answer(self, job: StillJob) -> Answer:
        """Give one of a thousand assessments."""
        await asyncio.sleep(0)
        return self._answers[int.from_bytes(job.image.data, "big") % KIND_COUNT]


@dataclass(frozen=True, slots=True)
class FrontLoad:
    """What a run without pixels took: seconds by the clock, CPU seconds, peak memory in MB."""

    duration_s: float
    cpu_s: float
    peak_mb: float


def simulated_assessments() -> list[Assessment]:
    """Return assessments of all kinds, the same ones at each call."""
    rng = np.random.default_rng(0)
    provenance = Provenance(__version__, DEFAULT.name, DEFAULT.sha256, "jpeg/simplejpeg")
    times = StageTimes(1.0, 1.0, 0.0)
    found = [measures(rng) for _ in range(KIND_COUNT)]
    return [Assessment(each, judge(each, DEFAULT), None, provenance, times) for each in found]


def load_of_front(count: int) -> FrontLoad:
    """Score simulated pictures in a process of their own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_score_simulated, count).result()


def _score_simulated(count: int) -> FrontLoad:
    with tempfile.TemporaryDirectory() as scratch, open_ledger(Path(scratch) / "run.db") as ledger:
        run_id = ledger.begin_run(["simulated"], DEFAULT, __version__, classify=False)
        run = run_of(ledger, InstantEngine(), run_id, DEFAULT)
        started, cpu_before_s = time.perf_counter(), time.process_time()
        tally = asyncio.run(run.score(SimulatedPicture(number) for number in range(count)))
        duration_s = time.perf_counter() - started
        cpu_s = time.process_time() - cpu_before_s
    assert tally.efforts[Effort.SCORED] == count
    return FrontLoad(duration_s, cpu_s, _peak_mb())


def _peak_mb() -> float:
    # Not ru_maxrss: a child starts with that of the process that it was forked from.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak_kb = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak_kb) / 1024


def fill(ledger: Ledger, count: int) -> None:
    """Write judged rows, each with a path and a hash of its own."""
    base = [row_of(assessment) for assessment in simulated_assessments()]
    run_id = ledger.begin_run(["simulated"], DEFAULT, __version__, classify=False)
    for start in range(0, count, KIND_COUNT):
        rows = [
            row
            | {"path": SimulatedPicture(start + offset).path, "sha256": f"{start + offset:064d}"}
            | {"size_bytes": 16, "mtime_ns": 1}
            for offset, row in enumerate(base)
        ]
        ledger.put(run_id, rows)


def judge_again(count: int, scratch: Path) -> tuple[float, float]:
    """Run over stored rows under another profile; returns seconds and CPU seconds."""
    with open_ledger(scratch / "judge.db") as ledger:
        fill(ledger, count)
        run_id = ledger.begin_run(["simulated"], STRICT, __version__, classify=False)
        run = run_of(ledger, InstantEngine(), run_id, STRICT)
        started, cpu_before_s = time.perf_counter(), time.process_time()
        tally = asyncio.run(run.score(SimulatedPicture(number) for number in range(count)))
        duration_s = time.perf_counter() - started
        cpu_s = time.process_time() - cpu_before_s
    assert tally.efforts[Effort.REUSED] == count
    return duration_s, cpu_s


def ask_status(count: int, scratch: Path) -> float:
    """Ask a large ledger what `smart-capture status` asks; returns seconds."""
    place = scratch / "large.db"
    with open_ledger(place) as ledger:
        fill(ledger, KIND_COUNT)
        _multiply(ledger, count)
    started = time.perf_counter()
    with open_ledger(place, create=False) as ledger:
        outcomes, runs = ledger.outcomes(), ledger.runs()
    duration_s = time.perf_counter() - started
    assert sum(outcome.count for outcome in outcomes) == count
    assert len(runs) == 1
    return duration_s


def _multiply(ledger: Ledger, count: int) -> None:
    """Repeat the rows there are under other paths and hashes, in SQLite itself."""
    values = {
        "path": "printf('/simulated/%09d', n * 1000 + a.rowid)",
        "sha256": "printf('%064d', n * 1000 + a.rowid)",
    }
    names = [column.name for column in assessments.columns]
    selected = ", ".join(values.get(name, name) for name in names)
    thousands: Iterator[range] = (
        range(start, min(start + 1000, count // KIND_COUNT))
        for start in range(1, count // KIND_COUNT, 1000)
    )
    for part in thousands:
        with ledger.engine.execution_options(writes=True).begin() as connection:
            connection.exec_driver_sql(
                f"INSERT INTO assessments ({', '.join(names)}) "
                f"WITH RECURSIVE thousand(n) AS (SELECT {part.start} UNION ALL "
                f"SELECT n + 1 FROM thousand WHERE n < {part.stop - 1}) "
                f"SELECT {selected} FROM thousand, (SELECT rowid, * FROM assessments "
                f"WHERE rowid <= {KIND_COUNT}) a"
            )
