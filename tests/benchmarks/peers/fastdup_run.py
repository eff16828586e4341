"""Analyse a folder with fastdup; run by its own environment. Prints seconds, and CPU seconds."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

import fastdup  # type: ignore[import-not-found]


def cpu_s() -> float:
    """CPU time of this process and of those it has started and waited for."""
    used = [getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        started, cpu_before_s = time.perf_counter(), cpu_s()
        found = fastdup.create(work_dir=work, input_dir=sys.argv[1])
        found.run(num_threads=2, overwrite=True)
        count = len(found.img_stats())
        print(json.dumps([count, time.perf_counter() - started, cpu_s() - cpu_before_s]))
