"""Lanes against ProcessPoolExecutor and against no processes at all: ``make bench-pool``.

Everything that is compared runs in turns within each round, so that whatever else the
machine does hits all alike; ratios to the bare run of the same round are what counts.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from inference.classifier import OnnxClassifier
from inference.errors import JobTimeoutError
from inference.lanes import LanePool
from inference.registry import Registry

ROUND_COUNT = 5
WORKER_COUNT = 2
CALLER_COUNT = 4
JOB_TIMEOUT_S = 1.0

Job: TypeAlias = tuple[str, NDArray[np.uint8]]
Caller: TypeAlias = Callable[[Job], Awaitable[Any]]


class Handler:
    """Infers with the int8 tier of the shipped model, or does no work."""

    def __init__(self, tier: int) -> None:
        manifest = Registry().active()
        self._network = OnnxClassifier(manifest, manifest.tiers[tier])

    def __call__(self, job: Job) -> Any:
        command, pixels = job
        if command == "infer":
            return self._network.probabilities(pixels)
        if command == "size":
            return pixels.size
        raise ValueError(command)


def build_handler() -> Handler:
    """Return the handler of a lane."""
    return Handler(0)


_handler: Handler | None = None


def start_executor_worker() -> None:
    """Set an executor's worker up as a lane sets up its own."""
    global _handler
    _handler = Handler(0)


def handle_in_executor(job: Job) -> Any:
    """Do a job in a worker of an executor."""
    assert _handler is not None
    return _handler(job)


def executor() -> ProcessPoolExecutor:
    """Return an executor whose workers are spawned, as a server with gRPC needs them."""
    return ProcessPoolExecutor(
        WORKER_COUNT, mp_context=get_context("spawn"), initializer=start_executor_worker
    )


def lanes() -> LanePool:
    """Return a pool of lanes with the same work."""
    return LanePool(build_handler, worker_count=WORKER_COUNT, job_timeout_s=JOB_TIMEOUT_S, nice=0)


def pixels(seed: int = 0) -> NDArray[np.uint8]:
    """Return one job's pixels: 150 kB."""
    return np.random.default_rng(seed).integers(0, 256, (1, 224, 224, 3), np.uint8)


async def latencies_ms(call: Caller, job: Job, count: int) -> NDArray[np.float64]:
    """Return how long each of `count` jobs took, one after the other."""
    times = np.empty(count)
    for index in range(count):
        start = time.perf_counter()
        await call(job)
        times[index] = time.perf_counter() - start
    return times * 1000


async def rate(call: Caller, job: Job, seconds: float) -> float:
    """Return jobs done per second with several callers."""
    done = 0
    start = time.perf_counter()

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() - start < seconds:
            await call(job)
            done += 1

    await asyncio.gather(*(caller() for _ in range(CALLER_COUNT)))
    return done / (time.perf_counter() - start)


def spread(values: list[float], form: str = "{:.2f}") -> str:
    """Return the median and the range, as text."""
    texts = [form.format(value) for value in (np.median(values), min(values), max(values))]
    return f"{texts[0]} ({texts[1]} to {texts[2]})"


async def compare_work(console: Console) -> None:
    """Print latency and throughput of inference, in turns."""
    handler = Handler(0)
    threads = ThreadPoolExecutor(WORKER_COUNT)
    processes = executor()
    loop = asyncio.get_running_loop()

    async def in_thread(job: Job) -> Any:
        return await loop.run_in_executor(threads, handler, job)

    async def bare(job: Job) -> Any:
        return handler(job)

    async def in_executor(job: Job) -> Any:
        return await loop.run_in_executor(processes, handle_in_executor, job)

    async with lanes() as pool:
        job: Job = ("infer", pixels())
        medians: dict[str, list[float]] = {name: [] for name in ("bare", "lanes", "executor")}
        p99s: dict[str, list[float]] = {name: [] for name in medians}
        rates: dict[str, list[float]] = {name: [] for name in ("threads", "lanes", "executor")}
        for call in (in_thread, in_executor, pool.run):
            await latencies_ms(call, job, 20)
        for _ in range(ROUND_COUNT):
            for name, call in (("bare", bare), ("lanes", pool.run), ("executor", in_executor)):
                times = await latencies_ms(call, job, 100)
                medians[name].append(float(np.median(times)))
                p99s[name].append(float(np.percentile(times, 99)))
            for name, call in (
                ("threads", in_thread),
                ("lanes", pool.run),
                ("executor", in_executor),
            ):
                rates[name].append(await rate(call, job, 1.0))
    processes.shutdown()
    threads.shutdown()
    table = Table(
        "one caller, int8 inference", "median ms", "p99 ms", "added to bare, ms", box=None
    )
    for name, values in medians.items():
        added = [value - base for value, base in zip(values, medians["bare"], strict=True)]
        table.add_row(name, spread(values), spread(p99s[name]), spread(added))
    console.print(table)
    table = Table(f"{CALLER_COUNT} callers", "images/s", "against threads on one session", box=None)
    for name, values in rates.items():
        ratios = [value / base for value, base in zip(values, rates["threads"], strict=True)]
        table.add_row(name, spread(values, "{:.0f}"), spread(ratios))
    console.print(table)


async def compare_hand_over(console: Console) -> None:
    """Print the round trip of jobs that need no work, by size, in turns."""
    processes = executor()
    loop = asyncio.get_running_loop()

    async def in_executor(job: Job) -> Any:
        return await loop.run_in_executor(processes, handle_in_executor, job)

    table = Table("round trip, no work", "lanes us", "executor us", "ratio", box=None)
    async with lanes() as pool:
        for size in (100, 40_000, 150_000, 3_000_000):
            job: Job = ("size", np.zeros(size, np.uint8))
            ours, theirs = [], []
            await latencies_ms(in_executor, job, 20)
            for _ in range(ROUND_COUNT):
                ours.append(float(np.median(await latencies_ms(pool.run, job, 60))) * 1000)
                theirs.append(float(np.median(await latencies_ms(in_executor, job, 60))) * 1000)
            ratio = float(np.median(ours) / np.median(theirs))
            table.add_row(
                f"{size} B", spread(ours, "{:.0f}"), spread(theirs, "{:.0f}"), f"{ratio:.2f}"
            )
    processes.shutdown()
    console.print(table)


async def under_fire(
    call: Caller, job: Job, seconds: float, shoot: Callable[[], None]
) -> tuple[int, int, float, float]:
    """Return jobs answered, jobs failed, the slowest and the median answer in ms."""
    times: list[float] = []
    failures = 0
    end = time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal failures
        while time.perf_counter() < end:
            start = time.perf_counter()
            try:
                await call(job)
            except (BrokenProcessPool, JobTimeoutError):
                failures += 1
                await asyncio.sleep(0.01)
            else:
                times.append((time.perf_counter() - start) * 1000)

    async def shooter() -> None:
        while time.perf_counter() < end - 0.5:
            await asyncio.sleep(0.5)
            shoot()

    await asyncio.gather(shooter(), *(caller() for _ in range(CALLER_COUNT)))
    return len(times), failures, max(times, default=np.nan), float(np.median(times))


async def compare_kills(console: Console) -> None:
    """Print what a kill -9 every half second costs."""
    table = Table("kill -9 each 0.5 s", "answered", "failed", "slowest ms", "median ms", box=None)
    job: Job = ("infer", pixels())
    async with lanes() as pool:
        random = np.random.default_rng(0)
        full_ms: list[float] = []

        def shoot() -> None:
            os.kill(int(random.choice(pool.worker_pids)), signal.SIGKILL)

        row = await under_fire(pool.run, job, 5, shoot)
        table.add_row("lanes", *map(_text, row))
        for _ in range(10):
            await until_full(pool)
            killed_at = time.perf_counter()
            deaths = pool.statistics.death_count
            shoot()
            while pool.statistics.death_count == deaths:
                await asyncio.sleep(0.001)
            await until_full(pool)
            full_ms.append((time.perf_counter() - killed_at) * 1000)
    with executor() as processes:
        loop = asyncio.get_running_loop()

        async def in_executor(job: Job) -> Any:
            return await loop.run_in_executor(processes, handle_in_executor, job)

        await in_executor(job)
        victims = iter(list(processes._processes))

        def shoot_executor() -> None:
            pid = next(victims, None)
            if pid is not None and Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGKILL)

        row = await under_fire(in_executor, job, 2, shoot_executor)
        table.add_row("executor", *map(_text, row))
    console.print(table)
    console.print(f"lanes, idle: kill -9 to a full pool {spread(full_ms, '{:.0f}')} ms")


async def measure_stop(console: Console) -> None:
    """Print what a stopped worker costs beyond the time limit of its job."""
    job: Job = ("infer", pixels())
    beyond_ms: list[float] = []
    failed = 0
    for _ in range(3):
        async with lanes() as pool:
            os.kill(pool.worker_pids[0], signal.SIGSTOP)
            start = time.perf_counter()
            answers = await asyncio.gather(
                *(pool.run(job) for _ in range(20)), return_exceptions=True
            )
            failed += sum(isinstance(answer, JobTimeoutError) for answer in answers)
            await until_full(pool)
            beyond_ms.append((time.perf_counter() - start - JOB_TIMEOUT_S) * 1000)
    console.print(
        f"kill -STOP, 3 times: {failed} jobs failed of 60; full pool "
        f"{spread(beyond_ms, '{:.0f}')} ms after the time limit"
    )


async def measure_cost(console: Console) -> None:
    """Print the time to start and the memory of the pool's processes."""
    start_ms = []
    for _ in range(3):
        start = time.perf_counter()
        async with lanes() as pool:
            start_ms.append((time.perf_counter() - start) * 1000)
            await asyncio.gather(*(pool.run(("infer", pixels())) for _ in range(20)))
            pids = pool.worker_pids
            fork_server = int(Path(f"/proc/{pids[0]}/stat").read_text().split()[3])
            megabytes = [pss_mb(pid) for pid in (fork_server, *pids)]
    console.print(f"start of {WORKER_COUNT} workers: {spread(start_ms, '{:.0f}')} ms")
    console.print(
        "PSS in MB: fork server {:.0f}, workers {}".format(
            megabytes[0], ", ".join(f"{value:.0f}" for value in megabytes[1:])
        )
    )


async def until_full(pool: LanePool) -> None:
    """Wait until every worker is ready and idle."""
    while pool.idle_count < pool.worker_count:
        await asyncio.sleep(0.001)


def pss_mb(pid: int) -> float:
    """Return the proportional set size of a process, in units of 2^20 bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _text(value: float) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


async def main() -> None:
    """Run all comparisons and print them."""
    console = Console(width=110)
    gc.disable()
    logging.getLogger("inference").setLevel(logging.ERROR)
    await compare_hand_over(console)
    await compare_work(console)
    await compare_kills(console)
    await measure_stop(console)
    await measure_cost(console)


if __name__ == "__main__":
    import tests.benchmarks.pool

    asyncio.run(tests.benchmarks.pool.main())
