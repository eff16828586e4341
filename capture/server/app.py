"""Wires the parts together: workers first, then the server, then signals."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from capture.errors import ConfigurationError
from capture.pool import active_model, pool_of
from capture.server.access import TokenGuard
from capture.server.address import bracketed
from capture.server.admin import ADMIN_SERVICE_NAME, ModelAdminService, add_admin_to
from capture.server.admission import AdmissionLimits
from capture.server.calls import Drain, ended
from capture.server.connections import credentials_of, options_of
from capture.server.desk import Profiles
from capture.server.dispatch import Dispatcher
from capture.server.health import Readiness
from capture.server.metrics import Metrics
from capture.server.metrics_page import MetricsPage
from capture.server.models import ModelSwitch
from capture.server.quarantine import Quarantine
from capture.server.resume import SessionShelf, open_session_file
from capture.server.service import SERVICE_NAME, CallLimits, SmartCaptureService, add_to
from capture.server.tokens import TokenFile
from capture.server.writing import writing_factory
from inference.memory import give_memory_back_when_idle

if TYPE_CHECKING:
    from collections.abc import Callable

    from capture.server.tracing import Tracing
    from capture.settings import Settings
    from inference.lanes import LanePool

_MAX_CALL_COUNT = 16_384
"""Open calls of every kind: the end of memory, far beyond the limits of the settings."""

_LAST_CALLS_S, _GOING_AWAY_S = 0.05, 0.02
"""For calls already sent to be taken, and for gRPC to tell clients to go elsewhere."""

_LOG = structlog.get_logger("capture.server")


class Server:
    """The whole service in one process, with its workers.

    Parameters
    ----------
    settings : Settings
        Where to listen, and every limit.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.port = 0
        """Where it listens once it has started."""
        self.metrics = Metrics()
        # Named, so that a worker that is replaced serves the same as the others.
        self._model = active_model(settings)
        factory = writing_factory(settings, classify=settings.classify, model=self._model)
        self.pool: LanePool = pool_of(
            settings, factory, max_losses_per_worker=settings.max_worker_losses
        )
        self.drain = Drain()
        self._readiness = Readiness(SERVICE_NAME, self.pool)
        self._shelf: SessionShelf | None = None
        self._grpc: grpc.aio.Server | None = None
        self._tracing: Tracing | None = None
        self._page = (
            None
            if settings.metrics_port is None
            else MetricsPage(self.metrics.registry, settings.metrics_host, settings.metrics_port)
        )

    @property
    def metrics_port(self) -> int | None:
        """Where it tells Prometheus; None when it does not."""
        return None if self._page is None else self._page.port

    async def start(self) -> None:
        """Start the workers, then listen.

        Raises
        ------
        ConfigurationError
            If it may not, or cannot, listen there.
        ProfileError
            If the default profile cannot be loaded.
        InferenceError
            If the workers do not come up.
        """
        settings = self.settings
        credentials = credentials_of(settings)
        tokens = None if settings.tokens_file is None else TokenFile(settings.tokens_file)
        profiles = Profiles(settings.default_profile)
        self._tracing = _tracing(settings)
        self._shelf = SessionShelf(open_session_file(settings))
        try:
            await self.pool.start()
            self._shelf.start()
            dispatcher = self._dispatcher()
            self.metrics.watch(self.pool, dispatcher)
            if self._page is not None:
                self._page.start()
            service = self._service(dispatcher, profiles, self._shelf)
            await self._listen(service, credentials, tokens)
        except BaseException:
            await self.stop(0)
            raise

    def _dispatcher(self) -> Dispatcher:
        settings = self.settings
        limits = AdmissionLimits(max_waiting_count=settings.max_queue_length)
        folder = settings.quarantine_folder
        runner = self.pool if folder is None else Quarantine(self.pool, folder)
        if self._tracing is None:
            return Dispatcher(runner, limits, self.metrics)
        return self._tracing.dispatcher(runner, limits, self.metrics)

    def _service(
        self, dispatcher: Dispatcher, profiles: Profiles, shelf: SessionShelf
    ) -> SmartCaptureService:
        settings = self.settings
        return SmartCaptureService(
            dispatcher,
            profiles,
            shelf,
            self.drain,
            self.metrics,
            CallLimits(
                max_session_count=settings.max_session_count,
                max_sessions_per_client=settings.max_sessions_per_client,
                max_calls_per_client=settings.max_calls_per_client,
                idle_timeout_s=settings.idle_timeout_s,
            ),
        )

    async def _listen(
        self,
        service: SmartCaptureService,
        credentials: grpc.ServerCredentials | None,
        tokens: TokenFile | None,
    ) -> None:
        settings = self.settings
        server = grpc.aio.server(
            interceptors=self._interceptors(tokens),
            options=options_of(settings),
            maximum_concurrent_rpcs=_MAX_CALL_COUNT,
        )
        self._add_services(server, service, is_guarded=tokens is not None)
        address = f"{bracketed(settings.host)}:{settings.port}"
        try:
            self.port = (
                server.add_insecure_port(address)
                if credentials is None
                else server.add_secure_port(address, credentials)
            )
        except RuntimeError:
            raise ConfigurationError(f"cannot listen on {address}") from None
        await server.start()
        self._grpc = server
        await self._readiness.start()

    def _interceptors(self, tokens: TokenFile | None) -> list[grpc.aio.ServerInterceptor]:
        interceptors: list[grpc.aio.ServerInterceptor] = []
        if tokens is not None:  # first: strangers cost no span
            interceptors.append(TokenGuard(tokens, self.metrics))
        if self._tracing is not None:
            interceptors.append(self._tracing.interceptor())
        return interceptors

    def _add_services(
        self, server: grpc.aio.Server, service: SmartCaptureService, *, is_guarded: bool
    ) -> None:
        add_to(server, service)
        switch = ModelSwitch(self.settings, self.pool, self._model)
        add_admin_to(server, ModelAdminService(switch, self.metrics, is_guarded=is_guarded))
        health_pb2_grpc.add_HealthServicer_to_server(self._readiness.servicer, server)
        reflection.enable_server_reflection(
            (
                SERVICE_NAME,
                ADMIN_SERVICE_NAME,
                health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
                reflection.SERVICE_NAME,
            ),
            server,
        )

    async def stop(self, grace_s: float | None = None) -> None:
        """Take nothing new, finish what is in hand, and end within the grace period.

        Parameters
        ----------
        grace_s : float, optional
            Time to finish, in seconds; that of the settings if not given.
        """
        grace_s = self.settings.drain_grace_s if grace_s is None else grace_s
        ends_at_s = time.monotonic() + grace_s
        if self._grpc is not None:
            await self._readiness.end()
            await self.drain.run(grace_s)
            await self._stop_taking_calls(self._grpc, ends_at_s)
            self._grpc = None
        if self._page is not None:
            await asyncio.to_thread(self._page.close)
        tracing, self._tracing = self._tracing, None
        if tracing is not None:
            await tracing.close(max(0.0, ends_at_s - time.monotonic()))
        await self.pool.close()
        if self._shelf is not None:
            self._shelf.end()

    async def _stop_taking_calls(self, server: grpc.aio.Server, ends_at_s: float) -> None:
        with self.drain.holding_answers():
            if time.monotonic() + _LAST_CALLS_S < ends_at_s:
                await asyncio.sleep(_LAST_CALLS_S)
            stopping = asyncio.create_task(server.stop(max(0.0, ends_at_s - time.monotonic())))
            await asyncio.sleep(_GOING_AWAY_S)
        await stopping


async def serve(settings: Settings, on_listening: Callable[[Server], None]) -> bool:
    """Serve until SIGTERM, SIGINT or SIGHUP, then drain; a second signal ends it at once.

    Not so a second SIGHUP, and none counts where it was ignored from the start, as by nohup.

    Parameters
    ----------
    settings : Settings
        Where to listen, and every limit.
    on_listening : callable
        Called once the server answers.

    Raises
    ------
    SmartCaptureError, InferenceError
        If it cannot start.
    """
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)

    def hang_up() -> None:
        signals.put_nowait(signal.SIGHUP)
        loop.add_signal_handler(signal.SIGHUP, _nothing)  # shell and kernel both send it

    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, hang_up)
    server = Server(settings)
    await server.start()
    on_listening(server)
    memory = asyncio.create_task(give_memory_back_when_idle())
    received = await signals.get()
    memory.cancel()
    _LOG.info("draining", signal=received.name, grace_s=settings.drain_grace_s)
    stopping = asyncio.create_task(server.stop())
    again = asyncio.create_task(signals.get())
    await asyncio.wait({stopping, again}, return_when=asyncio.FIRST_COMPLETED)
    if stopping.done():
        again.cancel()
        stopping.result()
        return True
    _LOG.warning("ended at once", signal=again.result().name)
    await ended(stopping)
    await server.stop(0)
    return False


def _tracing(settings: Settings) -> Tracing | None:
    """Return the way to a collector of traces; None, and nothing imported, where there is none."""
    names = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    if settings.trace_endpoint is None and not any(map(os.environ.get, names)):
        return None
    try:
        from capture.server.tracing import Tracing
    except ImportError as error:
        raise ConfigurationError(
            f'traces need the extra: pip install "smart-capture[tracing]" ({error})'
        ) from None
    return Tracing(settings.trace_endpoint)


def _nothing() -> None:
    return None
