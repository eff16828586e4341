"""How a long command ends before its end: politely at the first signal, at once at the second."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from types import FrameType

import typer

from capture.cli.exits import ExitCode

STOPPED = "Stopped before the end. The same command goes on from here."

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LAST_WAIT_S = 3.0


@contextmanager
def stoppable(*, quiet: bool) -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does, at any moment: with a word on how to go on."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        if not quiet:
            typer.echo(STOPPED, err=True)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call a function of the running event loop at the first signal; the second ends it all.

    Parameters
    ----------
    stop : callable
        Asks for a polite end.
    """
    loop = asyncio.get_running_loop()

    def interrupt_on_signals() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, _interrupt)

    def stop_once() -> None:
        interrupt_on_signals()
        stop()

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop_once)
    try:
        yield
    finally:
        interrupt_on_signals()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # A thread that waits for a store that says nothing cannot be interrupted, and Python
    # waits for its threads. What was committed is safe, and workers end with this process.
    last = Timer(_LAST_WAIT_S, _leave)
    last.daemon = True
    last.start()
    raise KeyboardInterrupt


def _leave() -> None:
    typer.echo(STOPPED, err=True)
    os._exit(ExitCode.INTERRUPTED)
