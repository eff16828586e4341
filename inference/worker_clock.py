"""What the kernel tells of a worker's time."""

from __future__ import annotations

import sys
import time
from pathlib import Path

_SCHEDULED_TIME_OF_A_PROCESS = 2


def cpu_time_s(pid: int) -> float | None:
    """Return the processor time that a process has used, in seconds; None if unknown.

    References
    ----------
    clock_getcpuclockid(3): on Linux the clock of a process is made of its id.
    """
    if sys.platform != "linux":
        return None
    try:
        return time.clock_gettime((~pid << 3) | _SCHEDULED_TIME_OF_A_PROCESS)
    except OSError:
        return None


def is_runnable(pid: int) -> bool:
    """Say whether a process runs, or would if it were given a processor.

    One that is stopped, sleeps, or has ended does not; nor one of which nothing is known.
    """
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return told.rpartition(")")[2].split()[0] == "R"  # proc(5): behind the name, in brackets
