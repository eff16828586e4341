"""Check a folder with CleanVision; run by its own environment. Prints seconds, and CPU seconds."""

from __future__ import annotations

import json
import sys
import time
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from cleanvision import Imagelab  # type: ignore[import-not-found]


def cpu_s() -> float:
    """CPU time of this process and of those it has started and waited for."""
    used = [getrusage(who) for who in (RUSAGE_SELF, RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


if __name__ == "__main__":
    started, cpu_before_s = time.perf_counter(), cpu_s()
    lab = Imagelab(data_path=sys.argv[1])
    lab.find_issues({"blurry": {}, "dark": {}, "light": {}}, n_jobs=2, verbose=False)
    print(json.dumps([len(lab.issues), time.perf_counter() - started, cpu_s() - cpu_before_s]))
