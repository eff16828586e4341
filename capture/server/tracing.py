"""Calls as OpenTelemetry sees them: a span for each call, each job, and each of its stages.

Needs the extra ``[tracing]`` and is imported only when a collector is configured: without
one no call pays for it. The spans of a call::

    capture.v1.SmartCapture/AssessImage     the call; child of its caller's traceparent
    `-- still                               one picture
        |-- queue                           until a worker was free
        `-- service                         from hand-over to answer, as the front sees it
            `-- worker                      as the worker process tells it
                |-- decode
                |-- measure
                `-- classify

A preview is a trace of its own with a link to its session: a session has thousands of them,
and a sampler must be able to choose among them. The seven spans of a picture cost the front
about 0.35 ms of CPU, export included; of a picture that is not sampled, 0.02 ms.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, cast

import grpc
import grpc.aio
from opentelemetry import trace
from opentelemetry.context import Context as TraceContext
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from capture import __version__
from capture.jobs import Job, Unjudged
from capture.pool import JobRunner
from capture.server.admission import AdmissionLimits, JobKind
from capture.server.calls import Context
from capture.server.dispatch import Dispatcher, Order, Served
from capture.server.log import request_id, trace_id
from capture.server.metrics import Metrics
from capture.server.writing import ServedAnswer
from capture.v1 import assessment_pb2
from capture.wire.enums import VERDICTS
from capture.worker_trace import TracedAnswer, TracedJob, WorkerTrace

_TRACED_PACKAGE = "/capture.v1."

_MAX_CLOSE_S = 2.0
"""A collector that is gone must not hold up the end of the server."""

_PROPAGATOR: Final = TraceContextTextMapPropagator()

_FAULTS_OF_OURS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""As OpenTelemetry's conventions tell a server's errors from those of its callers."""


class Tracing:
    """The way to a collector.

    Parameters
    ----------
    endpoint : str or None
        Its address for OTLP over gRPC, with ``http://`` for plaintext; None for that of the
        environment. Sampler, headers and batches are set by the environment too, by the
        names that OpenTelemetry gives them (``OTEL_TRACES_SAMPLER`` and others).
    """

    def __init__(self, endpoint: str | None) -> None:
        name = os.environ.get("OTEL_SERVICE_NAME", "smart-capture")
        self._provider = TracerProvider(
            resource=Resource.create({SERVICE_NAME: name, SERVICE_VERSION: __version__}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
        self.tracer = self._provider.get_tracer("smart_capture", __version__)

    def interceptor(self) -> grpc.aio.ServerInterceptor:
        """Return what makes a span of each call."""
        return _CallTracer(self.tracer)

    def dispatcher(self, pool: JobRunner, limits: AdmissionLimits, metrics: Metrics) -> Dispatcher:
        """Return a dispatcher that makes spans of jobs."""
        return _TracingDispatcher(self.tracer, pool, limits, metrics)

    async def close(self, within_s: float) -> None:
        """Send what is left, for so many seconds at most, and never for long."""
        thread = threading.Thread(target=self._provider.shutdown, daemon=True)
        thread.start()
        await asyncio.to_thread(thread.join, min(within_s, _MAX_CLOSE_S))


class _CallTracer(grpc.aio.ServerInterceptor):
    """Makes a span of each call to our services.

    OpenTelemetry's own interceptor takes streams for generators; ours write by themselves.
    """

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Hand the call on, with a span around its handler."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(_TRACED_PACKAGE):
            return handler
        metadata = handler_call_details.invocation_metadata or ()
        carrier = {key: value for key, value in metadata if isinstance(value, str)}
        parent = _PROPAGATOR.extract(carrier, TraceContext())
        kind = "stream" if handler.request_streaming else "unary"
        kind += "_stream" if handler.response_streaming else "_unary"
        behavior = self._traced(getattr(handler, kind), method.lstrip("/"), parent)
        return handler._replace(**{kind: behavior})

    def _traced(
        self, behavior: Callable[[Any, Context], Awaitable[Any]], method: str, parent: TraceContext
    ) -> Callable[[Any, Context], Awaitable[Any]]:
        service, _, name = method.rpartition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}

        async def traced(request: Any, context: Context) -> Any:
            with self._tracer.start_as_current_span(
                method,
                parent,
                SpanKind.SERVER,
                attributes | {"network.peer.address": context.peer()},
                record_exception=False,
                set_status_on_exception=False,
            ) as span:
                trace_id.set(f"{span.get_span_context().trace_id:032x}")
                status = grpc.StatusCode.CANCELLED  # unless it comes to another end
                try:
                    response = await behavior(request, context)
                    status = _status_of(context)
                except grpc.aio.AbortError:
                    status = _status_of(context)
                    raise
                finally:
                    span.set_attribute("smart_capture.request_id", request_id.get())
                    span.set_attribute("rpc.grpc.status_code", status.value[0])
                    if status in _FAULTS_OF_OURS:
                        span.set_status(StatusCode.ERROR, status.name)
                return response

        return traced


class _TracingDispatcher(Dispatcher):
    """Makes spans of jobs, and of what workers tell of them."""

    def __init__(
        self, tracer: trace.Tracer, pool: JobRunner, limits: AdmissionLimits, metrics: Metrics
    ) -> None:
        super().__init__(_TracingPool(tracer, pool), limits, metrics)
        self._tracer = tracer

    async def run(self, order: Order) -> Served:
        """Run an order within a span; see `Dispatcher.run`."""
        with self._job_span(order) as span:
            if not span.is_recording():
                return await super().run(order)
            service: list[Span] = []
            queue = self._tracer.start_span("queue")

            def make_traced_job() -> TracedJob:
                job = order.make_job()
                queue.end()
                service.append(self._tracer.start_span("service", trace.set_span_in_context(span)))
                return TracedJob(cast(Job, job), _traceparent_of(service[0]))

            try:
                served = await super().run(replace(order, make_job=make_traced_job))
            finally:
                for child in service or [queue]:
                    child.end()
            _describe(span, served.answer)
            return served

    def _job_span(self, order: Order) -> Any:
        session = trace.get_current_span().get_span_context()
        attributes = {"smart_capture.byte_count": order.byte_count}
        is_preview = order.kind is JobKind.PREVIEW
        return self._tracer.start_as_current_span(
            order.kind,
            TraceContext() if is_preview else None,
            attributes=attributes,
            links=[Link(session)] if is_preview else (),
            record_exception=False,  # a trace of ours says nothing that its status does not
        )


class _TracingPool:
    """A pool that takes from the answers what the workers tell of their time."""

    def __init__(self, tracer: trace.Tracer, pool: JobRunner) -> None:
        self._tracer = tracer
        self._pool = pool

    @property
    def lane_count(self) -> int:
        """Workers that are there, or come at once."""
        return self._pool.lane_count

    async def run(self, job: Job | TracedJob) -> object:
        """Run one job in a worker and return its answer."""
        answer: object = await self._pool.run(job)
        if not isinstance(answer, TracedAnswer):
            return answer
        self._tell(answer.trace)
        return answer.answer

    def _tell(self, told: WorkerTrace) -> None:
        parent = _PROPAGATOR.extract({"traceparent": told.traceparent}, TraceContext())
        worker = self._tracer.start_span(
            "worker", parent, attributes={"process.pid": told.pid}, start_time=told.start_ns
        )
        context = trace.set_span_in_context(worker)
        for stage in told.stages:
            self._tracer.start_span(
                stage.name, context, attributes=stage.attributes, start_time=stage.start_ns
            ).end(stage.end_ns)
        worker.end(told.end_ns)


def _status_of(context: Context) -> grpc.StatusCode:
    """Return the status that a call was given; OK where it was given none."""
    return cast(grpc.StatusCode | None, context.code()) or grpc.StatusCode.OK


def _traceparent_of(span: Span) -> str:
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, trace.set_span_in_context(span))
    return carrier["traceparent"]


def _describe(span: Span, answer: ServedAnswer) -> None:
    if isinstance(answer, assessment_pb2.Assessment):
        span.set_attribute("smart_capture.verdict", VERDICTS.require(answer.verdict))
    elif isinstance(answer, Unjudged):
        span.set_status(Status(StatusCode.ERROR, answer.code))
