"""Runs in a worker; `inference.lane` is the other end of its socket."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import select
import socket
from collections.abc import Callable
from typing import Any, NoReturn

from inference.fork_server import WorkerLimits
from inference.lane_frame import Frame, FrameKind, FrameReader, encode_frame
from inference.lifeline import end_with
from inference.memory import IDLE_S, give_memory_back

_LOGGER = logging.getLogger(__name__)


def serve_lane(
    handler: Callable[[Any], Any],
    connection: socket.socket,
    slot: int,
    lifeline: int,
    limits: WorkerLimits,
) -> NoReturn:
    """Answer jobs one by one until the caller is gone.

    Parameters
    ----------
    handler : callable
        Maps a job to its answer.
    connection : socket.socket
        Blocking stream socket.
    slot : int
        Descriptor of the file in which large jobs arrive.
    lifeline : int
        Descriptor of a pipe that the caller holds open as long as it wants the worker.
    limits : WorkerLimits
        What this process may use.
    """
    with contextlib.suppress(EOFError, ConnectionError):
        end_with(lifeline)
        connection.sendall(encode_frame(FrameKind.BORN, os.getpid()))
        if limits.memory_limit_bytes is not None:
            ceiling = (limits.memory_limit_bytes, limits.memory_limit_bytes)
            resource.setrlimit(resource.RLIMIT_DATA, ceiling)
        os.nice(limits.nice)
        connection.sendall(encode_frame(FrameKind.READY, None))
        reader = FrameReader(connection, slot)
        while True:
            if not select.select([connection], [], [], IDLE_S)[0]:
                give_memory_back()
            frame = reader.receive()
            assert frame is not None
            answer = _answer(handler, frame)
            del frame
            connection.sendall(answer)
    os._exit(0)


def _answer(handler: Callable[[Any], Any], frame: Frame) -> bytes:
    try:
        return encode_frame(FrameKind.ANSWER, handler(frame.load()))
    except Exception as error:
        _LOGGER.exception("a job failed")  # only name and text cross; the trace stays here
        return encode_frame(FrameKind.ERROR, (type(error).__name__, str(error)))
