"""Memory that the settings of malloc keep for the next job, given back when there is none."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import time
from typing import Final

IDLE_S: Final = 1.0
"""A process that has had nothing to do for so long gives memory back."""

_WORKING_SHARE = 0.05
"""Share of a core above which a process counts as at work."""

_WORTH_IT_S = 0.1
"""Processor time since memory was last given back before it is worth doing again."""


def give_memory_back() -> None:
    """Return freed memory to the system; some milliseconds of work."""
    with contextlib.suppress(AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


async def give_memory_back_when_idle() -> None:
    """Watch this process from its event loop, for ever; after work, when it is idle, give back.

    What only refers to itself is collected before: at rest nothing would ever set that off.
    What is there at the start is taken to stay, so that this is no long look.
    """
    gc.collect()
    gc.freeze()
    given_back_s, used_s = 0.0, time.process_time()
    while True:
        await asyncio.sleep(IDLE_S)
        before_s, used_s = used_s, time.process_time()
        is_idle = used_s - before_s <= _WORKING_SHARE * IDLE_S
        if is_idle and used_s - given_back_s > _WORTH_IT_S:
            gc.collect()
            give_memory_back()
            given_back_s = used_s = time.process_time()
