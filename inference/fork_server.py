"""The process that lanes are forked from.

A worker that starts from nothing spends most of its time importing, and loading models. So
one process builds the handler, once, and forks a worker whenever one is asked for: in
milliseconds, and with the pages of code and models shared. It is started by running a
program, never by forking the caller, it has one thread, and it holds no sockets of gRPC:
forking *it* is safe where forking the server would not be.

Both halves are here: `ForkServer` is the caller's, `main` runs in the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.lane_frame import FrameKind, FrameReader, encode_frame

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
        with theirs:
            self._process = subprocess.Popen(
                # -P: what lies in the current folder must not pass for a module.
                [sys.executable, "-P", "-m", __name__],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(sys.path)},
                start_new_session=True,  # an interrupt at the terminal is the caller's to handle
            )
        control.sendall(encode_frame(FrameKind.JOB, self._preparation))
        control.setblocking(False)
        self._control = control
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
        if self._control is None:
            return False
        try:
            frame = FrameReader(self._control).receive()
        except (EOFError, ConnectionResetError):
            return False
        if frame is not None:
            self._failure = "{}: {}".format(*frame.load())
        return True

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
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def main() -> None:
    """Fork a worker for each request on standard input until the caller is gone."""
    from inference.lane import serve_lane

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # workers live until the caller lets go of them
    control = socket.socket(fileno=os.dup(0))
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)  # workers inherit 0, and must not hold the control open
    preparation = FrameReader(control).receive()
    assert preparation is not None
    try:
        factory_pickle, limits = preparation.load()
        handler = pickle.loads(factory_pickle)()
        _check_single_thread()
    except BaseException as error:
        control.sendall(encode_frame(FrameKind.FAILED, (type(error).__name__, str(error))))
        os._exit(1)
    if limits.nice:
        _be_nice_as_a_session(limits.nice)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the workers
    gc.collect()
    gc.freeze()  # a collection in a worker must not copy the shared pages
    while True:
        try:
            request, descriptors, _, _ = socket.recv_fds(control, 1, 3)
        except ConnectionError:
            os._exit(0)
        if not request:
            os._exit(0)
        if os.fork() == 0:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            connection, slot, lifeline = descriptors
            serve_lane(handler, socket.socket(fileno=connection), slot, lifeline, limits)
        for descriptor in descriptors:
            os.close(descriptor)


def _be_nice_as_a_session(nice: int) -> None:
    """Yield to other sessions, too.

    Linux groups processes by session, and niceness counts only within a group: sched(7).
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(min(nice, 19)), encoding="ascii")


def _check_single_thread() -> None:
    if sys.platform == "linux":
        count = len(list(Path("/proc/self/task").iterdir()))
    else:
        count = threading.active_count()
    if count > 1:
        raise RuntimeError(f"building the handler started {count - 1} threads: it cannot be forked")


if __name__ == "__main__":
    main()
