"""How gRPC is told to wait for connections, in the process that serves."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from capture.cli.serve import POLLING
from tests.server.processes import serving

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment that a process was started with."""
    entries = Path(f"/proc/{pid}/environ").read_text().rstrip("\0").split("\0")
    return dict(entry.split("=", 1) for entry in entries)


async def test_one_thread_of_grpc_looks_after_all_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The experiment is switched before gRPC is loaded: later it would not count."""
    monkeypatch.delenv("GRPC_EXPERIMENTS", raising=False)
    async with serving() as server:
        assert POLLING.items() <= environment_of(server.process.pid).items()


async def test_experiments_that_are_set_already_stand() -> None:
    """Who knows better is not overruled."""
    async with serving(environment={"GRPC_EXPERIMENTS": "tcp_rcv_lowat"}) as server:
        assert environment_of(server.process.pid)["GRPC_EXPERIMENTS"] == "tcp_rcv_lowat"
