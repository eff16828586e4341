"""How fast an archive is scored, and how fast its pictures can be decoded at all."""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import simplejpeg

from capture import __version__
from capture.archive.engines import Engine
from capture.archive.judging import Judging
from capture.archive.pictures import FilePicture
from capture.archive.run import ArchiveRun
from capture.gates.profile import Profile, load_profile
from capture.ledger.ledger import Ledger, open_ledger
from inference.lanes import LanePool

NICENESS = 10
"""Of the workers, and so of what they are compared with."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Pictures a second by the clock, and CPU time a picture in ms.

    Attributes
    ----------
    rate : float
        Pictures a second.
    cpu_ms : float
        Of all processes together.
    front_ms : float
        Of it, what this process took; NaN where that is not known.
    """

    rate: float
    cpu_ms: float
    front_ms: float = float("nan")


def decode_bare(files: list[str]) -> float:
    """Decode luma and nothing else, passing over what is damaged; returns CPU seconds."""
    started = time.process_time()
    for file in files:
        with suppress(ValueError):
            simplejpeg.decode_jpeg(Path(file).read_bytes(), colorspace="GRAY")
    return time.process_time() - started


def pace_of_bare_decoding(files: list[str], processes: ProcessPoolExecutor) -> Pace:
    """Measure processes that only decode."""
    chunks = [files[start : start + 10] for start in range(0, len(files), 10)]
    started = time.perf_counter()
    cpu_s = sum(processes.map(decode_bare, chunks))
    return Pace(len(files) / (time.perf_counter() - started), 1e3 * cpu_s / len(files))


async def pace_of_scoring(
    folder: Path, place: Path, engine: Engine, pool: LanePool | None = None
) -> Pace:
    """Measure a run into a new ledger, from the first file to the last commit.

    Without the `pool` of its workers, their CPU time is not known: NaN.
    """
    with open_ledger(place) as ledger:
        profile = load_profile("default")
        run_id = ledger.begin_run([str(folder)], profile, __version__, classify=False)
        pictures = [FilePicture(str(file)) for file in sorted(folder.iterdir())]
        started, cpu_before_s, front_before_s = (
            time.perf_counter(),
            _cpu_s(pool),
            time.process_time(),
        )
        tally = await run_of(ledger, engine, run_id, profile).score(pictures)
        duration_s = time.perf_counter() - started
        cpu_s, front_s = _cpu_s(pool) - cpu_before_s, time.process_time() - front_before_s
    count = tally.seen_count
    return Pace(count / duration_s, 1e3 * cpu_s / count, 1e3 * front_s / count)


def run_of(ledger: Ledger, engine: Any, run_id: int, profile: Profile) -> ArchiveRun:
    """Return a run that shows no progress."""
    judging = Judging(profile, __version__, False, False, ledger.max_pixels_of)
    return ArchiveRun(ledger, engine, judging, run_id=run_id, on_progress=lambda _: None)


def _cpu_s(pool: LanePool | None) -> float:
    if pool is None:
        return float("nan")
    ticks = 0
    for pid in pool.worker_pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")
