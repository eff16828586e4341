"""A pipe that nothing is ever written to: its end is that of the process that holds it."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys


def end_with(lifeline: int) -> None:
    """Have the kernel end this process as soon as the caller is gone, stopped or busy as it is.

    The end of a stream between the two says so too, but during a job nobody reads it, and a
    job that hangs would outlive its caller for ever. The stream itself must not be watched:
    the kernel tells of a frame after it can be read, so a job would now and then be killed by
    its own arrival. Nothing ever arrives here but the end.

    Parameters
    ----------
    lifeline : int
        Descriptor of the reading end of a pipe; the caller alone holds the other end open.
    """
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # too late to be told
        os._exit(0)
