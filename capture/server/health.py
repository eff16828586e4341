"""Readiness, told through gRPC's standard health service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from inference.breaker import BreakerState
from inference.errors import WorkersLostError

if TYPE_CHECKING:
    from inference.lanes import LanePool

_LOG = structlog.get_logger("capture.server")

_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING

_INTERVAL_S = 0.5
_PATIENCE = 3
"""Looks in a row at which no worker may be there: one that was killed is back before."""


class Readiness:
    """SERVING while there are workers, and never again once the server goes down.

    When so many workers were lost that calls are refused, it says NOT_SERVING until they live
    again: one that is tried is no reason to send more calls.

    Parameters
    ----------
    service_name : str
        The service beside the server as a whole, whose name is empty.
    pool : LanePool
        The workers.
    """

    def __init__(self, service_name: str, pool: LanePool) -> None:
        self.servicer = health_aio.HealthServicer()
        self._names = ("", service_name)
        self._pool = pool
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Say SERVING, and look after the workers from now on."""
        await self._say(_SERVING)
        self._watch = asyncio.create_task(self._follow())

    async def end(self) -> None:
        """Say NOT_SERVING for good."""
        if self._watch is not None:
            self._watch.cancel()
        await self.servicer.enter_graceful_shutdown()

    async def _follow(self) -> None:
        missed_count, is_serving = 0, True
        while True:
            await asyncio.sleep(_INTERVAL_S)
            if isinstance(self._pool.refusal, WorkersLostError):
                missed_count = _PATIENCE
            elif not self._pool.worker_pids:
                missed_count += 1
            elif is_serving or self._pool.breaker_state is BreakerState.CLOSED:
                missed_count = 0
            if is_serving != (missed_count < _PATIENCE):
                is_serving = not is_serving
                _LOG.warning("workers are back" if is_serving else "no worker is left")
                await self._say(_SERVING if is_serving else _NOT_SERVING)

    async def _say(self, status: health_pb2.HealthCheckResponse.ServingStatus.ValueType) -> None:
        for name in self._names:
            await self.servicer.set(name, status)
