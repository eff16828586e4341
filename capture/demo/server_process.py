"""The real server in a process of its own, for as long as a ``with`` block lasts."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

from capture.client import ServerUnreachableError

STARTS_WITHIN_S = 60.0
ENDS_WITHIN_S = 10.0


@contextlib.contextmanager
def server_process() -> Iterator[str]:
    """Start ``smart-capture serve`` on a free port of this machine and give its target.

    However the block is left, the server and its workers are gone afterwards.

    Raises
    ------
    ServerUnreachableError
        If it does not come up; the message holds what it said.
    """
    # -P: what lies in the current folder must not pass for a module.
    command = [sys.executable, "-P", "-m", "capture", "serve", "--host", "127.0.0.1"]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [*command, "--port", "0", "--grace", "2", "--log-level", "warning"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Ctrl-C reaches this process only, which then ends the server in good order.
            start_new_session=True,
        )
        try:
            yield _target(process, log)
        finally:
            _end(process)


def _target(process: subprocess.Popen[str], log: IO[str]) -> str:
    overdue = threading.Timer(STARTS_WITHIN_S, process.kill)
    overdue.start()
    try:
        # The server says so when it answers; an end of its output means that it never will.
        announced = process.stdout.readline() if process.stdout else ""
    finally:
        overdue.cancel()
    address = re.match(r"listening on (\S+)", announced)
    if address is None:
        log.seek(0)
        raise ServerUnreachableError(f"the server did not start: {log.read().strip()}")
    return address[1]


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout:
        process.stdout.close()
