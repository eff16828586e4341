"""A camera session over a connection that breaks, stalls and drains."""

from __future__ import annotations

import asyncio

import grpc
import numpy as np
import pytest

from capture.assessment import Assessment
from capture.client import (
    AsyncClient,
    DrainNotice,
    InputRefused,
    JudgementFailedError,
    PreviewSkipped,
    ServerUnreachableError,
    SessionStarted,
    StillFailed,
    StillJudged,
)
from capture.errors import OverloadedError, ProfileError, SessionError, TruncatedImageError
from capture.gates.stability import HintCode, MotionSource, Stability, StabilityState
from capture.gates.verdict import Verdict
from capture.measure.gyro import GyroSample
from capture.v1 import assessment_pb2, session_pb2
from capture.wire.sessions import stability_to_wire
from tests.client.scripted import Conversation, Scripted, serving

FRAME = np.zeros((48, 64), np.uint8)
SHOT = b"a picture file"


def steady(preview_id: int) -> session_pb2.StabilityUpdate:
    return stability_to_wire(
        Stability(
            preview_id, 0.0, StabilityState.READY, True, 0.2, 0.5, 12.0, MotionSource.FRAMES,
            0.9, 400.0, HintCode.SHOOT, "shoot now", 0.1, 0.0, 40, preview_id, 0,
        )
    )  # fmt: skip


async def guide_everything(stream: Conversation) -> None:
    """Say READY to every preview and judge every still."""
    await stream.start()
    while (request := await stream.hear()) is not None:
        match request.WhichOneof("message"):
            case "preview":
                await stream.say(stability=steady(request.preview.id))
            case "still":
                await stream.judge(request.still)


async def test_a_session_guides_and_judges():
    """A preview is answered with guidance, a shot with its verdict, and the token is known."""
    async with (
        serving(Scripted(streams=[guide_everything])) as target,
        AsyncClient(target) as client,
        client.session(exposure_time_s=1 / 60) as session,
    ):
        guidance = await session.judge_preview(FRAME)
        shot = await session.judge_still(SHOT)
        assert guidance is not None
        assert guidance.ready
        assert isinstance(shot.assessment, Assessment)
        assert shot.assessment.verdict is Verdict.ACCEPT
        assert session.token == "token"


async def test_events_come_in_order_to_who_only_sends():
    """Without waiting for answers, the same comes as events."""
    async with (
        serving(Scripted(streams=[guide_everything])) as target,
        AsyncClient(target) as client,
        client.session() as session,
    ):
        assert isinstance(await session.next_event(), SessionStarted)
        preview_id = session.send_preview(FRAME)
        guidance = await session.next_event()
        still_id = session.send_still(SHOT)
        shot = await session.next_event()
        assert isinstance(guidance, Stability)
        assert guidance.preview_id == preview_id
        assert isinstance(shot, StillJudged)
        assert shot.still_id == still_id


async def test_motion_goes_before_the_preview_that_follows_it():
    """The gyroscope's samples of a frame arrive before the frame."""
    heard: list[session_pb2.CaptureRequest] = []

    async def listen(stream: Conversation) -> None:
        await stream.start()
        while (request := await stream.hear()) is not None:
            heard.append(request)
            if request.HasField("preview"):
                await stream.say(stability=steady(request.preview.id))

    async with (
        serving(Scripted(streams=[listen])) as target,
        AsyncClient(target) as client,
        client.session(focal_length_px=3000) as session,
    ):
        await session.next_event()
        session.send_motion([GyroSample(1.0, 0.1, 0.2, 0.3), GyroSample(2.0, 0.0, 0.0, 0.0)])
        await session.judge_preview(FRAME, captured_at_ms=3.0)
    assert [request.WhichOneof("message") for request in heard] == ["motion", "preview"]
    assert heard[0].motion.samples[0].y_rad_s == 0.2
    assert heard[1].preview.captured_at_ms == 3.0


async def test_the_newest_preview_wins_while_the_line_is_busy():
    """Previews that wait to be sent are passed over for the newest, and said to be."""
    async with (
        serving(Scripted(streams=[guide_everything])) as target,
        AsyncClient(target) as client,
        client.session() as session,
    ):
        sent = [session.send_preview(FRAME) for _ in range(5)]
        events = [await session.next_event() for _ in range(6)]
        skipped = [event.preview_id for event in events if isinstance(event, PreviewSkipped)]
        judged = [event.preview_id for event in events if isinstance(event, Stability)]
        assert skipped == sent[:-1]
        assert judged == sent[-1:]


async def test_a_cut_stream_goes_on_with_its_token():
    """After a broken connection the session comes back by itself, with its token."""
    tokens: list[str] = []

    async def cut(stream: Conversation) -> None:
        tokens.append(await stream.start("first"))
        await stream.hear()
        await stream.context.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    async def resume(stream: Conversation) -> None:
        tokens.append(await stream.start("first", resumed=True))
        request = await stream.hear()
        assert request is not None
        await stream.judge(request.still)

    async with (
        serving(Scripted(streams=[cut, resume])) as target,
        AsyncClient(target) as client,
        client.session() as session,
    ):
        shot = await session.judge_still(SHOT)
        started = [await session.next_event(), await session.next_event()]
        assert shot.assessment.verdict is Verdict.ACCEPT
    assert tokens == ["", "first"]
    assert [isinstance(event, SessionStarted) and event.resumed for event in started] == [
        False,
        True,
    ]


async def test_a_preview_on_a_cut_stream_is_answered_as_passed_over():
    """Nobody waits for ever for a preview that went down with its connection."""

    async def cut(stream: Conversation) -> None:
        await stream.start()
        await stream.hear()
        await stream.context.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    async with (
        serving(Scripted(streams=[cut, guide_everything])) as target,
        AsyncClient(target) as client,
        client.session() as session,
    ):
        assert await session.judge_preview(FRAME) is None
        assert await session.judge_preview(FRAME) is not None


async def test_a_drained_session_moves_on_without_losing_its_shot():
    """A server that goes down says so, and the next one judges what it did not."""

    async def drain(stream: Conversation) -> None:
        await stream.start()
        await stream.hear()
        await stream.say(drain=session_pb2.DrainNotice(grace_ms=500))

    async with (
        serving(Scripted(streams=[drain, guide_everything])) as target,
        AsyncClient(target) as client,
        client.session() as session,
    ):
        shot = await session.judge_still(SHOT)
        events = [await session.next_event() for _ in range(3)]
        assert shot.assessment.verdict is Verdict.ACCEPT
        assert DrainNotice(grace_ms=500) in events


async def test_a_still_refused_for_overload_is_sent_again_when_asked():
    """The wait that the server asks for is waited, then the shot goes again."""
    times: list[float] = []

    async def busy_once(stream: Conversation) -> None:
        await stream.start()
        while (request := await stream.hear()) is not None:
            times.append(asyncio.get_running_loop().time())
            if len(times) > 1:
                await stream.judge(request.still)
                continue
            await stream.say(
                still=session_pb2.StillResult(
                    still_id=request.still.id,
                    error=assessment_pb2.ImageError(
                        code="OVERLOADED", message="full", retryable=True, retry_after_ms=150
                    ),
                )
            )

    async with (
        serving(Scripted(streams=[busy_once])) as target,
        AsyncClient(target) as client,
        client.session() as session,
    ):
        shot = await session.judge_still(SHOT)
        assert shot.assessment.verdict is Verdict.ACCEPT
    assert len(times) == 2
    assert times[1] - times[0] >= 0.149


async def test_a_still_put_off_goes_over_the_next_stream_once():
    """The wait that was asked for ends with its stream: no shot is counted twice."""
    heard: list[int] = []

    async def put_off_and_cut(stream: Conversation) -> None:
        await stream.start()
        request = await stream.hear()
        assert request is not None
        error = assessment_pb2.ImageError(
            code="OVERLOADED", message="full", retryable=True, retry_after_ms=300
        )
        await stream.say(still=session_pb2.StillResult(still_id=request.still.id, error=error))
        await stream.context.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    async def judge_slowly(stream: Conversation) -> None:
        await stream.start(resumed=True)
        while (request := await stream.hear()) is not None:
            heard.append(request.still.id)
            await asyncio.sleep(0.6)
            await stream.judge(request.still)

    async with (
        serving(Scripted(streams=[put_off_and_cut, judge_slowly])) as target,
        AsyncClient(target) as client,
        client.session() as session,
    ):
        await session.judge_still(SHOT)
    assert heard == [1]


async def test_a_broken_still_is_its_own_error_and_the_session_goes_on():
    """What the server says of the bytes comes back as the class it was there."""

    async def refuse_first(stream: Conversation) -> None:
        await stream.start()
        request = await stream.hear()
        assert request is not None
        error = assessment_pb2.ImageError(code="TRUNCATED", message="the file ends early")
        await stream.say(still=session_pb2.StillResult(still_id=request.still.id, error=error))
        request = await stream.hear()
        assert request is not None
        await stream.say(
            error=session_pb2.InputError(
                preview_id=request.preview.id,
                error=assessment_pb2.ImageError(code="NEWER", message="of a newer server"),
            )
        )
        request = await stream.hear()
        assert request is not None
        await stream.judge(request.still)

    async with (
        serving(Scripted(streams=[refuse_first])) as target,
        AsyncClient(target) as client,
        client.session() as session,
    ):
        with pytest.raises(TruncatedImageError, match="ends early"):
            await session.judge_still(SHOT)
        with pytest.raises(JudgementFailedError) as failure:
            await session.judge_preview(FRAME)
        assert failure.value.code == "NEWER"
        assert (await session.judge_still(SHOT)).still_id == 3


async def test_a_refused_session_ends_with_the_reason():
    """A profile that the server does not have is no cause to try again."""

    async def refuse(stream: Conversation) -> None:
        await stream.hear()
        await stream.context.abort(
            grpc.StatusCode.INVALID_ARGUMENT,
            "no profile 'x'",
            (("smart-capture-error-code", "UNKNOWN_PROFILE"),),
        )

    script = Scripted(streams=[refuse])
    async with (
        serving(script) as target,
        AsyncClient(target) as client,
        client.session(profile="x") as session,
    ):
        with pytest.raises(ProfileError, match="no profile 'x'"):
            await session.judge_preview(FRAME)
        with pytest.raises(ProfileError):
            await session.next_event()
        with pytest.raises(ProfileError):
            session.send_still(SHOT)
    assert script.call_count == 1


async def test_a_server_that_stays_away_is_given_up():
    """A session that may not come back ends with what cut it off."""

    async def cut(stream: Conversation) -> None:
        await stream.start()
        await stream.hear()
        await stream.context.abort(grpc.StatusCode.UNAVAILABLE, "gone")

    async with (
        serving(Scripted(streams=[cut])) as target,
        AsyncClient(target, reconnect_for_s=0.05) as client,
        client.session() as session,
    ):
        with pytest.raises(ServerUnreachableError, match="gone"):
            await session.judge_still(SHOT)


async def test_closing_waits_for_the_verdicts_of_shots_under_way():
    """Leaving the block loses no shot."""
    async with (
        serving(Scripted(streams=[guide_everything])) as target,
        AsyncClient(target) as client,
    ):
        async with client.session() as session:
            for _ in range(3):
                session.send_still(SHOT)
        events = [event async for event in session.events()]
        assert [event.still_id for event in events if isinstance(event, StillJudged)] == [1, 2, 3]
        with pytest.raises(SessionError, match="not open"):
            session.send_preview(FRAME)


async def silent(stream: Conversation) -> None:
    """Hear everything, and say nothing."""
    await stream.start()
    while await stream.hear() is not None:
        pass


async def test_leaving_can_be_given_up():
    """Where nobody will wait for the verdicts, the session is over all the same."""
    async with serving(Scripted(streams=[silent])) as target, AsyncClient(target) as client:
        session = client.session()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), session:
                session.send_still(SHOT)
        async with asyncio.timeout(30):
            events = [event async for event in session.events()]
        assert not any(isinstance(event, StillJudged) for event in events)
        with pytest.raises(SessionError, match="not open"):
            session.send_still(SHOT)


async def test_shots_without_verdicts_do_not_pile_up():
    """A server that does not answer is not sent shots for ever."""

    async def shoot_for_ever(target: str) -> None:
        async with AsyncClient(target) as client, client.session() as session:
            for _ in range(100):
                session.send_still(SHOT)

    async with serving(Scripted(streams=[silent])) as target:
        with pytest.raises(OverloadedError, match="wait for their verdicts"):
            await shoot_for_ever(target)


async def test_an_unusable_preview_is_an_event():
    """What cannot be used is said, with its id, and nothing ends."""

    async def refuse(stream: Conversation) -> None:
        await stream.start()
        request = await stream.hear()
        assert request is not None
        await stream.say(
            error=session_pb2.InputError(
                preview_id=request.preview.id,
                error=assessment_pb2.ImageError(code="INVALID_FRAME", message="too few bytes"),
            )
        )
        still = await stream.hear()
        assert still is not None
        await stream.say(
            still=session_pb2.StillResult(
                still_id=still.still.id,
                error=assessment_pb2.ImageError(code="EMPTY", message="no bytes"),
            )
        )

    async with (
        serving(Scripted(streams=[refuse])) as target,
        AsyncClient(target) as client,
        client.session() as session,
    ):
        await session.next_event()
        preview_id = session.send_preview(FRAME)
        refused = await session.next_event()
        assert isinstance(refused, InputRefused)
        assert (refused.preview_id, str(refused.error)) == (preview_id, "too few bytes")
        session.send_still(b"")
        assert isinstance(await session.next_event(), StillFailed)
        assert await session.next_event(timeout_s=0.01) is None


async def test_a_newer_server_is_an_error_of_one_shot_only():
    """A reason that this version has no word for fails that shot; the session goes on."""

    async def newer(stream: Conversation) -> None:
        await stream.start()
        still = await stream.hear()
        assert still is not None
        result = session_pb2.StillResult(still_id=still.still.id)
        result.assessment.reasons.add(code=900)
        await stream.say(still=result)
        preview = await stream.hear()
        assert preview is not None
        await stream.say(stability=steady(preview.preview.id))

    async with (
        serving(Scripted(streams=[newer])) as target,
        AsyncClient(target) as client,
        client.session() as session,
    ):
        with pytest.raises(JudgementFailedError, match="the server is newer"):
            await session.judge_still(SHOT)
        assert await session.judge_preview(FRAME) is not None
