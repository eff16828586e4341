"""Measure the service against the bare loop, in turns, and print one table."""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.serve.bare import Bare, run_bare
from tests.benchmarks.serve.load import Seen, result_of, run_load, start_load
from tests.benchmarks.serve.pictures import make_pictures
from tests.benchmarks.serve.processes import Service, service

CORE_COUNT = min(2, os.cpu_count() or 1)
DEADLINE_S = 0.3
JOB_TIMEOUT_S = 2.0


class Bench:
    """One run: measurements of the service, each between two of the bare loop.

    Parameters
    ----------
    pictures : Path
        Where the pictures lie.
    duration_s : float
        Length of each measurement.
    """

    def __init__(self, pictures: Path, duration_s: float) -> None:
        self.pictures = pictures
        self.duration_s = duration_s
        self.table = Table("measure", "service", "bare loop", "ratio", "load generator", box=None)
        self._last_bare: Bare | None = None

    def bare(self, kind: str = "accepted", process_count: int = CORE_COUNT) -> Bare:
        """Run the bare loop."""
        return run_bare(
            self.pictures, kind, process_count=process_count, duration_s=self.duration_s
        )

    def load(self, under_test: Service, mode: str, **options: object) -> Seen:
        """Put load on the service."""
        return run_load(under_test.port, self.pictures, mode, duration_s=self.duration_s, **options)

    def between(self, measure: Callable[[float], Seen]) -> tuple[Seen, Bare]:
        """Measure between two runs of the bare loop; return it, and their mean."""
        before = self._last_bare or self.bare()
        seen = measure(before.rate)
        after = self._last_bare = self.bare()
        pairs = zip(astuple(before), astuple(after), strict=True)
        return seen, Bare(*(statistics.mean(pair) for pair in pairs))

    def row(self, name: str, said: str, bare: str = "", ratio: float | None = None,
            share: float | None = None) -> None:  # fmt: skip
        """Add one line to the table."""
        self.table.add_row(
            name,
            said,
            bare,
            "" if ratio is None else f"{ratio:.2f}",
            "" if share is None else f"{share:.2f} cores",
        )

    # ---- what is measured

    def throughput(self, under_test: Service) -> None:
        """Four clients, all pictures accepted."""
        ratios = []
        for _ in range(3):
            cpu_s = under_test.cpu_s()
            seen, bare = self.between(lambda _: self.load(under_test, "closed", client_count=4))
            cpu_ms = 1e3 * (under_test.cpu_s() - cpu_s) / max(1, seen["count"])
            ratios.append(seen["rate"] / bare.rate)
            self.row(
                "throughput, 4 clients",
                f"{seen['rate']:.1f}/s, {cpu_ms:.1f} ms CPU each",
                f"{bare.rate:.1f}/s, {bare.cpu_ms:.1f} ms",
                ratios[-1],
                seen["core_share"],
            )
        self.row("  median", "", "", statistics.median(ratios))

    def goodput(self, under_test: Service, factor: float) -> None:
        """Open load beyond capacity, each call with a deadline."""
        cpu_s = under_test.front_cpu_s()
        seen, bare = self.between(
            lambda rate: self.load(under_test, "open", rate=factor * rate, timeout_s=DEADLINE_S)
        )
        front_share = (under_test.front_cpu_s() - cpu_s) / self.duration_s
        self.row(
            f"within {1e3 * DEADLINE_S:.0f} ms at {factor:g} x capacity",
            f"{seen['rate']:.1f}/s of {seen['offered_count'] / self.duration_s:.0f}/s, p50 "
            f"{seen['p50_ms']:.0f}, p99 {seen['p99_ms']:.0f} ms, front {front_share:.2f} cores, "
            f"late {seen['errors'].get('DEADLINE_EXCEEDED', 0)}",
            f"{bare.rate:.1f}/s",
            seen["rate"] / bare.rate,
            seen["core_share"],
        )

    def health(self, under_test: Service) -> None:
        """Health checks while 16 clients saturate the service."""
        saturation = start_load(
            under_test.port, self.pictures, "closed", duration_s=self.duration_s, client_count=16
        )
        time.sleep(1.0)
        seen = run_load(
            under_test.port, self.pictures, "health", duration_s=max(1.0, self.duration_s - 2)
        )
        result_of(saturation)
        self.row(
            "health check while saturated",
            f"p50 {seen['p50_ms']:.1f}, p99 {seen['p99_ms']:.1f} ms",
            share=seen["core_share"],
        )

    def refused_cost(self, under_test: Service) -> None:
        """CPU of a refused picture against that of an accepted one."""
        cost_ms = {}
        for kind in ("accepted", "refused"):
            cpu_s = under_test.cpu_s()
            seen = self.load(under_test, "closed", client_count=4, kind=kind)
            cost_ms[kind] = 1e3 * (under_test.cpu_s() - cpu_s) / max(1, seen["count"])
        self.row(
            "CPU of a refused picture / an accepted one",
            f"{cost_ms['refused']:.1f} / {cost_ms['accepted']:.1f} ms",
            ratio=cost_ms["refused"] / cost_ms["accepted"],
        )

    def added_latency(self, under_test: Service) -> None:
        """One client against one bare process."""
        differences_ms = []
        for _ in range(3):
            bare = self.bare(process_count=1)
            seen = self.load(under_test, "closed", client_count=1)
            differences_ms.append(seen["p50_ms"] - bare.median_ms)
        self.row(
            "added latency, 1 client, median",
            f"{statistics.median(differences_ms):.2f} ms ({seen['p50_ms']:.1f})",
            f"{bare.median_ms:.1f} ms",
        )

    def hurt(self, under_test: Service, number: signal.Signals) -> None:
        """Send a signal to a worker under load."""
        load = start_load(
            under_test.port,
            self.pictures,
            "closed",
            duration_s=self.duration_s + JOB_TIMEOUT_S,
            client_count=4,
        )
        time.sleep(1.0 + self.duration_s / 3)
        os.kill(under_test.worker_pids()[0], number)
        seen = result_of(load)
        self.row(
            f"kill -{number.name[3:]} of a worker under load",
            f"lost {sum(seen['errors'].values())} of {seen['count']}, longest call "
            f"{seen['longest_ms']:.0f} ms, longest silence {seen['longest_gap_ms']:.0f} ms",
            share=seen["core_share"],
        )

    def cameras(self, under_test: Service) -> None:
        """More and more cameras, until 1 % of frames come late."""
        most = 0
        for count in (4, 8, 12, 16, 20, 24, 28, 32):
            seen = self.load(under_test, "cameras", count=count)
            share = seen["in_time_count"] / seen["frame_count"]
            self.row(
                f"{count} cameras at 30 frames/s",
                f"{100 * share:.1f} % answered within 50 ms, p99 {seen['p99_ms']:.0f} ms, "
                f"{statistics.mean(seen['judged_rates']):.1f} judged/s each",
                share=seen["core_share"],
            )
            if share < 0.99:
                break
            most = count
        self.row("  cameras with 99 % within 50 ms", str(most))

    def fairness(self, under_test: Service) -> None:
        """Eight cameras, one of which sends ten times as fast."""
        seen = self.load(under_test, "cameras", count=8, greed=10.0)
        modest = seen["judged_rates"][:-1]
        self.row(
            "slowest camera / median, one greedy at 10 x",
            f"{min(modest):.1f} / {statistics.median(modest):.1f} judged/s; "
            f"greedy {seen['judged_rates'][-1]:.1f}",
            ratio=min(modest) / statistics.median(modest),
            share=seen["core_share"],
        )


PARTS = ("throughput", "goodput", "health", "cost", "latency", "kill", "cameras", "fairness")


def main() -> None:
    """Measure what is asked for, everything by default."""
    parser = argparse.ArgumentParser(prog="bench-serve", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"any of {', '.join(PARTS)}")
    parser.add_argument("--duration-s", type=float, default=5.0)
    arguments = parser.parse_args()
    parts = arguments.parts or PARTS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pictures"
        pictures = make_pictures()
        pictures.save(path)
        bench = Bench(path, arguments.duration_s)
        print(
            f"{CORE_COUNT} workers on {os.cpu_count()} cores; "
            f"{len(pictures.accepted)} accepted 720p pictures of "
            f"{statistics.mean(map(len, pictures.accepted)) / 1024:.0f} KiB"
        )
        with service(CORE_COUNT, SMART_CAPTURE_JOB_TIMEOUT_S=str(JOB_TIMEOUT_S)) as under_test:
            measure(bench, under_test, parts)
            bench.row("memory (PSS) after the run", f"{under_test.pss_mb():.0f} MB")
    Console(width=160).print(bench.table)


def measure(bench: Bench, under_test: Service, parts: list[str]) -> None:
    """Take the measurements that are asked for."""
    bench.row("memory (PSS) at the start", f"{under_test.pss_mb():.0f} MB")
    if "throughput" in parts:
        bench.throughput(under_test)
    if "goodput" in parts:
        bench.goodput(under_test, 2)
        bench.goodput(under_test, 10)
    if "health" in parts:
        bench.health(under_test)
    if "cost" in parts:
        bench.refused_cost(under_test)
    if "latency" in parts:
        bench.added_latency(under_test)
    if "kill" in parts:
        bench.hurt(under_test, signal.SIGKILL)
        bench.hurt(under_test, signal.SIGSTOP)
    if "cameras" in parts:
        bench.cameras(under_test)
    if "fairness" in parts:
        bench.fairness(under_test)


if __name__ == "__main__":
    main()
