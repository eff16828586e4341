"""The blocking client against the real server, in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import cv2
import pytest

from capture.client import Client, InputRefused, SessionStarted, StillJudged
from capture.demo.samples import DemoSamples, load_samples
from capture.demo.server_process import server_process
from capture.errors import ProfileError, SessionError, TruncatedImageError
from capture.gates.stability import StabilityState
from tests.client.scripted import Scripted, serving
from tests.client.test_aio import PICTURE, in_order


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with server_process() as target, Client(target) as client:
        yield client


@pytest.fixture(scope="module")
def samples() -> DemoSamples:
    return load_samples()


def test_one_picture_is_judged_and_named(client, samples):
    """A file, its bytes and its pixels are judged alike; an accepted one has labels."""
    good = samples.stills[0]
    by_path = client.assess_image(good.file)
    by_bytes = client.assess_image(good.file.read_bytes(), max_label_count=2)
    assert by_path.verdict is good.verdict
    assert by_path.measures == by_bytes.measures
    assert by_bytes.prediction is not None
    assert by_bytes.prediction.labels[0].label == good.label
    assert len(by_bytes.prediction.labels) == 2
    pixels = client.assess_image(cv2.imread(str(good.file)), classify=False)
    assert pixels.verdict is good.verdict
    assert pixels.prediction is None


def test_many_pictures_are_judged_over_one_stream(client, samples):
    """Every picture has its answer, a broken one too."""
    pictures = [still.file for still in samples.stills] * 2 + [b"no picture"]
    answers = {answer.index: answer for answer in client.assess_images(pictures, classify=False)}
    assert sorted(answers) == list(range(len(pictures)))
    for index, still in enumerate(samples.stills * 2):
        assessment = answers[index].assessment
        assert assessment is not None
        assert assessment.verdict is still.verdict
    assert answers[len(pictures) - 1].error is not None


def test_an_iterator_that_is_left_early_leaves_the_client_usable(client, samples):
    """Breaking out of the answers ends their stream and nothing else."""
    for answer in client.assess_images([samples.stills[5].file] * 20, classify=False):
        assert answer.assessment is not None
        break
    assert client.assess_image(samples.stills[5].file).verdict is samples.stills[5].verdict


def test_errors_are_the_classes_of_this_package(client, samples):
    """A broken file and an unknown profile are told apart by class."""
    with pytest.raises(TruncatedImageError):
        client.assess_image(samples.stills[0].file.read_bytes()[:20_000])
    with pytest.raises(ProfileError, match="there are"):
        client.assess_image(samples.stills[0].file, profile="none such")


def test_a_camera_is_guided_and_its_shot_judged(client, samples):
    """The loop of a camera program: preview, guidance, and a shot at READY."""
    states = []
    with client.session(
        exposure_time_s=samples.exposure_time_s, still_width_px=samples.still_width_px
    ) as session:
        for frame in samples.frames:
            guidance = session.judge_preview(frame.file, captured_at_ms=frame.captured_at_ms)
            assert guidance is not None
            states.append(guidance.state)
            if guidance.ready:
                break
        shot = session.judge_still(samples.stills[0].file)
        assert session.token
    assert StabilityState.MOVING in states
    assert states[-1] is StabilityState.READY
    assert shot.assessment.verdict is samples.stills[0].verdict
    assert shot.retake_count == 0


def test_the_gyroscope_brings_ready_sooner(client, samples):
    """With motion samples and a focal length, READY comes no later than from frames alone."""
    ready_at_ms = {}
    for focal_length_px in (0.0, samples.focal_length_px):
        with client.session(
            exposure_time_s=samples.exposure_time_s,
            still_width_px=samples.still_width_px,
            focal_length_px=focal_length_px,
        ) as session:
            if focal_length_px:
                session.send_motion(samples.gyro)
            for frame in samples.frames:
                guidance = session.judge_preview(frame.file, captured_at_ms=frame.captured_at_ms)
                assert guidance is not None
                if guidance.ready:
                    ready_at_ms[focal_length_px] = frame.captured_at_ms
                    break
    assert samples.ready_after_ms <= ready_at_ms[samples.focal_length_px] <= ready_at_ms[0.0]


def test_events_come_to_who_only_sends(client, samples):
    """Without waiting, everything comes as an event; the end of the block ends them."""
    with client.session() as session:
        session.send_preview(b"no picture")
        session.send_still(samples.stills[5].file)
    events = list(session.events())
    assert isinstance(events[0], SessionStarted)
    assert {type(event) for event in events[1:]} == {InputRefused, StillJudged}
    with pytest.raises(SessionError):
        session.send_still(samples.stills[5].file)


def test_a_client_outside_its_block_says_so():
    """Before it and after it, in place of waiting for an answer for ever."""
    client = Client("127.0.0.1:1")
    for _ in range(2):
        for call in (client.assess_image, lambda _: list(client.assess_images([PICTURE]))):
            with pytest.raises(RuntimeError, match="use the client as a with block"):
                call(PICTURE)
        with client:
            pass


async def test_answers_that_are_left_behind_end_with_the_client():
    """Whoever holds on to them afterwards can still let go of them."""

    def take_one(target: str) -> None:
        with Client(target) as client:
            answers = client.assess_images([PICTURE] * 3)
            next(answers)
        answers.close()

    async with serving(Scripted(many=[in_order])) as target:
        await asyncio.to_thread(take_one, target)
