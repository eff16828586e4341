"""The server under test, and what the kernel says of its processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Service:
    """A running server.

    Attributes
    ----------
    pid, port : int
        Of its front.
    """

    pid: int
    port: int

    def pids(self) -> list[int]:
        """Return the front and everything below it."""
        return [self.pid, *_below(self.pid)]

    def worker_pids(self) -> list[int]:
        """Return the workers: the leaves of the tree."""
        return [pid for pid in _below(self.pid) if not _below(pid)]

    def cpu_s(self) -> float:
        """Return the CPU time of all its processes that still live."""
        return sum(self.cpu_s_by_pid().values())

    def cpu_s_by_pid(self) -> dict[int, float]:
        """Return the CPU time of each process."""
        return {pid: _cpu_s(pid) for pid in self.pids()}

    def front_cpu_s(self) -> float:
        """Return the CPU time of the front alone."""
        return _cpu_s(self.pid)

    def front_pss_mb(self) -> float:
        """Return the memory of the front alone."""
        return _pss_kb(self.pid) / 1024

    def pss_mb(self) -> float:
        """Return its memory, shared pages counted by their share."""
        return sum(_pss_kb(pid) for pid in self.pids()) / 1024


@contextmanager
def service(worker_count: int, port: int = 0, **environment: str) -> Iterator[Service]:
    """Start a server as a user would."""
    command = [sys.executable, "-m", "capture", "serve", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--workers", str(worker_count), "--log-level", "warning"],
        stdout=subprocess.PIPE,
        env=os.environ | environment,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline().decode()
        if "listening on" not in line:
            raise SystemExit("the server did not start")
        yield Service(process.pid, int(line.split(" with ")[0].rsplit(":", 1)[1]))
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _below(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [found for child in map(int, children) for found in (child, *_below(child))]


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
