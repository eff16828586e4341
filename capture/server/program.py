"""The server as a program; its settings come from the environment."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from capture.errors import SmartCaptureError
from capture.server.address import bracketed
from capture.server.app import Server, serve
from capture.server.log import configure_log
from capture.settings import load_settings
from inference.errors import InferenceError

_DRAINED, _CUT_SHORT, _CANNOT_START = 0, 1, 2


def run() -> int:
    """Serve until told to end, and return the exit code."""
    try:
        settings = load_settings()
        configure_log(settings.log_level)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            is_drained = runner.run(serve(settings, _announce))
    except (SmartCaptureError, InferenceError) as error:
        print(f"smart-capture: {error}", file=sys.stderr)
        return _CANNOT_START
    return _DRAINED if is_drained else _CUT_SHORT


def _announce(server: Server) -> None:
    settings = server.settings
    metrics_address = f"{bracketed(settings.metrics_host)}:{server.metrics_port}"
    metrics = f", metrics on {metrics_address}" if server.metrics_port else ""
    print(
        f"listening on {bracketed(settings.host)}:{server.port} "
        f"with {server.pool.worker_count} workers, "
        f"profile {settings.default_profile}{metrics}",
        flush=True,
    )
