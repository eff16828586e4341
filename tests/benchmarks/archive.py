"""Score an archive beside others on the same cores: ``make bench-archive``.

What is compared runs in turns within each round, so that whatever else the machine does
hits all alike. The photos are those of the development corpus at SMART_CAPTURE_CORPUS;
without it, and for a peer that cannot be run here, the row says so. The table is printed
and written to ``results/archive.md``, once all parts of it have been run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from capture.archive.dask_engine import DaskEngine
from capture.archive.engines import Engine, LocalEngine
from capture.archive.file_worker import archive_pool
from capture.settings import load_settings
from inference.lanes import LanePool
from tests.benchmarks import archive_simulated as simulated
from tests.benchmarks import groups
from tests.benchmarks.archive_pace import (
    NICENESS,
    Pace,
    pace_of_bare_decoding,
    pace_of_scoring,
)
from tests.benchmarks.archive_peers import VERSIONS, PeerUnavailableError, pace_of_peer
from tests.benchmarks.archive_photos import CORPUS, CORRUPT_COUNT, make_photos

RESULTS = Path(__file__).parent / "results" / "archive.md"
FEW_COUNT = 10_000
REJUDGED_COUNT = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, against floor and goal, and how to repeat it."""

    name: str
    measured: str
    floor: str
    goal: str
    part: str
    beside: str = ""


Rows: TypeAlias = Iterator[Row]


# ---- throughput


@dataclass(frozen=True, slots=True)
class Paces:
    """What each reached, in the order of the rounds; and why a peer could not be run."""

    of: dict[str, list[Pace]]
    failures: dict[str, str]

    def median(self, name: str, part: str) -> float:
        """Return the median of ``rate`` or ``cpu_ms``."""
        return float(np.median([getattr(pace, part) for pace in self.of[name]]))


async def paces_of(folder: Path, good: Path, scratch: Path, rounds: int) -> Paces:
    """Measure in turns: bare decoding, scoring, Dask; the peers in the first round.

    Decoding and scoring run with one process and with two.
    """
    settings = load_settings()
    files = [str(file) for file in sorted(folder.iterdir())]
    warm_up = scratch / "warm"
    warm_up.mkdir()
    for file in files[-4:]:
        shutil.copy(file, warm_up)
    pools = [archive_pool(settings, classify=False, worker_count=count) for count in (1, 2)]
    make_pool = partial(archive_pool, settings, classify=False)
    names = ("bare", "bare one", "one", "two", "dask", *VERSIONS)
    found: dict[str, list[Pace]] = {name: [] for name in names}
    failures: dict[str, str] = {}
    with _decoders(1) as one_decoder, _decoders(2) as two_decoders:
        decoders = {"bare one": one_decoder, "bare": two_decoders}
        async with LocalEngine(pools[0]) as one, LocalEngine(pools[1]) as two:
            engines: dict[str, tuple[Engine, LanePool]] = {
                "one": (one, pools[0]),
                "two": (two, pools[1]),
            }
            for name, (engine, pool) in engines.items():
                await pace_of_scoring(warm_up, scratch / f"warm_{name}.db", engine, pool)
            for processes in decoders.values():
                pace_of_bare_decoding(files[-20:], processes)
            for number in range(rounds):
                peers = () if number else tuple(VERSIONS)
                order = ("bare", "two", "dask", "bare one", "one", *peers, "two", "bare")
                for name in order:
                    place = scratch / f"{name}{number}{len(found[name])}.db"
                    if name in decoders:
                        pace = pace_of_bare_decoding(files, decoders[name])
                    elif name == "dask":
                        # Even idle it takes time from the others: so it is there in its turn.
                        async with DaskEngine(make_pool, None, 2) as dask:
                            warm = scratch / f"warm_dask{number}.db"
                            await pace_of_scoring(warm_up, warm, dask)
                            pace = await pace_of_scoring(folder, place, dask)
                    elif name in engines:
                        pace = await pace_of_scoring(folder, place, *engines[name])
                    else:
                        try:
                            pace = pace_of_peer(name, good)
                        except PeerUnavailableError as error:
                            failures[name] = str(error)
                            continue
                    found[name].append(pace)
    return Paces(found, failures)


def _decoders(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        count, mp_context=get_context("spawn"), initializer=os.nice, initargs=(NICENESS,)
    )


def compare_throughput(scratch: Path, count: int, rounds: int) -> Rows:
    """Yield scoring against bare decoding, one worker, Dask, and the peers."""
    folder, good = scratch / "photos", scratch / "good"
    folder.mkdir()
    good.mkdir()
    for name in make_photos(folder, count):
        (good / name).hardlink_to(folder / name)
    found = asyncio.run(paces_of(folder, good, scratch, rounds))
    names = ("bare", "bare one", "one", "two", "dask")
    rate = {name: found.median(name, "rate") for name in names}
    cpu_ms = {name: found.median(name, "cpu_ms") for name in ("bare", "two")}
    yield Row(
        "photos a second with all measures / bare luma decode",
        f"{rate['two'] / rate['bare']:.2f}",
        *("0.40", "0.75", "throughput"),
        f"{count} photos; {_spread(found.of['two'])} against {_spread(found.of['bare'])} a second; "
        f"by CPU time "
        f"{cpu_ms['bare'] / cpu_ms['two']:.2f} ({cpu_ms['bare']:.1f} of {cpu_ms['two']:.1f} ms)",
    )
    for peer, floor, goal in (("cleanvision", "12 x", "25 x"), ("fastdup", "2 x", "4 x")):
        yield _peer_row(peer, found, floor, goal)
    yield Row(
        "two workers against one",
        f"{rate['two'] / rate['one']:.2f} x",
        *("1.9 x", "1.97 x", "throughput"),
        f"{_spread(found.of['one'])} photos/s with one; {os.cpu_count()} cores, on which two loops "
        f"of bare decoding do {rate['bare'] / rate['bare one']:.2f} x of one; "
        f"{found.median('two', 'front_ms'):.2f} ms of CPU a photo in the front",
    )
    yield Row(
        "Dask with 2 workers against the local engine",
        f"{rate['dask'] / rate['two']:.2f}",
        *("0.85", "0.97", "throughput"),
        f"{_spread(found.of['dask'])} photos/s",
    )


def _peer_row(peer: str, found: Paces, floor: str, goal: str) -> Row:
    what = {
        "cleanvision": "blurry, dark and light, 2 processes",
        "fastdup": "its whole default run, 2 threads",
    }[peer]
    name = f"against {peer} {VERSIONS[peer]} ({what})"
    if peer in found.failures:
        why = f"cannot be run here: {found.failures[peer]}"
        return Row(name, "not measured", floor, goal, "throughput", why)
    rate, cpu_ms = found.median(peer, "rate"), found.median(peer, "cpu_ms")
    return Row(
        name,
        f"{found.median('two', 'rate') / rate:.1f} x",
        floor,
        goal,
        "throughput",
        f"{rate:.1f} photos/s without the {CORRUPT_COUNT} corrupt ones; by CPU time "
        f"{cpu_ms / found.median('two', 'cpu_ms'):.1f} x ({cpu_ms:.0f} ms a photo)",
    )


def _spread(paces: list[Pace]) -> str:
    rates = [pace.rate for pace in paces]
    return f"{np.median(rates):.1f} ({min(rates):.1f} to {max(rates):.1f})"


# ---- kills


def kill_at_random(scratch: Path, count: int, kill_count: int) -> Rows:
    """Kill a run at random moments until it is through, and compare its rows."""
    folder = scratch / "to_kill"
    folder.mkdir()
    make_photos(folder, count)
    rng = random.Random(4)
    whole, killed = scratch / "whole.db", scratch / "killed.db"
    command = [sys.executable, "-m", "capture", "score", str(folder), "--quiet", "--ledger"]
    started = time.monotonic()
    subprocess.run([*command, str(whole)], check=False)
    duration_s = time.monotonic() - started
    kills = restarts = 0
    while kills < kill_count:
        process = subprocess.Popen([*command, str(killed)])
        try:
            process.wait(rng.uniform(0.2, 0.2 * duration_s))
            killed.unlink()  # it got through: begin anew, there are kills left
            restarts += 1
            continue
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    subprocess.run([*command, str(killed)], check=False)
    expected, found = rows_of(whole), rows_of(killed)
    wrong = len(set(expected) ^ set(found)) + len(found) - len(set(found))
    yield Row(
        f"killed at random {kills} times: rows lost, doubled or different",
        str(wrong),
        *("0", "0", "kills"),
        f"{len(found)} rows of {len(expected)}; got through and began anew {restarts} times",
    )


def rows_of(ledger: Path) -> list[tuple[Any, ...]]:
    """Return all rows as plain SQL sees them."""
    with closing(sqlite3.connect(ledger)) as plain:
        return plain.execute("SELECT * FROM assessments ORDER BY path").fetchall()


# ---- the front, large ledgers, groups


def compare_memory(large_count: int) -> Rows:
    """Yield the front's peak memory for many pictures against few."""
    few, many = (simulated.load_of_front(count) for count in (FEW_COUNT, large_count))
    yield Row(
        f"memory of the front at {large_count:,} rows / at {FEW_COUNT:,}",
        f"{many.peak_mb / few.peak_mb:.3f}",
        *("1.1", "1", f"memory --simulated {large_count}"),
        f"peak {few.peak_mb:.1f} and {many.peak_mb:.1f} MB; {many.duration_s / 60:.1f} min, "
        f"{1e6 * many.cpu_s / large_count:.0f} us of CPU a picture besides its judging",
    )


def judge_again(scratch: Path) -> Rows:
    """Yield how long stored rows take under another profile."""
    duration_s, cpu_s = simulated.judge_again(REJUDGED_COUNT, scratch)
    yield Row(
        f"re-judging {REJUDGED_COUNT:,} stored rows under a new profile",
        f"{duration_s:.2f} s",
        *("5 s", "1 s", "judge"),
        f"{cpu_s:.2f} s of CPU time",
    )


def ask_status(scratch: Path, count: int) -> Rows:
    """Yield how long the status of a large ledger takes."""
    duration_s = simulated.ask_status(count, scratch)
    yield Row(
        f"status of a ledger of {count:,} rows",
        f"{duration_s:.3f} s",
        *("1 s", "0.2 s", f"status --rows {count}"),
        "opened, counted by outcome, runs listed; floor and goal are for 10,000,000 rows",
    )


def group_all() -> Rows:
    """Yield how long it takes to group the pictures of two archives."""
    for name, duration_s, found in groups.durations():
        yield Row(
            f"grouping {groups.COUNT:,} pictures, {name}",
            f"{duration_s:.1f} s",
            *("20 s", "", "groups"),
            found,
        )


def table_of(rows: list[Row], load: float) -> str:
    """Write the rows in Markdown."""
    lines = [
        "| archives | measured | floor | goal | beside | part |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row.name} | {row.measured} | {row.floor} | {row.goal} | {row.beside} "
            f"| `{row.part}` |"
            for row in rows
        ),
        "",
        "`make bench-archive` runs all parts, `python -m tests.benchmarks.archive PART` one.",
        f"{os.cpu_count()} cores; load average when it began {load:.1f}"
        + (": the machine was busy." if load > 0.5 else "."),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all parts, or those named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("throughput", "kills", "memory", "judge", "status", "groups")
    parser.add_argument("parts", nargs="*", choices=[[], *parts], help="default: all")
    parser.add_argument("--photos", type=int, default=300, help="for throughput and kills")
    parser.add_argument("--rounds", type=int, default=3, help="of throughput")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--simulated", type=int, default=100_000, help="pictures for memory")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows for status")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    wanted = given.parts or list(parts)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-archive-") as place:
        scratch = Path(place)
        calls: dict[str, Callable[[], Rows]] = {
            "throughput": lambda: compare_throughput(scratch, given.photos, given.rounds),
            "kills": lambda: kill_at_random(scratch, given.photos, given.kills),
            "memory": lambda: compare_memory(given.simulated),
            "judge": lambda: judge_again(scratch),
            "status": lambda: ask_status(scratch, given.rows),
            "groups": group_all,
        }
        for part in wanted:
            if part in ("throughput", "kills") and not CORPUS.is_dir():
                rows.append(Row(part, "not measured", "", "", part, f"no corpus at {CORPUS.name}"))
                continue
            for row in calls[part]():
                print(f"{row.name}: {row.measured} ({row.beside})", flush=True)
                rows.append(row)
    table = table_of(rows, load)
    print(f"\n{table}", end="")
    if not given.parts:
        RESULTS.write_text(table)


if __name__ == "__main__":
    main()
