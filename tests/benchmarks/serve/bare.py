"""The bare loop: as many processes as cores, bytes in memory, the same work, nothing else.

Run as a program it prints one JSON object; the parent starts one for each core.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from capture.worker import WorkerConfig, build_worker
from inference.fork_server import _ENVIRONMENT
from tests.benchmarks.serve.pictures import Pictures, still_job


@dataclass(frozen=True)
class Bare:
    """What the bare loop did.

    Attributes
    ----------
    rate : float
        Pictures a second, over all processes.
    median_ms : float
        Time of one picture.
    cpu_ms : float
        CPU time of one picture.
    """

    rate: float
    median_ms: float
    cpu_ms: float


def run_bare(pictures: Path, kind: str, *, process_count: int, duration_s: float) -> Bare:
    """Run the loop over `kind` of pictures, ``accepted`` or ``refused``."""
    command = [sys.executable, "-m", __name__, str(pictures), kind, str(duration_s)]
    processes = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | _ENVIRONMENT
        )
        for _ in range(process_count)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()  # it is ready
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    results = [json.loads(process.communicate()[0]) for process in processes]
    return Bare(
        rate=sum(result["count"] / result["wall_s"] for result in results),
        median_ms=statistics.median(result["median_ms"] for result in results),
        cpu_ms=1e3 * sum(r["cpu_s"] for r in results) / sum(r["count"] for r in results),
    )


def _main(pictures: str, kind: str, duration_s: str) -> None:
    os.nice(10)  # as the workers: whatever else runs here takes from both alike
    worker = build_worker(WorkerConfig())
    jobs = [still_job(data) for data in getattr(Pictures.load(Path(pictures)), kind)]
    for job in jobs[:5]:
        worker(job)
    print("ready", flush=True)
    sys.stdin.readline()
    times_s = []
    cpu_start_s, start_s = _cpu_s(), time.perf_counter()
    while (began_s := time.perf_counter()) < start_s + float(duration_s):
        worker(jobs[len(times_s) % len(jobs)])
        times_s.append(time.perf_counter() - began_s)
    print(
        json.dumps(
            {
                "count": len(times_s),
                "wall_s": time.perf_counter() - start_s,
                "cpu_s": _cpu_s() - cpu_start_s,
                "median_ms": 1e3 * statistics.median(times_s),
            }
        )
    )


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    _main(*sys.argv[1:])
