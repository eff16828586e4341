"""A client that says over HTTP/2 what no gRPC library would let it say."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_WINDOW_UPDATE, _CONTINUATION = 8, 9
_CANCEL = 8
_ACK, _END_STREAM, _END_HEADERS = 1, 1, 4


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name: str, value: str) -> bytes:
    """Write a header as HPACK does without compression: RFC 7541, 6.2.2."""
    return b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))


def prefixed(
    message: bytes, declared_size: int | None = None, *, is_compressed: bool = False
) -> bytes:
    """Put gRPC's prefix before a message; it may lie about the size."""
    size = len(message) if declared_size is None else declared_size
    return struct.pack(">BI", is_compressed, size) + message


class RawConnection:
    """One connection; calls are numbered by their streams: 1, 3, 5 and so on."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def start_call(self, stream: int, method: str, **more: str) -> None:
        """Send the headers of a call, and more of them, with hyphens for underscores."""
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": f"/capture.v1.SmartCapture/{method}",
            ":authority": "localhost",
            "te": "trailers",
            "content-type": "application/grpc",
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        block = b"".join(_literal(name, value) for name, value in headers.items())
        await self.send_raw(_frame(_HEADERS, _END_HEADERS, stream, block))

    async def begin_headers(self, stream: int) -> None:
        """Send the first of the headers of a call, and leave the others open."""
        await self.send_raw(_frame(_HEADERS, 0, stream, _literal(":method", "POST")))

    async def go_on_with_headers(self, stream: int, *, name: str, value: str) -> None:
        """Send one more header, and leave the others open."""
        await self.send_raw(_frame(_CONTINUATION, 0, stream, _literal(name, value)))

    async def reset(self, stream: int) -> None:
        """Give a call up."""
        await self.send_raw(_frame(_RST_STREAM, 0, stream, struct.pack(">I", _CANCEL)))

    async def ping(self) -> None:
        """Ask whether somebody is there."""
        await self.send_raw(_frame(_PING, 0, 0, bytes(8)))

    async def send(self, stream: int, data: bytes, *, ends: bool = False) -> None:
        """Send data of a call, at most 16 KiB at once."""
        await self.send_raw(_frame(_DATA, _END_STREAM if ends else 0, stream, data))

    async def send_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()

    async def widen(self) -> None:
        """Let the server send a gigabyte to all calls together."""
        await self.send_raw(_frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30)))

    async def answered(self, count: int, *, within_s: float = 120) -> tuple[set[int], set[int]]:
        """Read until so many calls have data or have ended; return which have which."""
        talking: set[int] = set()
        over: set[int] = set()
        async with asyncio.timeout(within_s):
            while len(talking | over) < count:
                kind, flags, of, _ = await self._next_frame()
                if kind == _RST_STREAM or (kind in (_HEADERS, _DATA) and flags & _END_STREAM):
                    over.add(of)
                elif kind == _DATA:
                    talking.add(of)
        return talking - over, over

    async def listen(self, for_s: float) -> None:
        """Answer what the server asks for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(for_s):
                while True:
                    await self._next_frame()

    async def data(self, stream: int, *, within_s: float = 20) -> bytes:
        """Read until data of the call come, and return them."""
        async with asyncio.timeout(within_s):
            while True:
                kind, _, of, payload = await self._next_frame()
                if kind == _DATA and of == stream:
                    return payload

    async def ended(self, stream: int, *, within_s: float = 20) -> bytes:
        """Read until the call has ended, and return the last headers of it."""
        headers = b""
        async with asyncio.timeout(within_s):
            while True:
                kind, flags, of, payload = await self._next_frame()
                if kind == _HEADERS and of == stream:
                    headers = payload
                is_over = (kind in (_HEADERS, _DATA) and flags & _END_STREAM) or kind == _RST_STREAM
                if (is_over and of == stream) or kind == _GOAWAY:
                    return headers

    async def _next_frame(self) -> tuple[int, int, int, bytes]:
        head = await self._reader.readexactly(9)
        payload = await self._reader.readexactly(int.from_bytes(head[:3]))
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        if kind == _SETTINGS and not flags & _ACK:
            await self.send_raw(_frame(_SETTINGS, _ACK, 0, b""))
        if kind == _PING and not flags & _ACK:
            await self.send_raw(_frame(_PING, _ACK, 0, payload))
        return kind, flags, stream, payload

    async def closed(self, *, within_s: float = 20) -> None:
        """Read until the server hangs up."""
        async with asyncio.timeout(within_s):
            with contextlib.suppress(ConnectionError):
                while await self._reader.read(1 << 16):
                    pass


@asynccontextmanager
async def raw_connection(port: int, *, greets: bool = True) -> AsyncIterator[RawConnection]:
    """Open a connection; one that does not greet is not HTTP/2 yet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        connection = RawConnection(reader, writer)
        if greets:
            await connection.send_raw(_PREFACE + _frame(_SETTINGS, 0, 0, b""))
        yield connection
    finally:
        writer.close()
