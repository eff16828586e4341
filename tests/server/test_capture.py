"""Camera sessions over a real connection."""

from __future__ import annotations

import asyncio
import math
import random
import resource
from typing import TYPE_CHECKING, Any

import cv2
import grpc
import grpc.aio
import numpy as np
import pytest

from capture.measure.gyro import MAX_SAMPLE_COUNT
from capture.server.app import Server
from capture.v1 import assessment_pb2, image_pb2, session_pb2, smart_capture_pb2
from capture.v1.smart_capture_pb2_grpc import SmartCaptureStub
from tests.server.cameras import Camera, kinds

if TYPE_CHECKING:
    from capture.v1.smart_capture_pb2_grpc import SmartCaptureAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

BLACK = bytes(
    cv2.imencode(".png", np.random.default_rng(7).integers(0, 12, (240, 320, 3), np.uint8))[1]
)
"""A picture taken in the dark."""

CONFIG: dict[str, Any] = {"still_width_px": 1600, "exposure_time_s": 1 / 60}


async def camera(stub: SmartCaptureAsyncStub, **changes: Any) -> Camera:
    opened = Camera(stub)
    await opened.open(**(CONFIG | changes))
    return opened


async def test_a_session_says_what_it_assumes(stub: SmartCaptureAsyncStub) -> None:
    """Token, profile, and the defaults for what the configuration left open."""
    silent = Camera(stub)
    started = await silent.open()
    assert started.session_token
    assert not started.resumed
    assert started.profile == "default"
    assert started.assumed.exposure_time_s == pytest.approx(1 / 60)
    await silent.finish()
    assert await silent.call.code() is grpc.StatusCode.OK


async def test_a_hand_that_comes_to_rest_is_told_to_shoot(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """The guidance goes from moving over settling to ready."""
    session = await camera(stub)
    states = []
    for number, frame in enumerate(burst, start=1):
        await session.preview(number, frame)
        update = await session.receive_one("stability")
        assert update.preview_id == number
        states.append(update.state)
    await session.finish()
    assert states[0] == session_pb2.STABILITY_STATE_UNKNOWN
    assert session_pb2.STABILITY_STATE_MOVING in states
    assert session_pb2.STABILITY_STATE_SETTLING in states
    assert states[-1] == session_pb2.STABILITY_STATE_READY
    assert states.index(session_pb2.STABILITY_STATE_MOVING) < states.index(
        session_pb2.STABILITY_STATE_READY
    )


async def test_every_preview_is_answered_once_and_the_newest_is_judged(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """Sent faster than they can be judged, the others are answered as skipped."""
    session = await camera(stub)
    for number, frame in enumerate(burst, start=1):
        await session.preview(number, frame)
    responses = await session.finish()
    judged = [r.stability.preview_id for r in responses if r.WhichOneof("message") == "stability"]
    skipped = [r.skipped.preview_id for r in responses if r.WhichOneof("message") == "skipped"]
    assert sorted(judged + skipped) == list(range(1, len(burst) + 1))
    assert judged == sorted(judged)
    assert judged[-1] == len(burst)
    assert skipped


async def test_stills_are_never_skipped_and_come_in_order(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """Among previews that are, each still is answered under its id."""
    session = await camera(stub)

    async def shoot() -> None:
        for number, frame in enumerate(burst[:20], start=1):
            await session.preview(number, frame)
            await session.still(number, frame)
        await session.call.done_writing()

    sending = asyncio.create_task(shoot())
    responses = await session.rest()
    await sending
    stills = [r.still.still_id for r in responses if r.WhichOneof("message") == "still"]
    assert stills == list(range(1, 21))


async def test_refused_shots_are_counted_and_the_last_is_taken_anyway(
    stub: SmartCaptureAsyncStub,
) -> None:
    """After as many retakes as the profile allows, the shot is kept and flagged."""
    session = await camera(stub)
    black = BLACK
    outcomes = []
    for number in range(1, 6):
        await session.still(number, black)
        result = await session.receive_one("still")
        assert result.assessment.verdict == assessment_pb2.VERDICT_RETAKE
        outcomes.append((result.retake_count, result.taken_anyway))
    assert outcomes == [(1, False), (2, False), (3, False), (4, True), (1, False)]
    await session.finish()


async def test_a_bad_still_or_preview_is_told_and_the_session_goes_on(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """In band, by the code of the picture's error; nothing is counted as a retake."""
    session = await camera(stub)
    await session.still(1, b"")
    failed = await session.receive_one("still")
    assert (failed.still_id, failed.error.code, failed.retake_count) == (1, "EMPTY", 0)
    await session.preview(7, b"not a picture")
    error = await session.receive_one("error")
    assert (error.preview_id, error.error.code) == (7, "UNRECOGNIZED_FORMAT")
    await session.preview(8, b"")
    assert (await session.receive_one("error")).error.code == "EMPTY"
    await session.preview(9, burst[0])
    assert (await session.receive_one("stability")).preview_id == 9
    await session.finish()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
async def test_motion_samples_that_are_no_numbers_are_told(
    stub: SmartCaptureAsyncStub, burst: list[bytes], value: float
) -> None:
    """They change nothing; good samples after them are taken without a word."""
    session = await camera(stub, focal_length_px=1500.0)
    for bad in ({"x_rad_s": value}, {"captured_at_ms": value}):
        sample = session_pb2.MotionSample(**bad)
        await session.send(motion=session_pb2.MotionSamples(samples=[sample]))
        error = await session.receive_one("error")
        assert (error.preview_id, error.error.code) == (0, "SESSION_PROTOCOL")
    await session.send(motion=session_pb2.MotionSamples(samples=[session_pb2.MotionSample()]))
    await session.preview(1, burst[0])
    assert (await session.receive()).WhichOneof("message") == "stability"
    await session.finish()


async def test_of_very_many_motion_samples_only_the_newest_are_looked_at(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """As many as are ever kept: nobody reads the others, so that nothing is wrong with them."""
    session = await camera(stub, focal_length_px=1500.0)
    unread = [session_pb2.MotionSample(x_rad_s=math.nan)] * 1000
    read = [session_pb2.MotionSample(captured_at_ms=at) for at in range(MAX_SAMPLE_COUNT)]
    await session.send(motion=session_pb2.MotionSamples(samples=unread + read))
    await session.preview(1, burst[0])
    assert (await session.receive()).WhichOneof("message") == "stability"
    await session.finish()


async def test_a_preview_without_a_usable_time_is_told(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """Its error carries its id."""
    session = await camera(stub)
    await session.preview(3, burst[0], captured_at_ms=math.nan)
    error = await session.receive_one("error")
    assert (error.preview_id, error.error.code) == (3, "SESSION_PROTOCOL")
    await session.finish()


async def test_frames_as_the_field_sends_them_end_no_session(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """Late, doubled, after a clock jump, in another size: each is answered."""
    session = await camera(stub)
    times_ms = [0, 33, 20, 33, 66, 1e9, 1e9 + 33, 40, 73, -5e8]
    for number, at_ms in enumerate(times_ms, start=1):
        await session.preview(number, burst[number], captured_at_ms=at_ms)
        assert (await session.receive_one("stability")).preview_id == number
    grey = image_pb2.Image(
        data=bytes(320 * 240),
        encoding=image_pb2.IMAGE_ENCODING_GRAY8,
        width_px=320,
        height_px=240,
        rotation_deg=90,
    )
    await session.send(preview=session_pb2.Preview(id=99, captured_at_ms=1e9, image=grey))
    assert (await session.receive_one("stability")).preview_id == 99
    await session.finish()


@pytest.mark.parametrize(
    "first",
    [
        {},
        {"preview": session_pb2.Preview(id=1)},
        {"still": session_pb2.Still(id=1)},
        {"config": session_pb2.SessionConfig(exposure_time_s=math.nan)},
        {"config": session_pb2.SessionConfig(focal_length_px=-1)},
        {"config": session_pb2.SessionConfig(profile="/etc/passwd")},
    ],
    ids=["empty", "preview", "still", "nan", "negative", "profile"],
)
async def test_a_session_starts_with_a_usable_configuration(
    stub: SmartCaptureAsyncStub, first: dict[str, Any]
) -> None:
    """Anything else ends the call with INVALID_ARGUMENT."""
    session = Camera(stub)
    await session.send(**first)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await session.call.read()
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_second_configuration_and_an_empty_message_are_told(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """The session goes on under the first."""
    session = await camera(stub)
    for message in ({"config": session_pb2.SessionConfig(profile="strict")}, {}):
        await session.send(**message)
        assert (await session.receive_one("error")).error.code == "SESSION_PROTOCOL"
    await session.still(1, burst[0])
    still = await session.receive_one("still")
    assert still.assessment.provenance.profile == "default"
    await session.finish()


async def test_a_session_that_was_cut_off_goes_on_with_its_token(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """Retake count and dwell are kept; the token stays the same."""
    session = await camera(stub)
    await session.still(1, BLACK)
    assert (await session.receive_one("still")).retake_count == 1
    for number, frame in enumerate(burst[-10:], start=1):
        await session.preview(number, frame)
        calm_ms = (await session.receive_one("stability")).calm_ms
    session.call.cancel()
    again = Camera(stub)
    started = await again.open(resume_token=session.token, **CONFIG)
    assert started.resumed
    assert started.session_token == session.token
    await again.preview(11, burst[-1])
    update = await again.receive_one("stability")
    assert update.retake_count == 1
    assert update.calm_ms > calm_ms > 0
    await again.finish()


async def test_a_client_that_comes_back_before_it_was_missed_takes_its_session_over(
    stub: SmartCaptureAsyncStub,
) -> None:
    """The old stream ends; it is not known to be dead, only that its client is elsewhere."""
    session = await camera(stub)
    await session.still(1, BLACK)
    await session.receive_one("still")
    again = Camera(stub)
    started = await again.open(resume_token=session.token, **CONFIG)
    assert started.resumed
    with pytest.raises(grpc.aio.AioRpcError):
        await session.rest()
    await again.still(2, BLACK)
    assert (await again.receive_one("still")).retake_count == 2
    await again.finish()


async def test_an_unknown_token_opens_a_new_session(stub: SmartCaptureAsyncStub) -> None:
    """It says so, and gives a token of its own."""
    session = Camera(stub)
    started = await session.open(resume_token="a" * 1000)
    assert not started.resumed
    assert started.session_token != "a" * 1000
    await session.finish()


async def test_a_client_that_does_not_read_is_not_read_either(server: Server) -> None:
    """Its answers do not pile up; when it reads at last, every still is accounted for."""
    fixed_window = [("grpc.http2.bdp_probe", 0)]
    padded = image_pb2.Image(data=bytes(10_000)).SerializeToString()
    unknown = image_pb2.Image.FromString(padded + b"\x10M")  # of encoding 77
    sent_count = 0

    async def send(session: Camera) -> None:
        nonlocal sent_count
        for number in range(1, 5001):
            await session.send(still=session_pb2.Still(id=number, image=unknown))
            sent_count += 1

    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", fixed_window) as channel:
        session = await camera(SmartCaptureStub(channel))
        sending = asyncio.create_task(send(session))
        last_count = -1
        while sent_count != last_count:  # until flow control holds it back
            last_count = sent_count
            await asyncio.sleep(0.3)
        assert not sending.done()
        read = asyncio.create_task(session.rest())
        await sending
        await session.call.done_writing()
        assert [response.still.still_id for response in await read] == list(range(1, 5001))


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_a_client_sends_is_answered(
    stub: SmartCaptureAsyncStub, burst: list[bytes], seed: int
) -> None:
    """Random messages, absurd in every field: one answer to each preview and still."""
    rng = random.Random(seed)

    def number() -> float:
        return rng.choice([0.0, 1.0, 33.0, -1.0, 1e300, -1e300, math.nan, math.inf, rng.random()])

    def picture() -> image_pb2.Image:
        return image_pb2.Image(
            data=rng.choice([b"", b"x", rng.randbytes(500), burst[0], burst[0][:3000]]),
            encoding=rng.choice(image_pb2.ImageEncoding.values()),
            width_px=rng.choice([0, 1, 7, 20, 2**31, 2**32 - 1]),
            height_px=rng.choice([0, 1, 7, 20, 2**31, 2**32 - 1]),
            row_stride_bytes=rng.choice([0, 1, 7, 20, 2**32 - 1]),
            rotation_deg=rng.choice([0, 90, 180, 270, 45, 2**32 - 1]),
        )

    session = await camera(stub, focal_length_px=1500.0)
    previews, stills = [], []
    for count in range(1, 101):
        kind = rng.choice(["preview", "still", "motion", "config", "nothing"])
        if kind == "preview":
            previews.append(count)
            preview = session_pb2.Preview(
                id=count,
                captured_at_ms=number(),
                image=picture(),
                exposure_time_s=number(),
                exposure_state=rng.choice(session_pb2.ConvergenceState.values()),
            )
            await session.send(preview=preview)
        elif kind == "still":
            stills.append(count)
            still = session_pb2.Still(id=count, captured_at_ms=number(), image=picture())
            await session.send(still=still)
        elif kind == "motion":
            samples = [
                session_pb2.MotionSample(captured_at_ms=number(), x_rad_s=number())
                for _ in range(rng.randrange(5))
            ]
            await session.send(motion=session_pb2.MotionSamples(samples=samples))
        elif kind == "config":
            await session.send(config=session_pb2.SessionConfig(exposure_time_s=number()))
        else:
            await session.send()
    responses = await session.finish()
    assert await session.call.code() is grpc.StatusCode.OK
    answered = [
        response.error.preview_id or response.stability.preview_id or response.skipped.preview_id
        for response in responses
        if response.WhichOneof("message") != "still"
    ]
    assert sorted(filter(None, answered)) == previews
    assert [r.still.still_id for r in responses if r.WhichOneof("message") == "still"] == stills
    codes = {r.error.error.code for r in responses} | {r.still.error.code for r in responses}
    assert "INTERNAL" not in codes


async def test_idle_sessions_cost_little(server: Server, burst: list[bytes]) -> None:
    """Two hundred of them leave a call its answer and the front its memory."""
    before_kb = _resident_kb()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stub = SmartCaptureStub(channel)
        idle = [await camera(stub) for _ in range(200)]
        request = smart_capture_pb2.AssessImageRequest(image=image_pb2.Image(data=burst[0]))
        assert (await stub.AssessImage(request)).assessment.width_px > 0
        # Both ends of the sessions live in this process.
        assert (_resident_kb() - before_kb) / len(idle) < 200
        await asyncio.gather(*(session.finish() for session in idle))


def _resident_kb() -> int:
    with open("/proc/self/statm") as statm:  # noqa: PTH123
        return int(statm.read().split()[1]) * resource.getpagesize() // 1024


async def test_many_cameras_are_served_side_by_side(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """None starves: each of eight gets every last frame judged."""

    async def film() -> list[str | None]:
        session = await camera(stub)
        for number, frame in enumerate(burst[:30], start=1):
            await session.preview(number, frame)
            await asyncio.sleep(0.01)
        return kinds(await session.finish())

    for answers in await asyncio.gather(*(film() for _ in range(8))):
        assert len(answers) == 30
        assert "stability" in answers
