"""The client tells the server which trace its calls are part of."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="traces need the extra [tracing]")
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

from capture.client import AsyncClient, Client
from tests.client.scripted import Conversation, Scripted, serving

PICTURE = b"a picture file"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> Iterator[Tracer]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    yield provider.get_tracer("camera")
    provider.shutdown()


class Told:
    """What the server is told with each call."""

    def __init__(self) -> None:
        self.traceparents: list[str | None] = []
        self.tokens: list[str | None] = []

    async def unary(self, context: Any) -> None:
        metadata = dict(context.invocation_metadata())
        self.traceparents.append(metadata.get("traceparent"))
        self.tokens.append(metadata.get("authorization"))

    async def stream(self, conversation: Conversation) -> None:
        await self.unary(conversation.context)
        await conversation.start()
        while await conversation.hear() is not None:
            pass


def traceparent_of(spans: InMemorySpanExporter) -> str:
    """Return the one span that has ended, as W3C writes it."""
    (span,) = spans.get_finished_spans()
    context = span.context
    assert context is not None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


async def test_a_call_is_part_of_the_current_span(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    """A picture, and a session for as long as it lasts; beside its token, if it has one."""
    told = Told()
    script = Scripted(unary=[told.unary], streams=[told.stream])
    async with serving(script) as target, AsyncClient(target, token="secret") as client:
        with tracer.start_as_current_span("shoot"):
            await client.assess_image(PICTURE)
            async with client.session() as session:
                await session.next_event()
    assert told.traceparents == [traceparent_of(spans)] * 2
    assert told.tokens == ["Bearer secret"] * 2


async def test_the_blocking_client_tells_the_span_of_its_caller(
    tracer: Tracer, spans: InMemorySpanExporter
) -> None:
    """Although the call is made by another thread."""
    told = Told()

    def shoot(target: str) -> None:
        with Client(target) as client, tracer.start_as_current_span("shoot"):
            client.assess_image(PICTURE)

    async with serving(Scripted(unary=[told.unary])) as target:
        await asyncio.to_thread(shoot, target)
    assert told.traceparents == [traceparent_of(spans)]


async def test_without_a_span_nothing_is_told() -> None:
    """An invented trace would be nobody's."""
    told = Told()
    async with serving(Scripted(unary=[told.unary])) as target, AsyncClient(target) as client:
        await client.assess_image(PICTURE)
    assert told.traceparents == [None]


def test_without_opentelemetry_nothing_of_it_is_imported() -> None:
    """Where it is installed and the program does not use it, too."""
    program = """
import sys
from capture.client.trace_context import trace_metadata
print(trace_metadata(), [name for name in sys.modules if name.startswith("opentelemetry")])
"""
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert printed == "() []\n"
