"""A server that does nothing but answer, over gRPC and HTTP: what the generator can do at most.

Run as a program it prints its two ports and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import grpc.aio
import uvloop

from tests.benchmarks.serve.callers import HOST
from tests.benchmarks.serve.load import Seen, run_load

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def echo() -> Iterator[tuple[int, int]]:
    """Run the server in a process of its own; gives its port of gRPC and that of HTTP."""
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            grpc_port, http_port = map(int, process.stdout.readline().split())
            yield grpc_port, http_port
        finally:
            process.stdin.close()


def ceilings(pictures: Path, duration_s: float = 2.0) -> tuple[Seen, Seen]:
    """Return what 16 clients see of it, over gRPC and over HTTP."""
    options = {"client_count": 16, "duration_s": duration_s}
    with echo() as (grpc_port, http_port):
        return (
            run_load(grpc_port, pictures, "closed", protocol="capture", **options),
            run_load(http_port, pictures, "closed", protocol="http", **options),
        )


class _AnyMethod(grpc.GenericRpcHandler):
    def service(self, _: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(_nothing)


async def _nothing(_: bytes, __: object) -> bytes:
    return b""


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            fields = dict(line.split(b":", 1) for line in head.lower().split(b"\r\n")[1:-2])
            await reader.readexactly(int(fields.get(b"content-length", 0)))
            writer.write(_ANSWER)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Serve."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_AnyMethod(),))
    grpc_port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    http = await asyncio.start_server(_answer, HOST, 0, limit=1 << 20)
    print(grpc_port, http.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    http.close()
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(main())
