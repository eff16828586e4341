"""Score an archive, against bare decoding on the same cores: ``make bench-archive``.

What is compared runs in turns within each round, so that whatever else the machine does
hits all alike. The photos are those of the development corpus at SMART_CAPTURE_CORPUS;
without it there is no throughput to be had, and that is said.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from capture import __version__
from capture.archive.engines import LocalEngine
from capture.archive.judging import Judging
from capture.archive.pictures import FilePicture, Picture, Stamp
from capture.archive.run import ArchiveRun
from capture.archive.tally import Effort, Tally
from capture.gates.profile import Profile, load_profile
from capture.ledger.ledger import Ledger, open_ledger
from capture.ledger.schema import assessments
from capture.pool import worker_pool
from capture.settings import load_settings
from capture.worker import Answer, StillJob, Unjudged
from inference.lanes import LanePool
from tests.review.ledgers import judged, measures

CORPUS = Path(
    os.environ.get("SMART_CAPTURE_CORPUS", Path(__file__).parents[3] / "shared" / "corpus")
)
COLLECTIONS = (
    *("photos_budgie_cc0", "photos_nextcloud", "photos_lomiri", "photos_banana"),
    *("camera_originals", "documents_phone", "blur_kwentar_scaled", "blur_desk_phone"),
)
PHOTO_COUNT = 300
CORRUPT_COUNT = 6
MIN_PIXELS, MAX_PIXELS = 2_000_000, 12_500_000
ROUND_COUNT = 3
KILL_COUNT = 20
DEFAULT, STRICT = load_profile("default"), load_profile("strict")


# ---- the photos


def make_photos(folder: Path) -> None:
    """Copy camera photos of 2 to 12 MP from the corpus, some damaged, no two of the same bytes."""
    originals = [file.read_bytes() for file in _originals()]
    for number in range(PHOTO_COUNT):
        data = originals[number % len(originals)]
        # A comment tells copies apart and costs no decoder anything.
        data = data[:2] + b"\xff\xfe\x00\x06" + number.to_bytes(4, "big") + data[2:]
        if number < CORRUPT_COUNT:
            data = data[: len(data) // 2]
        (folder / f"{number:04d}.jpg").write_bytes(data)


def _originals() -> Iterator[Path]:
    for file in sorted(CORPUS.rglob("*")):
        collection = file.relative_to(CORPUS).parts[0]
        if file.suffix.lower() not in (".jpg", ".jpeg") or collection not in COLLECTIONS:
            continue
        height, width, *_ = simplejpeg.decode_jpeg_header(file.read_bytes())
        if MIN_PIXELS <= height * width <= MAX_PIXELS:
            yield file


# ---- throughput


NICENESS = 10
"""Of the workers, and so of what they are compared with."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Pictures a second by the clock, and CPU time a picture in ms, all processes together."""

    rate: float
    cpu_ms: float


def decode_bare(files: list[str]) -> float:
    """Decode luma and nothing else, passing over what is damaged; returns CPU seconds."""
    started = time.process_time()
    for file in files:
        with suppress(ValueError):
            simplejpeg.decode_jpeg(Path(file).read_bytes(), colorspace="GRAY")
    return time.process_time() - started


def pace_of_bare_decoding(files: list[str], processes: ProcessPoolExecutor) -> Pace:
    """Measure two processes that only decode."""
    chunks = [files[start : start + 10] for start in range(0, len(files), 10)]
    started = time.perf_counter()
    cpu_s = sum(processes.map(decode_bare, chunks))
    return Pace(len(files) / (time.perf_counter() - started), 1e3 * cpu_s / len(files))


async def pace_of_scoring(folder: Path, place: Path, pool: LanePool, engine: LocalEngine) -> Pace:
    """Measure a run into a new ledger, from the first file to the last commit."""
    with open_ledger(place) as ledger:
        run_id = ledger.begin_run([str(folder)], DEFAULT, __version__, classify=False)
        pictures = [FilePicture(str(file)) for file in sorted(folder.iterdir())]
        started, cpu_before_s = time.perf_counter(), _cpu_s(pool)
        tally = await _run(ledger, engine, run_id, DEFAULT).score(pictures)
        duration_s = time.perf_counter() - started
        cpu_s = _cpu_s(pool) - cpu_before_s
    return Pace(tally.seen_count / duration_s, 1e3 * cpu_s / tally.seen_count)


def _cpu_s(pool: LanePool) -> float:
    ticks = 0
    for pid in pool.worker_pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _run(ledger: Ledger, engine: Any, run_id: int, profile: Profile) -> ArchiveRun:
    judging = Judging(profile, __version__, False, False, ledger.max_pixels_of)
    return ArchiveRun(ledger, engine, judging, run_id=run_id, on_progress=lambda _: None)


async def compare_throughput(folder: Path, scratch: Path) -> None:
    """Print scoring against bare decoding, and two workers against one."""
    settings = load_settings()
    files = [str(file) for file in sorted(folder.iterdir())]
    warm_up = scratch / "warm"
    warm_up.mkdir()
    for file in files[-4:]:
        shutil.copy(file, warm_up)
    pools = [worker_pool(settings, classify=False, worker_count=count) for count in (1, 2)]
    paces: dict[str, list[Pace]] = {"bare": [], "two": [], "one": []}
    with ProcessPoolExecutor(
        2, mp_context=get_context("spawn"), initializer=os.nice, initargs=(NICENESS,)
    ) as processes:
        async with LocalEngine(pools[0]) as single, LocalEngine(pools[1]) as double:

            async def score(name: str, place: str, photos: Path = folder) -> None:
                pool, engine = (pools[0], single) if name == "one" else (pools[1], double)
                pace = await pace_of_scoring(photos, scratch / place, pool, engine)
                paces[name].append(pace)

            await score("one", "warm1.db", warm_up)
            await score("two", "warm2.db", warm_up)
            pace_of_bare_decoding(files[-8:], processes)
            for values in paces.values():
                values.clear()
            for number in range(ROUND_COUNT):
                for part in range(2):
                    paces["bare"].append(pace_of_bare_decoding(files, processes))
                    await score("two", f"two{number}{part}.db")
                await score("one", f"one{number}.db")
    for name, words in (
        ("bare", "bare luma decode, 2 processes"),
        ("two", "score, 2 workers"),
        ("one", "score, 1 worker"),
    ):
        rates = [pace.rate for pace in paces[name]]
        cpu_ms = [pace.cpu_ms for pace in paces[name]]
        print(f"{words:<30} {_spread(rates)} pictures/s, {_spread(cpu_ms)} ms CPU a picture")
    rate = {
        name: float(np.median([pace.rate for pace in values])) for name, values in paces.items()
    }
    cpu = {
        name: float(np.median([pace.cpu_ms for pace in values])) for name, values in paces.items()
    }
    print(f"score / bare decode, by the clock      {rate['two'] / rate['bare']:.2f}")
    print(f"bare decode / score, by CPU time       {cpu['bare'] / cpu['two']:.2f}")
    print(f"2 workers / 1, by the clock            {rate['two'] / rate['one']:.2f}")


def _spread(values: list[float]) -> str:
    return f"{np.median(values):6.1f} ({min(values):.1f} to {max(values):.1f})"


# ---- kills


def rows_of(ledger: Path) -> list[tuple[Any, ...]]:
    """Return all rows as plain SQL sees them."""
    with closing(sqlite3.connect(ledger)) as plain:
        return plain.execute("SELECT * FROM assessments ORDER BY path").fetchall()


def kill_at_random(folder: Path, scratch: Path) -> None:
    """Kill a run at random moments until it is through, and compare its rows."""
    rng = random.Random(4)
    whole, killed = scratch / "whole.db", scratch / "killed.db"
    command = [sys.executable, "-m", "capture", "score", str(folder), "--quiet", "--ledger"]
    started = time.monotonic()
    subprocess.run([*command, str(whole)], check=False)
    duration_s = time.monotonic() - started
    kills = 0
    while kills < KILL_COUNT:
        process = subprocess.Popen([*command, str(killed)])
        try:
            process.wait(rng.uniform(0.2, 0.2 * duration_s))
            killed.unlink()  # it got through: begin anew, there are kills left
            continue
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    subprocess.run([*command, str(killed)], check=False)
    theirs, ours = rows_of(whole), rows_of(killed)
    different = len(set(theirs) ^ set(ours))
    print(f"killed {kills} times: {len(ours)} rows of {len(theirs)}, {different} differ")


# ---- memory and speed of the front, with simulated pictures


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

    async def answer(self, job: StillJob) -> Answer:  # noqa: ARG002 - as of any engine
        """Refuse the picture."""
        await asyncio.sleep(0)
        return Unjudged("CORRUPT", "simulated")


def simulate(count: int) -> tuple[Tally, float, float]:
    """Score simulated pictures; returns the tally, seconds and the peak memory in MB."""
    with tempfile.TemporaryDirectory() as scratch, open_ledger(Path(scratch) / "run.db") as ledger:
        run_id = ledger.begin_run(["simulated"], DEFAULT, __version__, classify=False)
        started = time.perf_counter()
        pictures: Iterator[Picture] = (SimulatedPicture(number) for number in range(count))
        tally = asyncio.run(_run(ledger, InstantEngine(), run_id, DEFAULT).score(pictures))
        duration_s = time.perf_counter() - started
    return tally, duration_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compare_memory(large_count: int) -> None:
    """Print the front's peak memory for few and for many pictures, each in its own process."""
    peaks = []
    for count in (10_000, large_count):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            tally, duration_s, peak_mb = process.submit(simulate, count).result()
        peaks.append(peak_mb)
        print(
            f"front, {tally.seen_count:>9,} simulated    {peak_mb:7.1f} MB, "
            f"{1e6 * duration_s / count:.0f} us a picture"
        )
    print(f"memory, many / few              {peaks[1] / peaks[0]:.3f}")


# ---- large ledgers


def fill(ledger: Ledger, count: int) -> None:
    """Write `count` judged rows, each with a path and a hash of its own."""
    rng = np.random.default_rng(0)
    base = [judged("", measures(rng)) | {"engine_version": __version__} for _ in range(1000)]
    run_id = ledger.begin_run(["simulated"], DEFAULT, __version__, classify=False)
    for start in range(0, count, 1000):
        rows = [
            row
            | {"path": SimulatedPicture(start + offset).path, "sha256": f"{start + offset:064d}"}
            | {"size_bytes": 16, "mtime_ns": 1}
            for offset, row in enumerate(base)
        ]
        ledger.put(run_id, rows)


def judge_again(count: int, scratch: Path) -> None:
    """Print how long stored rows take under another profile."""
    with open_ledger(scratch / "judge.db") as ledger:
        fill(ledger, count)
        run_id = ledger.begin_run(["simulated"], STRICT, __version__, classify=False)
        started = time.perf_counter()
        pictures = (SimulatedPicture(number) for number in range(count))
        tally = asyncio.run(_run(ledger, InstantEngine(), run_id, STRICT).score(pictures))
        duration_s = time.perf_counter() - started
    assert tally.efforts[Effort.REUSED] == count
    print(f"judged again, {count:>9,} rows     {duration_s:7.2f} s")


def ask_status(count: int, scratch: Path) -> None:
    """Print how long the status of a large ledger takes."""
    with open_ledger(scratch / "large.db") as ledger:
        fill(ledger, 1000)
        names = [column.name for column in assessments.columns]
        values = {"path": "printf('/simulated/%09d', n * 1000 + a.rowid)"}
        values["sha256"] = "printf('%064d', n * 1000 + a.rowid)"
        selected = ", ".join(values.get(name, name) for name in names)
        with ledger.engine.execution_options(writes=True).begin() as connection:
            connection.exec_driver_sql(
                f"INSERT INTO assessments ({', '.join(names)}) WITH RECURSIVE thousand(n) AS "
                f"(SELECT 1 UNION ALL SELECT n + 1 FROM thousand WHERE n < {count // 1000 - 1}) "
                f"SELECT {selected} FROM thousand, (SELECT rowid, * FROM assessments "
                "WHERE rowid <= 1000) a"
            )
    with open_ledger(scratch / "large.db") as ledger:
        started = time.perf_counter()
        counted = sum(outcome.count for outcome in ledger.outcomes())
        duration_s = time.perf_counter() - started
    print(f"status, {counted:>12,} rows       {duration_s:7.3f} s")


def main() -> None:
    """Run all parts, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = ("throughput", "kills", "memory", "judge", "status")
    parser.add_argument("parts", nargs="*", choices=[[], *parts], help="default: all")
    parser.add_argument("--simulated", type=int, default=100_000, help="pictures for memory")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows for status")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-archive-") as place:
        scratch = Path(place)
        photos = scratch / "photos"
        photos.mkdir()
        calls: dict[str, Callable[[], None]] = {
            "throughput": lambda: asyncio.run(compare_throughput(photos, scratch)),
            "kills": lambda: kill_at_random(photos, scratch),
            "memory": lambda: compare_memory(given.simulated),
            "judge": lambda: judge_again(100_000, scratch),
            "status": lambda: ask_status(given.rows, scratch),
        }
        wanted = given.parts or list(parts)
        if {"throughput", "kills"} & set(wanted):
            if CORPUS.is_dir():
                make_photos(photos)
            else:
                print(f"SKIPPED throughput and kills: no corpus at {CORPUS}")
                wanted = [part for part in wanted if part not in ("throughput", "kills")]
        for part in wanted:
            calls[part]()


if __name__ == "__main__":
    main()
