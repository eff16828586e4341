"""How a job or an answer crosses between two processes.

A frame is a header, a table of segment lengths and the segments: first the pickle, then
its out-of-band buffers (PEP 574). Small frames go through the socket as a whole. Of large
ones only header and table do; the segments lie in the *slot*, a nameless file in memory
that both sides hold open, so that nothing is left over when a process is killed.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from mmap import ACCESS_READ, mmap
from typing import Any

INLINE_LIMIT_BYTES = 64 * 1024
"""Largest frame that goes through the socket to a worker; it fits in the socket's buffer,
so that sending never waits."""

_HEADER = struct.Struct("<BBxxIQQ")  # kind, in the slot, segments, bytes to follow, in the slot
_SMALL_BUFFER_BYTES = 4096
_KEPT_SLOT_BYTES = 4 << 20  # pages that most stills fit in are not given back and fetched again
_ALIGNMENT_BYTES = 64  # of NumPy's and OpenCV's own allocations


class FrameKind(IntEnum):
    """What a frame says."""

    JOB = 1
    ANSWER = 2
    ERROR = 3
    """The handler raised: type name and text."""
    BORN = 4
    """The process exists: its id."""
    READY = 5
    """Jobs may come."""
    FAILED = 6
    """The fork server could not build the handler: type name and text."""
    ENDED = 7
    """The fork server has reaped a worker: its id, and its exit code or minus its signal."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message.

    Attributes
    ----------
    kind : FrameKind
        What it says.
    segments : tuple of memoryview
        The pickle, then its buffers; read-only.
    """

    kind: FrameKind
    segments: tuple[memoryview, ...]

    def load(self) -> Any:
        """Return the object; its arrays are read-only views into the frame.

        Views into the slot are valid until the next job arrives.
        """
        return pickle.loads(self.segments[0], buffers=self.segments[1:])


def open_slot() -> int:
    """Open a nameless file in memory and return its descriptor."""
    if sys.platform == "linux":
        return os.memfd_create("lane-slot")
    else:  # noqa: RET505 -- mypy reads the branches by platform
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())


def encode_frame(kind: FrameKind, content: object, slot: int | None = None) -> bytes:
    """Return what is to be sent through the socket, after filling the slot if need be.

    Parameters
    ----------
    kind : FrameKind
        What the frame says.
    content : object
        Anything that can be pickled.
    slot : int or None
        Descriptor of the slot; None sends frames of any size through the socket.

    Raises
    ------
    Exception
        Whatever pickling `content` raises.
    """
    buffers: list[memoryview] = []

    def stays_in_stream(buffer: pickle.PickleBuffer) -> bool:
        view = buffer.raw()
        if view.nbytes < _SMALL_BUFFER_BYTES:
            return True
        buffers.append(view)
        return False

    stream = pickle.dumps(content, protocol=5, buffer_callback=stays_in_stream)
    segments: list[bytes | memoryview] = [stream, *buffers]
    lengths = [len(segment) for segment in segments]
    table = _padded(struct.pack(f"<{len(lengths)}Q", *lengths))
    if slot is not None and sum(lengths) > INLINE_LIMIT_BYTES:
        size = _write_slot(slot, segments)
        return _HEADER.pack(kind, True, len(segments), len(table), size) + table
    payload = b"".join(map(_padded, segments))
    size = len(table) + len(payload)
    return _HEADER.pack(kind, False, len(segments), size, 0) + table + payload


def _write_slot(slot: int, segments: Sequence[bytes | memoryview]) -> int:
    position = 0
    for segment in segments:
        view = memoryview(segment)
        while view:
            written = os.pwrite(slot, view, position)
            position, view = position + written, view[written:]
        position = _aligned(position)
    os.ftruncate(slot, max(position, _KEPT_SLOT_BYTES))
    return position


def _aligned(position: int) -> int:
    return -(-position // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES


def _padded(segment: bytes | memoryview) -> bytes:
    return bytes(segment).ljust(_aligned(len(segment)), b"\0")


class FrameReader:
    """Puts frames together from what arrives at a socket, blocking or not.

    Parameters
    ----------
    connection : socket.socket
        A stream socket.
    slot : int or None
        Descriptor of the slot of the frames that come here.
    """

    def __init__(self, connection: socket.socket, slot: int | None = None) -> None:
        self._connection = connection
        self._slot = slot
        self._header: tuple[int, bool, int, int, int] | None = None
        self._expect(_HEADER.size)

    def _expect(self, size: int) -> None:
        self._missing = self._part = memoryview(bytearray(size))

    def receive(self) -> Frame | None:
        """Return the next frame; None when a non-blocking socket has no more for now.

        Raises
        ------
        EOFError
            The other side is gone.
        ConnectionResetError
            The other side is gone and had not read all that was sent to it.
        """
        while True:
            while self._missing:
                try:
                    count = self._connection.recv_into(self._missing)
                except BlockingIOError:
                    return None
                if count == 0:
                    raise EOFError
                self._missing = self._missing[count:]
            if self._header is not None:
                break
            self._header = _HEADER.unpack(self._part)
            self._expect(self._header[3])
        frame = self._assemble(*self._header)
        self._header = None
        self._expect(_HEADER.size)
        return frame

    def _assemble(self, kind: int, in_slot: bool, count: int, _: int, slot_size: int) -> Frame:
        body = self._part.toreadonly()
        lengths = struct.unpack_from(f"<{count}Q", body)
        if in_slot:
            assert self._slot is not None
            payload = memoryview(mmap(self._slot, slot_size, access=ACCESS_READ))
        else:
            payload = body[_aligned(8 * count) :]
        segments = []
        position = 0
        for length in lengths:
            segments.append(payload[position : position + length])
            position = _aligned(position + length)
        return Frame(FrameKind(kind), tuple(segments))
