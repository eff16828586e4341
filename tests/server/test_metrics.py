"""What a server tells Prometheus."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import urllib.request
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc.aio
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from capture.server.app import Server
from capture.server.metrics import Metrics
from capture.settings import Settings
from capture.v1 import image_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.server.cameras import Camera
from tests.server.conftest import SAMPLES

if TYPE_CHECKING:
    from prometheus_client import Metric

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def server() -> AsyncIterator[Server]:
    """A server with one worker, a classifier and a page of metrics."""
    server = Server(Settings(port=0, metrics_port=0, worker_count=1, max_queue_length=2))
    await server.start()
    yield server
    await server.stop(0)


def value(server: Server, name: str, **labels: str) -> float:
    return server.metrics.registry.get_sample_value(f"smart_capture_{name}", labels) or 0.0


def request(data: bytes) -> smart_capture_pb2.AssessImageRequest:
    return smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=data))


async def page_of(server: Server) -> list[Metric]:
    def scrape() -> str:
        address = f"http://127.0.0.1:{server.metrics_port}/metrics"
        with urllib.request.urlopen(address, timeout=60) as page:
            return str(page.read().decode())

    return list(text_string_to_metric_families(await asyncio.to_thread(scrape)))


async def test_an_answer_is_told_by_stage_and_verdict(
    server: Server, channel: grpc.aio.Channel, good: bytes
) -> None:
    """An accepted picture has all six stages; a refused one was never classified."""
    stub = SmartCaptureStub(channel)
    await stub.AssessImage(request(good))
    await stub.AssessImage(request((SAMPLES / "dark.jpg").read_bytes()))

    def count(stage: str, verdict: str) -> float:
        return value(
            server,
            "stage_duration_seconds_count",
            kind="still",
            stage=stage,
            verdict=verdict,
        )

    stages = ("queue", "service", "total", "decode", "measure")
    assert [count(stage, "ACCEPT") for stage in (*stages, "classify")] == [1] * 6
    assert [count(stage, "RETAKE") for stage in (*stages, "classify")] == [1] * 5 + [0]
    assert value(server, "answers_total", kind="still", outcome="ACCEPT") == 1
    model = {"model": "efficientnet-lite0@1"}
    tiers = ("int8", "fp32")
    assert sum(value(server, "classifications_total", **model, tier=tier) for tier in tiers) == 1


async def test_the_service_time_predicted_stands_beside_the_one_observed(
    server: Server, channel: grpc.aio.Channel, burst: list[bytes]
) -> None:
    """Their quotient is a histogram, and both have a sum to be divided."""
    before = value(server, "predicted_service_seconds_total", kind="still")
    counted = value(server, "service_prediction_ratio_count", kind="still")
    await SmartCaptureStub(channel).AssessImage(request(burst[0]))
    assert value(server, "predicted_service_seconds_total", kind="still") > before
    assert value(server, "service_prediction_ratio_count", kind="still") == counted + 1


async def test_refusals_are_counted_by_cause(
    server: Server, channel: grpc.aio.Channel, burst: list[bytes]
) -> None:
    """A full queue, a deadline that cannot be met, bytes that are no picture: each by name."""
    stub = SmartCaptureStub(channel)
    calls = [stub.AssessImage(request(burst[0])) for _ in range(20)]
    hasty = [stub.AssessImage(request(burst[0]), timeout=0.02) for _ in range(20)]
    await asyncio.gather(*calls, *hasty, return_exceptions=True)
    assert value(server, "refusals_total", cause="queue_length") > 0
    assert value(server, "errors_total", code="OVERLOADED") >= sum(
        value(server, "refusals_total", cause=cause) for cause in ("queue_length", "deadline")
    )
    await asyncio.gather(stub.AssessImage(request(b"no picture")), return_exceptions=True)
    assert value(server, "answers_total", kind="still", outcome="UNRECOGNIZED_FORMAT") == 1
    assert value(server, "errors_total", code="UNRECOGNIZED_FORMAT") == 1


async def test_sessions_and_previews_are_counted(
    server: Server, channel: grpc.aio.Channel, burst: list[bytes]
) -> None:
    """Open ones, all that were opened, previews with their stages, and those passed over."""
    camera = Camera(SmartCaptureStub(channel))
    await camera.open()
    assert value(server, "sessions") == 1
    for number, frame in enumerate(burst, start=1):
        await camera.preview(number, frame)
    await camera.finish()
    assert value(server, "sessions") == 0
    assert value(server, "sessions_opened_total") == 1
    measured = value(server, "answers_total", kind="preview", outcome="MEASURED")
    assert measured + value(server, "previews_skipped_total") == len(burst)
    for stage in ("queue", "service", "total", "decode", "measure", "fold"):
        labels = {"kind": "preview", "stage": stage, "verdict": "MEASURED"}
        assert value(server, "stage_duration_seconds_count", **labels) == measured
        assert value(server, "stage_duration_seconds_sum", **labels) > 0


async def test_a_caller_that_goes_away_is_counted(
    server: Server, channel: grpc.aio.Channel, good: bytes
) -> None:
    """It is no answer, and no refusal."""
    before = value(server, "abandoned_jobs_total", kind="still")
    stub = SmartCaptureStub(channel)
    (worker,) = server.pool.worker_pids
    os.kill(worker, signal.SIGSTOP)  # or the first would be judged before it is given up
    try:
        calls = [stub.AssessImage(request(good)) for _ in range(2)]
        while not value(server, "jobs", state="waiting"):
            await asyncio.sleep(0.001)
        for call in calls:
            call.cancel()
        while value(server, "abandoned_jobs_total", kind="still") < before + 2:
            await asyncio.sleep(0.01)
    finally:
        os.kill(worker, signal.SIGCONT)


async def test_workers_are_told_by_state(server: Server) -> None:
    """Together they are as many as there should be."""
    states = ("idle", "busy", "starting", "missing")
    while value(server, "workers", state="busy"):
        await asyncio.sleep(0.01)
    assert [value(server, "workers", state=state) for state in states] == [1, 0, 0, 0]
    assert value(server, "worker_restarts_total") == 0


async def test_the_page_follows_the_conventions(server: Server) -> None:
    """Our prefix, a help text, base units last, and total on what only grows."""
    families = [
        family for family in await page_of(server) if family.name.startswith("smart_capture_")
    ]
    assert len(families) >= 18
    for family in families:
        assert family.documentation
        assert "_ms" not in family.name
        if family.type == "counter":
            assert {sample.name for sample in family.samples} <= {f"{family.name}_total"}
        if family.type == "histogram":
            assert family.name.endswith(("_seconds", "_ratio"))


async def test_no_label_carries_what_a_caller_chose(
    server: Server, channel: grpc.aio.Channel, good: bytes
) -> None:
    """Whatever is sent, the number of series stays as it is."""
    stub = SmartCaptureStub(channel)

    async def send_all(suffix: str) -> int:
        for data in (good, b"\xff\xd8" + suffix.encode(), suffix.encode()):
            options = smart_capture_pb2.AssessmentOptions(profile=suffix)
            message = smart_capture_pb2.AssessImageRequest(
                image=image_pb2.Image(data=data), options=options
            )
            await asyncio.gather(stub.AssessImage(message), return_exceptions=True)
            await asyncio.gather(stub.AssessImage(request(data)), return_exceptions=True)
        return sum(len(family.samples) for family in server.metrics.registry.collect())

    assert await send_all("one") == await send_all("another")


async def test_two_servers_of_one_process_count_apart() -> None:
    """Each has a registry of its own."""
    first, second = Metrics(), Metrics()
    first.skipped()
    name = "smart_capture_previews_skipped_total"
    assert first.registry.get_sample_value(name) == 1
    assert second.registry.get_sample_value(name) == 0


DASHBOARD = SAMPLES.parent / "grafana" / "smart-capture.json"
FROM_PROMETHEUS = {"instance", "job"}
"""Labels that a scrape adds."""


def queries() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    variables = [variable.get("definition", "") for variable in dashboard["templating"]["list"]]
    return [*asked, *filter(None, variables)]


async def test_the_dashboard_asks_for_what_there_is(
    server: Server, channel: grpc.aio.Channel, good: bytes, burst: list[bytes]
) -> None:
    """Every name, label and label value of its queries is on the page of a running server."""
    stub = SmartCaptureStub(channel)
    await asyncio.gather(stub.AssessImage(request(b"no picture")), return_exceptions=True)
    await stub.AssessImage(request(good))
    camera = Camera(stub)
    await camera.open()
    await camera.preview(1, burst[0])
    await camera.finish()
    samples = [sample for family in await page_of(server) for sample in family.samples]
    labels: dict[str, dict[str, set[str]]] = {}
    for sample in samples:
        known = labels.setdefault(sample.name, {})
        for key, said in sample.labels.items():
            known.setdefault(key, set()).add(said)
    for query in queries():
        asked = re.findall(r"\b((?:smart_capture|process)_\w+)(?:\{([^}]*)\})?", query)
        assert asked, query
        for name, matchers in asked:
            assert name in labels, f"{name} in {query}"
            for key, operator, wanted in re.findall(r'(\w+)(=~?)"([^"]*)"', matchers):
                if key in FROM_PROMETHEUS:
                    continue
                values = wanted.split("|") if operator == "=~" else [wanted]
                assert set(values) <= labels[name].get(key, set()), f"{name} {key} in {query}"
        grouped = {
            key for group in re.findall(r"by \(([^)]*)\)", query) for key in group.split(", ")
        }
        offered = set().union(FROM_PROMETHEUS, *(labels[name] for name, _ in asked))
        assert grouped <= offered, query


async def test_the_dashboard_shows_every_metric_of_ours() -> None:
    """What is worth counting is worth a look."""
    text = " ".join(queries())
    metrics = Metrics()
    names = {family.name for family in metrics.registry.collect()} - {"smart_capture_build"}
    assert len(names) > 12
    assert {name for name in names if name not in text} <= {
        name for name in names if name.startswith("process_")
    }
