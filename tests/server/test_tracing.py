"""What a collector of traces is told, by a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

pytest.importorskip("opentelemetry.sdk", reason="needs the extra [tracing]")

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from capture.server.app import Server
from capture.server.tokens import Scope, add_entry, new_token
from capture.settings import Settings
from capture.v1 import image_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.server.cameras import Camera
from tests.server.conftest import SAMPLES

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT_ID = "00f067aa0ba902b7"
TRACEPARENT = ("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-01")


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes spans in over OTLP, and keeps them."""

    def __init__(self) -> None:
        self.resources: list[Any] = []
        self.spans: list[Span] = []
        self.port = 0

    def Export(self, request: Any, context: object) -> Any:  # noqa: N802, ARG002
        for part in request.resource_spans:
            self.resources.append(part.resource)
            self.spans += [span for scope in part.scope_spans for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    def of_trace(self, trace_id: str = TRACE_ID) -> list[Span]:
        return [span for span in self.spans if span.trace_id.hex() == trace_id]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> Span:
        (span,) = self.named(name)
        return span


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(1))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    collector.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()


@asynccontextmanager
async def traced(collector: Collector, **settings: object) -> AsyncIterator[SmartCaptureStub]:
    """A connection to a server; its spans are with the collector once it has been left."""
    endpoint = f"http://127.0.0.1:{collector.port}"
    given: dict[str, Any] = {"classify": False, "trace_endpoint": endpoint, **settings}
    server = Server(Settings(port=0, worker_count=1, **given))
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield SmartCaptureStub(channel)
    finally:
        await server.stop(5)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def request(data: bytes) -> smart_capture_pb2.AssessImageRequest:
    return smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=data))


def attributes_of(span: Any) -> dict[str, Any]:
    values = {}
    for attribute in span.attributes:
        kind = attribute.value.WhichOneof("value")
        values[attribute.key] = getattr(attribute.value, kind)
    return values


def parents_of(spans: list[Span]) -> dict[str, str]:
    """Name of each span, and of its parent: for those of another process, its id."""
    names = {span.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent_span_id, span.parent_span_id.hex()) for span in spans}


async def test_a_call_is_part_of_its_callers_trace_down_to_the_stages(
    collector: Collector, good: bytes
) -> None:
    """From the client's traceparent over the front into the worker: one tree."""
    async with traced(collector, classify=True) as stub:
        call = stub.AssessImage(request(good), metadata=(TRACEPARENT,))
        await call
        (request_id,) = (
            value for key, value in await call.trailing_metadata() if key.endswith("request-id")
        )
    assert len(collector.spans) == len(collector.of_trace())
    assert parents_of(collector.spans) == {
        "capture.v1.SmartCapture/AssessImage": PARENT_ID,
        "still": "capture.v1.SmartCapture/AssessImage",
        "queue": "still",
        "service": "still",
        "worker": "service",
        "decode": "worker",
        "measure": "worker",
        "classify": "worker",
    }
    server_span = collector.one("capture.v1.SmartCapture/AssessImage")
    told = attributes_of(server_span)
    assert server_span.kind == Span.SPAN_KIND_SERVER
    assert told["rpc.method"] == "AssessImage"
    assert told["rpc.grpc.status_code"] == 0
    assert told["smart_capture.request_id"] == request_id
    assert attributes_of(collector.one("still"))["smart_capture.verdict"] == "ACCEPT"
    assert attributes_of(collector.one("worker"))["process.pid"] != os.getpid()
    assert attributes_of(collector.one("classify"))["smart_capture.tier"] in ("int8", "fp32")
    assert attributes_of(collector.resources[0])["service.name"] == "smart-capture"


async def test_the_spans_of_a_worker_lie_within_that_of_the_front(
    collector: Collector, good: bytes
) -> None:
    """Stages follow each other, inside of what the front saw of the worker."""
    async with traced(collector) as stub:
        await stub.AssessImage(request(good))
    times = [collector.one(name) for name in ("service", "worker", "decode", "measure")]
    service, worker, decode, measure = [
        (span.start_time_unix_nano, span.end_time_unix_nano) for span in times
    ]
    assert service[0] <= worker[0] <= worker[1] <= service[1]
    assert worker[0] == decode[0]
    assert decode[0] < decode[1] == measure[0] < measure[1] <= worker[1] + 1_000_000


async def test_a_refused_picture_says_why(collector: Collector) -> None:
    """RETAKE has its reasons and no inference; bytes that are no picture have their code."""
    async with traced(collector) as stub:
        await stub.AssessImage(request((SAMPLES / "dark.jpg").read_bytes()))
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.AssessImage(request(b"no picture"))
    assert collector.named("classify") == []
    (reasons,) = (
        attributes_of(span)["smart_capture.reasons"] for span in collector.named("measure")
    )
    assert "UNDEREXPOSED" in [value.string_value for value in reasons.values]
    by_verdict = {
        attributes_of(span).get("smart_capture.verdict"): span for span in collector.named("still")
    }
    assert by_verdict["RETAKE"].status.code != Status.STATUS_CODE_ERROR
    assert by_verdict[None].status.message == "UNRECOGNIZED_FORMAT"
    codes = {
        attributes_of(span)["rpc.grpc.status_code"]: span.status.code
        for span in collector.named("capture.v1.SmartCapture/AssessImage")
    }
    assert codes == {0: Status.STATUS_CODE_UNSET, 3: Status.STATUS_CODE_UNSET}


async def test_stills_of_a_session_are_its_children_and_previews_are_linked_to_it(
    collector: Collector, good: bytes, burst: list[bytes]
) -> None:
    """A session may have thousands of previews: each is a trace of its own."""
    async with traced(collector) as stub:
        camera = Camera(stub)
        await camera.open()
        await camera.preview(1, burst[0])
        await camera.receive_one("stability")
        await camera.still(1, good)
        await camera.finish()
    session = collector.one("capture.v1.SmartCapture/Capture")
    assert collector.one("still").parent_span_id == session.span_id
    preview = collector.one("preview")
    assert preview.trace_id != session.trace_id
    assert [(link.trace_id, link.span_id) for link in preview.links] == [
        (session.trace_id, session.span_id)
    ]
    assert parents_of(collector.of_trace(preview.trace_id.hex())) == {
        "preview": "",
        "queue": "preview",
        "service": "preview",
        "worker": "service",
        "decode": "worker",
        "measure": "worker",
    }


async def test_pictures_of_a_stream_are_children_of_their_stream(
    collector: Collector, burst: list[bytes]
) -> None:
    """Whoever hands a job over, its spans are those of the call it came with."""
    async with traced(collector) as stub:
        first: Any = stub.AssessImages(metadata=(TRACEPARENT,))
        second: Any = stub.AssessImages()
        for stream in (first, second):
            for frame in burst[:3]:
                image = image_pb2.Image(data=frame)
                await stream.write(smart_capture_pb2.AssessImagesRequest(image=image))
            await stream.done_writing()
        for stream in (first, second):
            assert len([answer async for answer in stream]) == 3
    one, two = collector.named("capture.v1.SmartCapture/AssessImages")
    parents = [span.parent_span_id for span in collector.named("still")]
    assert {one.span_id, two.span_id} == set(parents)
    assert parents.count(one.span_id) == 3
    assert len([span for span in collector.of_trace() if span.name == "worker"]) == 3


async def test_a_caller_that_did_not_sample_is_not_traced(
    collector: Collector, burst: list[bytes]
) -> None:
    """Its traceparent says so, and neither front nor worker makes a span."""
    async with traced(collector) as stub:
        unsampled = ("traceparent", f"00-{TRACE_ID}-{PARENT_ID}-00")
        await stub.AssessImage(request(burst[0]), metadata=(unsampled,))
        await stub.AssessImage(request(burst[0]))
    assert collector.of_trace() == []
    assert len(collector.named("still")) == 1


async def test_strangers_write_no_traces(
    collector: Collector, burst: list[bytes], tmp_path: Path
) -> None:
    """Who is not let in cannot fill the collector either."""
    token, entry = new_token("phone", [Scope.CAPTURE])
    add_entry(tmp_path / "tokens.toml", entry)
    async with traced(collector, tokens_file=tmp_path / "tokens.toml") as stub:
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.AssessImage(request(burst[0]), metadata=(TRACEPARENT,))
        await stub.AssessImage(request(burst[0]), metadata=(("authorization", f"Bearer {token}"),))
    assert collector.of_trace() == []
    assert len(collector.named("still")) == 1


async def test_a_collector_that_is_gone_costs_nobody_an_answer(burst: list[bytes]) -> None:
    """Calls are answered, and the server ends within its grace period."""
    with collecting() as collector:
        pass
    async with traced(collector) as stub:
        await stub.AssessImage(request(burst[0]))


async def test_the_collector_may_be_named_as_everywhere_else(
    collector: Collector, burst: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OTEL_EXPORTER_OTLP_ENDPOINT turns traces on, OTEL_SERVICE_NAME names the service."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.port}")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "gate-7")
    async with traced(collector, trace_endpoint=None) as stub:
        await stub.AssessImage(request(burst[0]))
    assert attributes_of(collector.resources[0])["service.name"] == "gate-7"


def test_without_a_collector_nothing_of_it_is_imported() -> None:
    """Neither in the front nor in a worker."""
    program = """
import sys, capture.server.app, capture.worker
from capture.settings import Settings
capture.server.app.Server(Settings())
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    ).stdout
    assert printed == "[]\n"
