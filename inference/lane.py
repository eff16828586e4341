"""One lane: a worker process and the socket to it.

This is the caller's half; `inference.lane_main` runs in the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable

from inference.fork_server import ForkServer
from inference.lane_frame import (
    INLINE_LIMIT_BYTES,
    Frame,
    FrameKind,
    FrameReader,
    encode_frame,
    open_slot,
)


class Lane:
    """Hand one job over, hear one answer, notice death.

    Parameters
    ----------
    on_frame : callable
        Called in the event loop with each frame that arrives.
    on_end : callable
        Called in the event loop when the worker is gone, with its process id and whether it
        had begun the last job: a worker killed while idle has not, even when that was noticed
        too late.
    """

    def __init__(
        self,
        on_frame: Callable[[Frame], None],
        on_end: Callable[[int | None, bool], None],
    ) -> None:
        self._on_frame = on_frame
        self._on_end = on_end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: socket.socket | None = None
        self._reader: FrameReader | None = None
        self._slot: int | None = None
        self._lifeline: int | None = None
        self._is_delivered = False
        self.pid: int | None = None
        """Process id; None until the worker has reported it."""

    def connect(self, fork_server: ForkServer) -> None:
        """Ask for a worker, in place of one that is gone.

        Raises
        ------
        ConnectionError
            The fork server has ended.
        """
        self.disconnect()
        if self._slot is None:
            self._slot = open_slot()
        ours, theirs = socket.socketpair()
        watched, self._lifeline = os.pipe()
        try:
            fork_server.fork(theirs, self._slot, watched)
        except OSError:
            ours.close()
            self.disconnect()
            raise
        finally:
            theirs.close()
            os.close(watched)
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * INLINE_LIMIT_BYTES)
        self._connection = ours
        self._reader = FrameReader(ours)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(ours, self._receive)

    def send(self, job: object) -> None:
        """Hand a job to an idle worker.

        Raises
        ------
        Exception
            Whatever pickling `job` raises; the worker is still idle then.
        """
        assert self._connection is not None
        frame = encode_frame(FrameKind.JOB, job, self._slot)
        # A worker that died meanwhile shows up as the end of the stream.
        try:
            sent_bytes = self._connection.send(frame)
        except ConnectionError:
            self._is_delivered = False
        else:
            # The socket was empty, since the worker was idle, and holds such a frame whole.
            assert sent_bytes == len(frame)
            self._is_delivered = True

    def _receive(self) -> None:
        assert self._reader is not None
        try:
            frame = self._reader.receive()
        except (EOFError, ConnectionResetError) as end:
            # Reset: the worker ended without having read all that was sent.
            pid = self.pid
            self.disconnect()
            self._on_end(pid, self._is_delivered and isinstance(end, EOFError))
            return
        if frame is None:
            return
        if frame.kind is FrameKind.BORN:
            self.pid = int(frame.load())
        else:
            self._on_frame(frame)

    @property
    def has_news(self) -> bool:
        """Whether something has arrived, if only an end, that the event loop did not see yet."""
        if self._connection is None:
            return False
        poll = select.poll()  # of any descriptor, where select takes the first 1024
        poll.register(self._connection, select.POLLIN)
        return bool(poll.poll(0))

    def kill(self) -> None:
        """End the worker at once, stopped or hung as it may be."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.disconnect()

    def disconnect(self) -> None:
        """Let go of the worker; a live one ends at that."""
        if self._connection is not None:
            assert self._loop is not None
            self._loop.remove_reader(self._connection)
            self._connection.close()
        if self._lifeline is not None:
            os.close(self._lifeline)
        self._lifeline = None
        self._connection = None
        self._reader = None
        self.pid = None

    def close(self) -> None:
        """End the worker and give the slot back."""
        self.kill()
        if self._slot is not None:
            os.close(self._slot)
            self._slot = None
