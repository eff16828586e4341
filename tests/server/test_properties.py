"""Whatever is sent, valid or not: a typed answer to each request, and a server that goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import cv2
import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import example, given, settings
from hypothesis import strategies as st

from capture.server.app import Server
from capture.server.status import STATUS_TABLE
from capture.settings import Settings
from capture.v1 import image_pb2, session_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub

TYPED = {(row.status, row.code) for row in STATUS_TABLE.values() if row.tells}
TYPED_CODES = {code for _, code in TYPED}

some = settings(max_examples=150, derandomize=True, deadline=None, database=None)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server in a thread; at the end it is well, and none of its workers has died."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    async def make() -> Server:
        server = Server(Settings(port=0, worker_count=1, classify=False))
        await server.start()
        return server

    server = run(make())
    yield server
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    statistics = server.pool.statistics
    run(server.stop(0))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert (statistics.death_count, statistics.timeout_count, statistics.poison_count) == (0, 0, 0)


@pytest.fixture(scope="module")
def channel(server: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel: grpc.Channel) -> Any:
    return SmartCaptureStub(channel)


# ---- what is sent


def _files() -> list[bytes]:
    pixels = np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    names = (".jpg", ".png", ".webp", ".tiff", ".bmp")
    return [cv2.imencode(name, pixels)[1].tobytes() for name in names]


FILES = _files()
sizes = st.sampled_from([0, 1, 2, 3, 48, 64, 65, 4096, 65536, 2**31 - 1, 2**31, 2**32 - 1])
counts = st.sampled_from([0, 1, 5, 2**32 - 1])
numbers = st.floats() | st.sampled_from([0.0, 1 / 60, 33.0, 1e-308, 1e308])
ids = st.integers(0, 2**64 - 1)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a picture file with some bytes changed and perhaps its end cut off."""
    data = bytearray(draw(st.sampled_from(FILES)))
    places = st.integers(0, len(data) - 1)
    for place in draw(st.lists(places, max_size=6)):
        data[place] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.just(len(data)) | places)])


planes = st.sampled_from([64 * 48, 64 * 48 * 3 // 2, 1]).map(lambda size: bytes(size))
contents = st.sampled_from(FILES) | damaged() | planes | st.binary(max_size=64)
images = st.builds(
    image_pb2.Image,
    data=contents,
    encoding=st.integers(0, 6) | st.sampled_from([2**31 - 1, -1]),
    width_px=sizes,
    height_px=sizes,
    row_stride_bytes=sizes,
    rotation_deg=st.sampled_from([0, 90, 180, 270, 1, 360, 2**32 - 1]),
)
options = st.builds(
    smart_capture_pb2.AssessmentOptions,
    profile=st.sampled_from(["", "strict", "../strict", "/etc/passwd", "\0", "é" * 200]),
    skip_classification=st.booleans(),
    max_label_count=counts,
)
configs = st.builds(
    session_pb2.SessionConfig,
    profile=st.sampled_from(["", "", "strict", "no such"]),
    exposure_time_s=st.sampled_from([0.0, 0.0, 1e9, -1.0, float("nan")]) | numbers,
    still_width_px=sizes,
    focal_length_px=st.sampled_from([0.0, 1000.0, 1e300, -1.0]),
    rolling_shutter_ms=st.sampled_from([0.0, 20.0, float("inf")]),
    max_label_count=counts,
    resume_token=st.sampled_from(["", "nobody's", "x" * 5000]),
)
previews = st.builds(
    session_pb2.Preview,
    id=ids,
    captured_at_ms=numbers,
    image=images,
    exposure_time_s=numbers,
    exposure_state=st.integers(0, 3),
    focus_state=st.integers(0, 3),
)
samples = st.builds(
    session_pb2.MotionSample,
    captured_at_ms=numbers,
    x_rad_s=numbers,
    y_rad_s=numbers,
    z_rad_s=numbers,
)
motions = st.builds(session_pb2.MotionSamples, samples=st.lists(samples, max_size=8))
stills = st.builds(session_pb2.Still, id=ids, captured_at_ms=numbers, image=images)
requests = st.one_of(
    previews.map(lambda preview: session_pb2.CaptureRequest(preview=preview)),
    motions.map(lambda motion: session_pb2.CaptureRequest(motion=motion)),
    stills.map(lambda still: session_pb2.CaptureRequest(still=still)),
    configs.map(lambda config: session_pb2.CaptureRequest(config=config)),
    st.just(session_pb2.CaptureRequest()),
)


# ---- what is answered


def assert_typed(error: grpc.RpcError) -> None:
    """The status and the code are a row of the one table."""
    assert isinstance(error, grpc.Call)
    metadata = dict(error.trailing_metadata())
    assert (error.code(), metadata.get("smart-capture-error-code")) in TYPED, error


@some
@given(image=images, wishes=options)
@example(
    image=image_pb2.Image(
        data=bytes(4096), encoding=2, width_px=64, height_px=64, row_stride_bytes=2**32 - 64
    ),
    wishes=smart_capture_pb2.AssessmentOptions(),
)
def test_a_picture_is_judged_or_refused_by_its_code(
    stub: Any, image: image_pb2.Image, wishes: smart_capture_pb2.AssessmentOptions
) -> None:
    """Planes that do not add up, strides that overflow, damaged files, absurd wishes."""
    request = smart_capture_pb2.AssessImageRequest(image=image, options=wishes)
    try:
        answer = stub.AssessImage(request, timeout=30)
    except grpc.RpcError as error:
        assert_typed(error)
    else:
        assert answer.assessment.width_px > 0
        assert answer.assessment.verdict


def test_a_negative_stride_is_an_invalid_frame(channel: grpc.Channel) -> None:
    """On the wire it is a number of ten bytes, which the type cannot hold."""
    image = image_pb2.Image(data=bytes(4096), encoding=2, width_px=64, height_px=64)
    negative = image.SerializeToString() + b"\x28" + b"\xff" * 9 + b"\x01"
    request = b"\x0a" + bytes([len(negative) & 127 | 128, len(negative) >> 7]) + negative
    with pytest.raises(grpc.RpcError) as error:
        channel.unary_unary("/capture.v1.SmartCapture/AssessImage")(request)
    assert_typed(error.value)
    assert "rows 4294967295 bytes apart" in str(error.value)


@some
@given(pictures=st.lists(st.tuples(images, options), max_size=6))
def test_every_picture_of_a_stream_is_answered_once(
    stub: Any, pictures: list[tuple[image_pb2.Image, smart_capture_pb2.AssessmentOptions]]
) -> None:
    """By its id, with an assessment or a code; the stream itself ends well."""
    answers = list(
        stub.AssessImages(
            smart_capture_pb2.AssessImagesRequest(id=str(number), image=image, options=wishes)
            for number, (image, wishes) in enumerate(pictures)
        )
    )
    assert sorted(answer.id for answer in answers) == [str(n) for n in range(len(pictures))]
    for answer in answers:
        assert answer.HasField("assessment") or answer.error.code in TYPED_CODES


@some
@given(config=configs, messages=st.lists(requests, max_size=8))
def test_a_session_answers_every_preview_and_every_still_once(
    stub: Any, config: session_pb2.SessionConfig, messages: list[session_pb2.CaptureRequest]
) -> None:
    """In whatever order, with whatever numbers; only the configuration can end it."""
    first = session_pb2.CaptureRequest(config=config)
    answers: list[session_pb2.CaptureResponse] = []
    try:
        answers.extend(stub.Capture(iter([first, *messages])))
    except grpc.RpcError as error:
        assert_typed(error)
        assert not answers
        return
    judged = {"started": [], "stability": [], "skipped": [], "still": [], "error": []}
    for answer in answers:
        kind = answer.WhichOneof("message")
        judged[kind].append(getattr(answer, kind))
    assert len(judged["started"]) == 1
    assert [result.still_id for result in judged["still"]] == [
        message.still.id for message in messages if message.HasField("still")
    ]
    of_previews = [
        *(update.preview_id for update in judged["stability"]),
        *(skip.preview_id for skip in judged["skipped"]),
        *(error.preview_id for error in judged["error"]),
    ]
    sent = sorted(message.preview.id for message in messages if message.HasField("preview"))
    assert set(sent) <= set(of_previews)
    assert len(judged["stability"]) + len(judged["skipped"]) <= len(sent)
    for error in judged["error"]:
        assert error.error.code in TYPED_CODES
    for result in judged["still"]:
        assert result.HasField("assessment") or result.error.code in TYPED_CODES


@some
@given(
    method=st.sampled_from(["AssessImage", "AssessImages", "Capture"]),
    messages=st.lists(st.binary(max_size=48), min_size=1, max_size=3),
)
def test_bytes_that_need_not_be_messages_are_refused_by_code(
    channel: grpc.Channel, method: str, messages: list[bytes]
) -> None:
    """Random bytes in place of protobuf."""
    call = channel.stream_stream(f"/capture.v1.SmartCapture/{method}")
    try:
        list(call(iter(messages), timeout=30))
    except grpc.RpcError as error:
        assert_typed(error)
