"""The process that lanes are forked from.

A worker that starts from nothing spends most of its time importing, and loading models. So
one process builds the handler, once, and forks a worker whenever one is asked for: in
milliseconds, and with the pages of code and models shared. It is started by running a
program, never by forking the caller, it has one thread, and it holds no sockets of gRPC:
forking *it* is safe where forking the server would not be.

This is the caller's half; `inference.fork_main` runs in the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from inference.lane_frame import Frame, FrameKind, FrameReader, encode_frame

_LOGGER = logging.getLogger(__name__)

ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    "MALLOC_TOP_PAD_": str(1 << 26),
    "MALLOC_ARENA_MAX": "2",
}
"""Environment that tells glibc to keep freed memory: a fresh page costs more than the pixels
that go into it. Read when a program starts."""

_ENVIRONMENT = ALLOCATOR | {
    # One lane is one core.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}

_RESTART_DELAY_S = 1.0


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What a worker process may use.

    Attributes
    ----------
    nice : int
        Added to the niceness, so that the caller stays responsive.
    memory_limit_bytes : int or None
        Private writable memory (``RLIMIT_DATA``); None for no limit. Address space would
        be the wrong measure: libraries and model files are mapped, not used up.
    """

    nice: int = 10
    memory_limit_bytes: int | None = None


class ForkServer:
    """The caller's half: start the process, ask it for workers.

    Parameters
    ----------
    factory : callable
        Builds the handler that all workers have. Importable by name, or a partial of such.
    limits : WorkerLimits
        What each worker may use.

    Notes
    -----
    When the process ends by itself its workers go on, and it is started again ahead of need;
    unless it said why it cannot build the handler: then only a missing worker makes another try.
    """

    def __init__(self, factory: Callable[[], Callable[[Any], Any]], limits: WorkerLimits) -> None:
        self._preparation = (pickle.dumps(factory), limits)
        self._restart: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._reader: FrameReader | None = None
        self._lifeline: int | None = None
        self._failure: str | None = None
        self.has_forked = False
        """Whether a worker of it was ready: it has built the handler, and forks at once."""

    @property
    def is_running(self) -> bool:
        """Whether it can be asked for workers, as far as is known."""
        return self._control is not None

    def start(self) -> None:
        """Start the process, in place of one that has ended."""
        self.kill()
        control, theirs = socket.socketpair()
        watched, self._lifeline = os.pipe()
        try:
            self._process = subprocess.Popen(
                # -P: what lies in the current folder must not pass for a module.
                [sys.executable, "-P", "-m", "inference.fork_main", str(watched)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                pass_fds=(watched,),
                env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(sys.path)},
                start_new_session=True,  # an interrupt at the terminal is the caller's to handle
            )
        except OSError:
            control.close()
            self.kill()
            raise
        finally:
            theirs.close()
            os.close(watched)
        control.sendall(encode_frame(FrameKind.JOB, self._preparation))
        control.setblocking(False)
        self._control = control
        self._reader = FrameReader(control)
        self._failure = None
        self.has_forked = False
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(control, self._receive)

    def fork(self, connection: socket.socket, slot: int, lifeline: int) -> None:
        """Ask for a worker that serves `connection` and finds large jobs in `slot`.

        It ends when the other end of `lifeline`, a pipe, is closed.

        Raises
        ------
        ConnectionError
            The process has ended.
        """
        if self._control is None:
            raise ConnectionError("the fork server is not running")
        socket.send_fds(self._control, [b"F"], [connection.fileno(), slot, lifeline])

    def failure(self) -> str | None:
        """Return why the handler could not be built, if so."""
        self._listen()
        return self._failure

    def _listen(self) -> bool:
        """Read what the process says; False when it has ended."""
        if self._reader is None:
            return False
        try:
            while (frame := self._reader.receive()) is not None:
                self._hear(frame)
        except (EOFError, ConnectionResetError):
            return False
        return True

    def _hear(self, frame: Frame) -> None:
        if frame.kind is FrameKind.FAILED:
            self._failure = "{}: {}".format(*frame.load())
        else:
            pid, exit_code = frame.load()
            if exit_code != 0:  # which is that of a worker that was let go
                _LOGGER.warning("worker %d %s", pid, _how(exit_code))

    def _receive(self) -> None:
        if self._listen():
            return
        self.kill()
        if self._failure is None:
            loop = asyncio.get_running_loop()
            self._restart = loop.call_later(_RESTART_DELAY_S, self._start_again)

    def _start_again(self) -> None:
        with contextlib.suppress(OSError):  # a missing worker will make another try
            self.start()

    def kill(self) -> None:
        """End the process; its workers go on."""
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        if self._control is not None:
            assert self._loop is not None
            self._loop.remove_reader(self._control)
            self._control.close()
            self._control = None
            self._reader = None
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _how(exit_code: int) -> str:
    """Say how a process ended, by its exit code or minus the signal that ended it."""
    if exit_code >= 0:
        return f"exited with code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:  # of real time: they have no names
        name = f"signal {-exit_code}"
    return f"was ended by {name}"
