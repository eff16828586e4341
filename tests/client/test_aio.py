"""One picture, and many pictures, over a server that is busy, away or gone."""

from __future__ import annotations

import asyncio
import time

import grpc
import numpy as np
import pytest

from capture.assessment import record_of
from capture.client import (
    AnswerTooLateError,
    AsyncClient,
    JudgementFailedError,
    ServerUnreachableError,
)
from capture.errors import (
    ImageTooLargeError,
    InvalidFrameError,
    OverloadedError,
    UnreadableFileError,
)
from capture.v1 import assessment_pb2, smart_capture_pb2
from capture.wire.assessments import assessment_to_wire
from tests.client.scripted import ASSESSMENT, Scripted, serving

PICTURE = b"a picture file"


def aborting(code, message, **metadata):
    """Return a script that ends a call with a status."""

    async def abort(context):
        trailing = tuple((key.replace("_", "-"), value) for key, value in metadata.items())
        await context.abort(code, message, trailing)

    return abort


async def test_an_assessment_comes_as_it_was_sent():
    """Every measure, reason and time survives the way."""
    async with serving(Scripted()) as target, AsyncClient(target) as client:
        assessment = await client.assess_image(PICTURE)
    assert record_of("x", assessment) == record_of("x", ASSESSMENT)
    assert assessment.times == ASSESSMENT.times


async def test_pushback_is_obeyed():
    """A busy server is asked again when it said, and not before."""
    script = Scripted(
        unary=[
            aborting(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "full",
                grpc_retry_pushback_ms="300",
                smart_capture_error_code="OVERLOADED",
            )
        ]
    )
    async with serving(script) as target, AsyncClient(target) as client:
        started = time.monotonic()
        await client.assess_image(PICTURE)
        assert time.monotonic() - started >= 0.299
    assert script.call_count == 2


async def test_a_large_picture_is_sent_again_too():
    """Retries are not only for what fits a small buffer."""
    script = Scripted(unary=[aborting(grpc.StatusCode.UNAVAILABLE, "restarting")])
    async with serving_large(script) as target, AsyncClient(target) as client:
        await client.assess_image(bytes(3 << 20))
    assert script.call_count == 2


async def test_a_server_that_is_always_full_is_an_overload():
    """After the waits it asked for, the refusal reaches the caller with the next wait."""
    full = aborting(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "full",
        grpc_retry_pushback_ms="10",
        smart_capture_error_code="OVERLOADED",
    )
    async with serving(Scripted(unary=[full] * 9)) as target, AsyncClient(target) as client:
        with pytest.raises(OverloadedError, match="full") as refusal:
            await client.assess_image(PICTURE)
    assert refusal.value.retry_after_ms == 10


async def test_a_picture_that_cannot_be_judged_is_its_own_error():
    """INVALID_ARGUMENT comes back as the class that it was at the server."""
    too_large = aborting(
        grpc.StatusCode.INVALID_ARGUMENT,
        "declares 9 gigapixels",
        smart_capture_error_code="TOO_LARGE",
    )
    async with serving(Scripted(unary=[too_large])) as target, AsyncClient(target) as client:
        with pytest.raises(ImageTooLargeError, match="gigapixels"):
            await client.assess_image(PICTURE)


async def test_a_deadline_is_kept():
    """A server that does not answer in time is an error of its own."""

    async def sleep(_context):
        await asyncio.sleep(30)

    async with serving(Scripted(unary=[sleep])) as target, AsyncClient(target) as client:
        with pytest.raises(AnswerTooLateError):
            await client.assess_image(PICTURE, timeout_s=0.1)


async def test_nobody_there_is_an_error_of_its_own():
    """A port without a server is said to be unreachable."""
    async with AsyncClient("127.0.0.1:1") as client:
        with pytest.raises(ServerUnreachableError):
            await client.assess_image(PICTURE, timeout_s=20)


async def test_a_failure_of_the_server_names_its_request():
    """What we have no class for keeps its code, and where the log has more."""
    fault = aborting(
        grpc.StatusCode.INTERNAL,
        "see the log",
        smart_capture_request_id="r12",
        smart_capture_error_code="MODEL",
    )
    async with serving(Scripted(unary=[fault])) as target, AsyncClient(target) as client:
        with pytest.raises(JudgementFailedError, match=r"see the log \(request r12\)") as failure:
            await client.assess_image(PICTURE)
    assert failure.value.code == "MODEL"


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)],
)
async def test_an_array_that_is_no_picture_is_refused_before_it_is_sent(picture):
    """Shape and type are checked at the door, in words."""
    async with AsyncClient("127.0.0.1:1") as client:
        with pytest.raises(InvalidFrameError, match=r"must be \(H, W\)"):
            await client.assess_image(picture)


async def test_an_array_too_long_for_a_jpeg_is_an_answer_of_its_own():
    """In words, and only for that one of many."""
    long = np.zeros((65_501, 1, 3), np.uint8)
    async with serving(Scripted(many=[in_order])) as target, AsyncClient(target) as client:
        answers = [answer async for answer in client.assess_images([long, PICTURE])]
    failed = {answer.index: answer.error for answer in answers if answer.error}
    assert list(failed) == [0]
    assert isinstance(failed[0], InvalidFrameError)
    assert "got 1x65501" in str(failed[0])


async def test_every_one_of_many_pictures_has_its_answer(tmp_path):
    """Answers come as they are done; a file that is not there is an answer too."""
    there = tmp_path / "there.jpg"
    there.write_bytes(PICTURE)
    pictures = [there, tmp_path / "missing.jpg", PICTURE, PICTURE]
    async with serving(Scripted(many=[last_first])) as target, AsyncClient(target) as client:
        answers = [answer async for answer in client.assess_images(pictures)]
    judged_in_order = [answer.index for answer in answers if answer.assessment]
    assert judged_in_order == [3, 2, 0]
    failed = {answer.index: answer.error for answer in answers if answer.error}
    assert list(failed) == [1]
    assert isinstance(failed[1], UnreadableFileError)


async def test_many_pictures_survive_a_cut():
    """Pictures that were not answered are sent again over the next stream."""

    async def cut_after_two(requests, context):
        for _ in range(2):
            yield judged(await anext(requests))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    script = Scripted(many=[cut_after_two, in_order])
    async with serving(script) as target, AsyncClient(target) as client:
        answers = [answer async for answer in client.assess_images([PICTURE] * 6)]
    assert sorted(answer.index for answer in answers) == list(range(6))
    assert script.call_count == 2


async def test_a_picture_refused_for_overload_is_sent_again():
    """A refusal that may be retried is not an answer."""

    async def busy_once(requests, _context):
        refused = False
        async for request in requests:
            if not refused:
                refused = True
                error = assessment_pb2.ImageError(
                    code="OVERLOADED", message="full", retryable=True, retry_after_ms=20
                )
                yield smart_capture_pb2.AssessImagesResponse(id=request.id, error=error)
            else:
                yield judged(request)

    async with serving(Scripted(many=[busy_once])) as target, AsyncClient(target) as client:
        answers = [answer async for answer in client.assess_images([PICTURE] * 3)]
    assert sorted(answer.index for answer in answers) == [0, 1, 2]
    assert all(answer.error is None for answer in answers)


async def test_pictures_that_end_while_the_server_is_away_end_the_stream():
    """The next stream has nothing to carry, and is not waited in for ever."""
    is_cut = asyncio.Event()

    async def judge_one_and_cut(requests, context):
        yield judged(await anext(requests))
        is_cut.set()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    async def one_picture():
        yield PICTURE
        await is_cut.wait()
        await asyncio.sleep(0.02)

    script = Scripted(many=[judge_one_and_cut, in_order])
    async with serving(script) as target, AsyncClient(target) as client, asyncio.timeout(30):
        answers = [answer async for answer in client.assess_images(one_picture())]
    assert [answer.index for answer in answers] == [0]


async def test_a_picture_put_off_goes_over_the_next_stream_once():
    """The wait that was asked for ends with its stream: nothing is judged twice."""
    heard = []

    async def put_off_and_cut(requests, context):
        request = await anext(requests)
        error = assessment_pb2.ImageError(
            code="OVERLOADED", message="full", retryable=True, retry_after_ms=300
        )
        yield smart_capture_pb2.AssessImagesResponse(id=request.id, error=error)
        await context.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    async def slowly(requests, _context):
        async for request in requests:
            heard.append(request.id)
            await asyncio.sleep(0.6)
            yield judged(request)

    script = Scripted(many=[put_off_and_cut, slowly])
    async with serving(script) as target, AsyncClient(target) as client:
        answers = [answer async for answer in client.assess_images([PICTURE])]
    assert [answer.index for answer in answers] == [0]
    assert heard == ["0"]


async def test_pictures_are_read_only_as_fast_as_they_are_judged():
    """A million files are not read ahead of a slow server."""
    read: list[int] = []

    def pictures():
        for index in range(100):
            read.append(index)
            yield PICTURE

    async with serving(Scripted(many=[in_order])) as target, AsyncClient(target) as client:
        answers = client.assess_images(pictures(), max_in_flight=3)
        await anext(answers)
        await asyncio.sleep(0.05)
        assert len(read) <= 5
        await answers.aclose()


async def test_answers_that_are_left_early_leave_no_task_behind():
    """Once they are closed nothing is read or sent any more."""
    async with serving(Scripted(many=[in_order])) as target, AsyncClient(target) as client:
        answers = client.assess_images([PICTURE] * 20, max_in_flight=1)
        await anext(answers)
        await answers.aclose()
        names = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}
        assert not {name for name in names if name.startswith("Pipeline.")}


async def test_many_pictures_and_no_server_is_an_error():
    """A pipeline that reaches nobody ends with the reason, not with silence."""
    async with AsyncClient("127.0.0.1:1", reconnect_for_s=0.1) as client:
        with pytest.raises(ServerUnreachableError):
            [answer async for answer in client.assess_images([PICTURE])]


async def test_no_pictures_have_no_answers():
    """An empty list ends at once."""
    async with serving(Scripted(many=[in_order])) as target, AsyncClient(target) as client:
        assert [answer async for answer in client.assess_images([])] == []


def judged(request):
    return smart_capture_pb2.AssessImagesResponse(
        id=request.id, assessment=assessment_to_wire(ASSESSMENT)
    )


async def in_order(requests, _context):
    async for request in requests:
        yield judged(request)


async def last_first(requests, _context):
    """Wait for three pictures and answer them from the last to the first."""
    for request in reversed([await anext(requests) for _ in range(3)]):
        yield judged(request)
    await anext(requests, None)


def serving_large(script):
    return serving(script, ("grpc.max_receive_message_length", 33 << 20))
