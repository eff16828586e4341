"""Many pictures over one stream."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from capture.server.app import Server
from capture.server.service import MAX_IN_FLIGHT
from capture.v1 import image_pb2, smart_capture_pb2
from tests.server.conftest import width_of

if TYPE_CHECKING:
    from capture.v1.smart_capture_pb2_grpc import SmartCaptureAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")


def request(name: str, data: bytes) -> smart_capture_pb2.AssessImagesRequest:
    return smart_capture_pb2.AssessImagesRequest(id=name, image=image_pb2.Image(data=data))


async def test_every_picture_is_answered_under_its_id(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """Answers come as they are done; none is lost and none comes twice."""

    async def pictures() -> AsyncIterator[smart_capture_pb2.AssessImagesRequest]:
        for number, data in enumerate(burst[:40]):
            yield request(str(number), data)

    ids = [answer.id async for answer in stub.AssessImages(pictures())]
    assert sorted(ids, key=int) == [str(number) for number in range(40)]


async def test_a_bad_picture_is_an_answer_and_the_stream_goes_on(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """The errors have their codes, the good pictures their verdicts."""

    async def pictures() -> AsyncIterator[smart_capture_pb2.AssessImagesRequest]:
        yield request("empty", b"")
        yield request("before", burst[0])
        yield request("garbage", b"garbage" * 100)
        yield request("cut", burst[0][:5000])
        yield request("after", burst[0])

    answers = {answer.id: answer async for answer in stub.AssessImages(pictures())}
    errors = {
        name: a.error.code for name, a in answers.items() if a.WhichOneof("result") == "error"
    }
    assert errors == {"empty": "EMPTY", "garbage": "UNRECOGNIZED_FORMAT", "cut": "TRUNCATED"}
    assert answers["before"].assessment.verdict == answers["after"].assessment.verdict
    assert not answers["empty"].error.retryable


async def test_an_empty_stream_ends_well(stub: SmartCaptureAsyncStub) -> None:
    """No pictures, no answers, OK."""

    async def nothing() -> AsyncIterator[smart_capture_pb2.AssessImagesRequest]:
        return
        yield

    call = stub.AssessImages(nothing())
    assert [answer async for answer in call] == []
    assert await call.code() is grpc.StatusCode.OK


async def test_pictures_are_not_read_faster_than_they_are_judged(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """A client that sends without end is held back by flow control, not by our memory."""
    large = burst[0] + bytes(1 << 20)  # bytes after the end of a JPEG do no harm
    sent_count = answered_count = 0

    async def pictures() -> AsyncIterator[smart_capture_pb2.AssessImagesRequest]:
        nonlocal sent_count
        for number in range(80):
            yield request(str(number), large)
            sent_count += 1

    async for _ in stub.AssessImages(pictures()):
        answered_count += 1
        # Of what was sent and not answered, some is still on the wire or in buffers.
        assert sent_count - answered_count <= MAX_IN_FLIGHT + 16
    assert answered_count == 80


async def test_a_client_that_goes_away_leaves_nothing_behind(
    stub: SmartCaptureAsyncStub,
    server: Server,
    burst: list[bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No job, and no failure in the log; the next call is answered."""

    async def pictures() -> AsyncIterator[smart_capture_pb2.AssessImagesRequest]:
        for number in range(100):
            yield request(str(number), burst[0])

    def jobs() -> float:
        states = ("waiting", "running")
        values = [
            server.metrics.registry.get_sample_value("smart_capture_jobs", {"state": state})
            for state in states
        ]
        return sum(value or 0.0 for value in values)

    call = stub.AssessImages(pictures())
    assert await call.read() is not grpc.aio.EOF
    call.cancel()
    answer = await stub.AssessImage(
        smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=burst[0])), timeout=60
    )
    assert answer.assessment.width_px == width_of(burst[0])
    while jobs():
        await asyncio.sleep(0.01)
    gc.collect()  # which is when a task tells of a failure that nobody looked at
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def test_an_answer_that_cannot_be_sent_ends_its_stream_alone(
    stub: SmartCaptureAsyncStub, burst: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Its id makes it too large: the caller is told, no task fails unseen, others are answered."""
    call: Any = stub.AssessImages()
    await call.write(request("x" * (5 << 20), b""))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call.read()
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    other = smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=burst[0]))
    assert (await stub.AssessImage(other, timeout=60)).assessment.width_px > 0
    gc.collect()
    assert [record for record in caplog.records if record.name == "asyncio"] == []
