"""Memory that the settings of malloc keep for the next job, given back when there is none."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import time
from typing import Final

IDLE_S: Final = 1.0
"""A process that has had nothing to do for so long gives memory back."""

_WORKING_SHARE = 0.05
"""Share of a core above which a process counts as at work."""


def give_memory_back() -> None:
    """Return freed memory to the system; some milliseconds of work."""
    with contextlib.suppress(AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


async def give_memory_back_when_idle() -> None:
    """Watch this process from its event loop, for ever; after work, when it is idle, give back."""
    has_worked = True
    used_s = time.process_time()
    while True:
        await asyncio.sleep(IDLE_S)
        before_s, used_s = used_s, time.process_time()
        if used_s - before_s > _WORKING_SHARE * IDLE_S:
            has_worked = True
        elif has_worked:
            give_memory_back()
            has_worked = False
            used_s = time.process_time()
