"""Handlers for the workers of the lane tests; real processes import this module."""

from __future__ import annotations

import importlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def build_handler() -> Callable[[Any], Any]:
    """Return a handler that does what the job says: ``(command, argument)``."""

    def handle(job: tuple[str, Any]) -> Any:
        command, argument = job
        return _COMMANDS[command](argument)

    return handle


def build_marked(mark: str) -> Callable[[Any], Any]:
    """Return a handler that also says which one it is."""
    commands = _COMMANDS | {"mark": lambda _: mark}
    return lambda job: commands[job[0]](job[1])


def build_as_asyncio_forks() -> Callable[[Any], Any]:
    """Forget in each fork who wants to be woken, as asyncio does from Python 3.12 on."""
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
    return build_handler()


def build_nothing(message: str) -> Callable[[Any], Any]:
    raise LookupError(message)


def build_once(marker: str) -> Callable[[Any], Any]:
    """Build a handler only while the marker file is there."""
    if not Path(marker).exists():
        raise LookupError("the marker is gone")
    return build_handler()


def build_for_ever(marker: str) -> Callable[[Any], Any]:
    """Say that it has begun, and come to no end."""
    Path(marker).touch()
    time.sleep(1e6)
    raise AssertionError


class FactoryOf:
    """The factory of a module that is imported only on the other side."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __call__(self) -> Callable[[Any], Any]:
        raise NotImplementedError

    def __reduce__(self) -> tuple[Any, ...]:
        return _factory_of, (self._module,)


def _factory_of(module: str) -> Any:
    return importlib.import_module(module).build_handler


def _sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def _raise(message: str) -> None:
    raise KeyError(message)


def _die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_once(marker: str) -> int:
    """End the process unless one has died of this marker before."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return os.getpid()
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _stay_once(marker: str) -> int:
    """Say which process it is, and stay until that is killed; the second time, return."""
    try:
        with Path(marker).open("x", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
    except FileExistsError:
        return os.getpid()
    time.sleep(999)
    raise AssertionError


def _pid_after(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def _touch(marker: str) -> None:
    Path(marker).touch()


def _wait_for(marker: str) -> None:
    while not Path(marker).exists():
        time.sleep(0.01)


def _allocate(size: int) -> int:
    return int(np.ones(size, np.uint8)[-1])


def _describe(_: object) -> dict[str, Any]:
    session = Path("/proc/self/autogroup")
    return {
        "pid": os.getpid(),
        "niceness": os.nice(0),
        "session": session.read_text() if session.exists() else None,
        "thread_count": len(list(Path("/proc/self/task").iterdir())),
        "malloc_arena_max": os.environ.get("MALLOC_ARENA_MAX"),
        "open_files": sorted(
            str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()
        ),
    }


def _spin(_: object) -> None:
    while True:
        pass


def _work(seconds: float) -> float:
    """Use a processor for so many seconds, however long that takes."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return seconds


_COMMANDS: dict[str, Callable[[Any], Any]] = {
    "echo": lambda argument: argument,
    "invert": lambda array: 255 - array,
    "sleep": _sleep,
    "raise": _raise,
    "die": _die,
    "die of": lambda number: os.kill(os.getpid(), number),
    "exit": os._exit,
    "die once": _die_once,
    "stay once": _stay_once,
    "pid after": _pid_after,
    "touch": _touch,
    "wait for": _wait_for,
    "allocate": _allocate,
    "describe": _describe,
    "spin": _spin,
    "work": _work,
    "unpicklable answer": lambda _: lambda: None,
}
