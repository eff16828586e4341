"""What is measured of Smart Capture alone, a row of the table each."""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from operator import itemgetter

from tests.benchmarks.serve.bench import CORE_COUNT, JOB_TIMEOUT_S, Bench
from tests.benchmarks.serve.contest import Standing, hurt
from tests.benchmarks.serve.load import result_of
from tests.benchmarks.serve.processes import Service, service

_TAKE_OVER_S = 10.0
"""Time for the new server to start and the old one to end."""

_COST_ROUND_COUNT = 5
_LATENCY_ROUND_COUNT = 7

_CAMERA_COUNTS = (4, 8, 12, 16, 20, 24, 28, 32)


def refused_cost(bench: Bench, under_test: Service) -> None:
    """CPU of a refused picture against that of an accepted one, in turns."""
    rounds = []
    for _ in range(_COST_ROUND_COUNT):
        cost_ms = {}
        for kind in ("accepted", "refused"):
            cpu_s = under_test.cpu_s()
            seen = bench.load(
                under_test, "closed", client_count=4, kind=kind, duration_s=bench.duration_s / 2
            )
            cost_ms[kind] = 1e3 * (under_test.cpu_s() - cpu_s) / max(1, seen["count"])
        rounds.append((cost_ms["refused"] / cost_ms["accepted"], cost_ms))
    rounds.sort(key=itemgetter(0))
    ratio, cost_ms = rounds[len(rounds) // 2]
    bench.row(
        "a refused frame costs, against an accepted one",
        f"{ratio:.2f} ({rounds[0][0]:.2f} to {rounds[-1][0]:.2f}): "
        f"{cost_ms['refused']:.1f} / {cost_ms['accepted']:.1f} ms of CPU",
        ratio,
        (0.5, 0.25),
        share=seen["core_share"],
    )


def added_latency(bench: Bench, under_test: Service) -> None:
    """One client against one bare process, each round between two of the bare loop."""
    rounds = []
    before = bench.bare(process_count=1)
    for _ in range(_LATENCY_ROUND_COUNT):
        seen = bench.load(under_test, "closed", client_count=1, duration_s=bench.duration_s / 2)
        after = bench.bare(process_count=1)
        rounds.append((seen["p50_ms"], (before.median_ms + after.median_ms) / 2))
        before = after
    added_ms = sorted(served_ms - bare_ms for served_ms, bare_ms in rounds)
    middle_ms = statistics.median(added_ms)
    bench.row(
        "added latency at one client, median, ms",
        f"{middle_ms:.2f} ({added_ms[0]:.2f} to {added_ms[-1]:.2f}), "
        f"together {statistics.median(served_ms for served_ms, _ in rounds):.1f}",
        middle_ms,
        (1.0, 0.5),
        beside=f"{statistics.median(bare_ms for _, bare_ms in rounds):.1f} ms",
        share=seen["core_share"],
    )


def stopped_worker(bench: Bench, standing: Standing, under_test: Service) -> None:
    """Stop a worker under load: it hangs, and has to be found out."""
    load, pid = hurt(bench, standing, under_test, signal.SIGSTOP)
    stopped_s = time.monotonic()
    while time.monotonic() < stopped_s + 5 * JOB_TIMEOUT_S:
        pids = under_test.worker_pids()
        if pid not in pids and len(pids) >= CORE_COUNT:
            break
        time.sleep(0.01)
    full_s = time.monotonic() - stopped_s
    seen = result_of(load)
    lost_count = sum(seen["errors"].values())
    bench.row(
        "kill -STOP a worker under load: lost beyond the one it held",
        f"{max(0, lost_count - 1)} of {seen['count'] + lost_count}",
        max(0, lost_count - 1),
        (0, 0),
        share=seen["core_share"],
    )
    bench.row(
        "time to a full pool, beyond the job limit, s",
        f"{max(0.0, full_s - JOB_TIMEOUT_S):.2f}: {full_s:.2f} with a limit of {JOB_TIMEOUT_S:g}",
        full_s - JOB_TIMEOUT_S,
        (0.5, 0.1),
    )


def cameras(bench: Bench, under_test: Service) -> None:
    """More and more cameras, until 1 % of frames come late."""
    most = 0
    for count in _CAMERA_COUNTS:
        seen = bench.load(under_test, "cameras", count=count)
        share = seen["in_time_count"] / seen["frame_count"]
        bench.row(
            f"  {count} cameras",
            f"{100 * share:.1f} % answered within 50 ms, p99 {seen['p99_ms']:.0f} ms, "
            f"{statistics.mean(seen['judged_rates']):.1f} judged/s each",
            share=seen["core_share"],
        )
        if share < 0.99:
            break
        most = count
    bench.row("cameras at 30 fps, 640x480, gates on, 99 % within 50 ms", str(most), most, (16, 28))


def fairness(bench: Bench, under_test: Service) -> None:
    """Eight cameras, one of which sends ten times as fast."""
    seen = bench.load(under_test, "cameras", count=8, greed=10.0)
    modest = seen["judged_rates"][:-1]
    ratio = min(modest) / statistics.median(modest)
    bench.row(
        "fairness: slowest camera against the median, one greedy at 10x",
        f"{ratio:.2f}: {min(modest):.1f} / {statistics.median(modest):.1f} judged/s, "
        f"the greedy one {seen['judged_rates'][-1]:.1f}",
        ratio,
        (0.9, 0.98),
        share=seen["core_share"],
    )


def rolling_restart(bench: Bench) -> None:
    """A new process takes over the port of an old one while clients call and cameras film."""
    with ExitStack() as until_told:
        old = until_told.enter_context(service(CORE_COUNT))
        duration_s = bench.duration_s + _TAKE_OVER_S
        command = [sys.executable, "-m", "tests.benchmarks.serve.restart", str(old.port)]
        load = subprocess.Popen(
            [*command, str(bench.pictures), str(duration_s)], stdout=subprocess.PIPE
        )
        time.sleep(1.0 + bench.duration_s / 3)
        with service(CORE_COUNT, port=old.port):
            until_told.close()  # SIGTERM, and wait until it has ended
            seen = result_of(load)
    bench.row(
        "rolling restart: unary calls failed",
        f"{seen['failed_count']} of {seen['count']}",
        seen["failed_count"],
        (0, 0),
    )
    left_count = seen["session_count"] - seen["resumed_count"]
    bench.row(
        "rolling restart: sessions that did not resume",
        f"{left_count} of {seen['session_count']}",
        left_count,
        (0, 0),
    )
