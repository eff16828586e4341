"""Servers in processes of their own, as the command line starts them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import grpc.aio

from tests.inference.processes import children_of


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[grpc.aio.Channel]:
    """Connect to a port of this machine."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel


class Process:
    """A server in a process of its own, started by the command line."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, announced: str = "") -> None:
        self.process = process
        self.port = port
        self.announced = announced

    async def ended(self) -> int:
        """Wait for the exit code."""
        return await asyncio.wait_for(self.process.wait(), 60)


@asynccontextmanager
async def serving(
    *flags: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """Start a server on a free port, with one worker and no classifier unless told."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "capture", "serve", "--port", "0", "--workers", "1",
        "--no-classify", *flags,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
        port = int(line.split(" with ")[0].rsplit(":", 1)[1])
        yield Process(process, port, line)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def descendants_of(pid: int) -> list[int]:
    """Return the processes that it has started, and theirs."""
    found = []
    for child in children_of(pid):
        found += [child, *descendants_of(child)]
    return found
