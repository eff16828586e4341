"""Runs in the process that lanes are forked from; `inference.fork_server` starts it."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from inference.lane_frame import FrameKind, FrameReader, encode_frame
from inference.lane_main import serve_lane
from inference.lifeline import end_with

_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Sent to all processes of a service: workers live until the caller lets go of them."""


def main() -> None:
    """Fork a worker for each request on standard input until the caller is gone."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    lifeline = int(sys.argv[1])
    end_with(lifeline)
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
    deaths, waker = _deaths()
    gc.collect()
    gc.freeze()  # a collection in a worker must not copy the shared pages

    def become_worker(connection: int, slot: int, lifeline_of_worker: int) -> NoReturn:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for not_its_own in (deaths, waker, control):
            not_its_own.close()
        os.close(lifeline)
        serve_lane(handler, socket.socket(fileno=connection), slot, lifeline_of_worker, limits)

    with contextlib.suppress(ConnectionError):
        while _serve_once(control, deaths, become_worker):
            pass
    os._exit(0)


def _serve_once(
    control: socket.socket,
    deaths: socket.socket,
    become_worker: Callable[[int, int, int], NoReturn],
) -> bool:
    """Wait until there is something to do, and do it; False when the caller is gone."""
    ready, _, _ = select.select([control, deaths], [], [])
    if control in ready:  # first: a worker is missed
        request, descriptors, _, _ = socket.recv_fds(control, 1, 3)
        if not request:
            return False
        if os.fork() == 0:
            become_worker(*descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
    if deaths in ready:
        deaths.recv(4096)
        for pid, exit_code in _reaped():
            control.sendall(encode_frame(FrameKind.ENDED, (pid, exit_code)))
    return True


def _deaths() -> tuple[socket.socket, socket.socket]:
    """Return a socket that can be read when a child has ended, and its other end."""
    deaths, waker = socket.socketpair()
    waker.setblocking(False)
    # Without a handler in Python nothing is written; a full socket has told enough.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    return deaths, waker


def _reaped() -> list[tuple[int, int]]:
    """Return the children that have ended, each with its exit code or minus its signal."""
    ended = []
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            ended.append((found[0], os.waitstatus_to_exitcode(found[1])))
    return ended


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
