"""One picture over a real connection."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest

from capture.server.app import Server
from capture.v1 import assessment_pb2, image_pb2, smart_capture_pb2
from tests.server.conftest import width_of

if TYPE_CHECKING:
    from capture.v1.smart_capture_pb2_grpc import SmartCaptureAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")


def request(data: bytes, **options: object) -> smart_capture_pb2.AssessImageRequest:
    return smart_capture_pb2.AssessImageRequest(
        image=image_pb2.Image(data=data),
        options=smart_capture_pb2.AssessmentOptions(**options),  # type: ignore[arg-type]
    )


async def refused(
    stub: SmartCaptureAsyncStub, message: smart_capture_pb2.AssessImageRequest
) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stub.AssessImage(message)
    return error.value


def code_of(error: grpc.aio.AioRpcError) -> str | bytes | None:
    return dict(error.trailing_metadata() or ()).get("smart-capture-error-code")


async def test_a_picture_is_judged_with_its_times(stub: SmartCaptureAsyncStub, good: bytes) -> None:
    """The answer has size, verdict, measures, provenance and where the time went."""
    assessment = (await stub.AssessImage(request(good))).assessment
    assert assessment.width_px == width_of(good)
    assert assessment.verdict != assessment_pb2.VERDICT_UNSPECIFIED
    assert assessment.provenance.profile == "default"
    assert assessment.times.decode_ms > 0
    assert assessment.times.measure_ms > 0


async def test_every_call_has_a_request_id(stub: SmartCaptureAsyncStub, burst: list[bytes]) -> None:
    """In the trailing metadata, of answers and of errors, and each its own."""
    answered = stub.AssessImage(request(burst[0]))
    await answered
    ids = {dict(await answered.trailing_metadata())["smart-capture-request-id"]}
    error = await refused(stub, request(b""))
    ids.add(dict(error.trailing_metadata() or ())["smart-capture-request-id"])
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "EMPTY"),
        (b"hello, I am not a picture at all", "UNRECOGNIZED_FORMAT"),
        (b"\x00" * 64, "UNRECOGNIZED_FORMAT"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "UNSUPPORTED_FORMAT"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", "TRUNCATED"),
    ],
)
async def test_bad_bytes_are_the_callers_fault(
    stub: SmartCaptureAsyncStub, data: bytes, code: str
) -> None:
    """INVALID_ARGUMENT; the stable code is in the metadata, the cause in the message."""
    error = await refused(stub, request(data))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert code_of(error) == code
    assert error.details()


async def test_a_picture_beyond_32_mib_is_too_large(stub: SmartCaptureAsyncStub) -> None:
    """It is refused by its code, before any worker sees it."""
    error = await refused(stub, request(bytes((32 << 20) + 1)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert code_of(error) == "TOO_LARGE"


async def test_a_message_beyond_any_picture_is_not_read(stub: SmartCaptureAsyncStub) -> None:
    """gRPC itself refuses it."""
    error = await refused(stub, request(bytes(35 << 20)))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_message_that_expands_is_not_expanded_beyond_the_limit(
    stub: SmartCaptureAsyncStub,
) -> None:
    """A few kB that unpack to 200 MB are refused by the size they would have."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stub.AssessImage(request(bytes(200 << 20)), compression=grpc.Compression.Gzip)
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_giant_metadata_is_refused(stub: SmartCaptureAsyncStub, burst: list[bytes]) -> None:
    """More than 16 kB of it never reaches the service, and the next call does."""
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.AssessImage(request(burst[0]), metadata=(("x-giant", "x" * 100_000),))
    assert (await stub.AssessImage(request(burst[0]))).assessment.width_px > 0


async def test_raw_planes_that_do_not_add_up_are_refused(stub: SmartCaptureAsyncStub) -> None:
    """Absurd sizes and strides are caught by the worker, whatever they declare."""
    planes = image_pb2.Image(
        data=b"\x80" * 100,
        encoding=image_pb2.IMAGE_ENCODING_NV21,
        width_px=2**32 - 1,
        height_px=2**32 - 1,
        row_stride_bytes=1,
        rotation_deg=45,
    )
    error = await refused(stub, smart_capture_pb2.AssessImageRequest(image=planes))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("name", ["no-such", "/etc/passwd", "../default.toml", "\0", "x" * 10_000])
async def test_a_profile_is_a_name_and_never_a_file(
    stub: SmartCaptureAsyncStub, burst: list[bytes], name: str
) -> None:
    """An unknown one is refused with the names that there are."""
    error = await refused(stub, request(burst[0], profile=name))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert code_of(error) == "UNKNOWN_PROFILE"
    assert "default, lenient, strict" in (error.details() or "")


async def test_profiles_that_ship_can_be_named(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """The answer says which one was used."""
    for name in ("strict", "lenient"):
        answer = await stub.AssessImage(request(burst[-1], profile=name))
        assert answer.assessment.provenance.profile == name


async def test_under_overload_calls_are_answered_in_time_or_refused_at_once(
    stub: SmartCaptureAsyncStub, good: bytes
) -> None:
    """Many calls at once with a short deadline: some answers, the rest with a pushback."""
    calls = [stub.AssessImage(request(good), timeout=3.0) for _ in range(300)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    answered = [r for r in results if isinstance(r, smart_capture_pb2.AssessImageResponse)]
    errors = [r for r in results if isinstance(r, grpc.aio.AioRpcError)]
    refusals = [e for e in errors if e.code() is grpc.StatusCode.RESOURCE_EXHAUSTED]
    assert answered
    assert refusals
    assert len(answered) + len(errors) == 300
    for refusal in refusals:
        metadata = dict(refusal.trailing_metadata() or ())
        assert int(metadata["grpc-retry-pushback-ms"]) >= 20
        assert metadata["smart-capture-error-code"] == "OVERLOADED"


async def test_a_full_queue_refuses_calls_without_a_deadline_too(
    stub: SmartCaptureAsyncStub, server: Server, burst: list[bytes]
) -> None:
    """Patience does not make a queue longer than it may be."""
    many = server.settings.max_queue_length + server.settings.worker_count + 20
    calls = [stub.AssessImage(request(burst[0])) for _ in range(many)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    refusals = [r for r in results if isinstance(r, grpc.aio.AioRpcError)]
    assert 0 < len(refusals) < many
    assert {code_of(refusal) for refusal in refusals} == {"OVERLOADED"}


async def test_a_cancelled_call_never_reaches_a_worker(
    stub: SmartCaptureAsyncStub, server: Server, good: bytes
) -> None:
    """Of calls that wait when they are cancelled, no worker answers any."""

    def jobs(state: str) -> float | None:
        return server.metrics.registry.get_sample_value("smart_capture_jobs", {"state": state})

    def answered() -> float:
        samples = next(
            metric.samples
            for metric in server.metrics.registry.collect()
            if metric.name == "smart_capture_answers"
        )
        return sum(sample.value for sample in samples if sample.name.endswith("_total"))

    async def until(state: str, count: int) -> None:
        async with asyncio.timeout(60):
            while jobs(state) != count:
                await asyncio.sleep(0.005)

    before = answered()
    workers = server.pool.worker_pids
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        held = [stub.AssessImage(request(good)) for _ in workers]
        await until("running", len(workers))
        waiting = [stub.AssessImage(request(good)) for _ in range(20)]
        await until("waiting", len(waiting))
        for call in waiting:
            call.cancel()
        await until("waiting", 0)
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    await asyncio.gather(*held)
    await stub.AssessImage(request(good))
    assert answered() - before == len(held) + 1
