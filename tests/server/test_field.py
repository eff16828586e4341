"""What cameras do in the field, over a real connection: the session survives it and says so.

Frames go one at a time, each answered before the next, so that nothing is skipped. They are
those of the demo's burst, in which a hand shakes and comes to rest.

Elsewhere: a reconnect in mid-dwell, a session that is taken over, and an unknown token are in
`test_capture`; that a session is forgotten after a minute is in `test_resume`; frames without
a usable time, motion samples that are no numbers, and a stream with all of this at once are
in `test_capture` too.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from itertools import cycle, groupby, islice
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from capture.measure.gyro import MAX_SAMPLE_COUNT
from capture.v1 import assessment_pb2, session_pb2
from tests.server.cameras import Camera
from tests.server.conftest import SAMPLES

if TYPE_CHECKING:
    from capture.v1.smart_capture_pb2_grpc import SmartCaptureAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = session_pb2.STABILITY_STATE_UNKNOWN
MOVING = session_pb2.STABILITY_STATE_MOVING
SETTLING = session_pb2.STABILITY_STATE_SETTLING
READY = session_pb2.STABILITY_STATE_READY

NO_SOURCE = session_pb2.MOTION_SOURCE_UNSPECIFIED
FRAMES = session_pb2.MOTION_SOURCE_FRAMES
FUSED = session_pb2.MOTION_SOURCE_FUSED

FRAME_MS = 100 / 3
DWELL_MS = 300.0
HISTORY_COUNT = 5
FIRST_STEADY = 55
Update = session_pb2.StabilityUpdate


class Phone:
    """A camera with a clock, whose previews are answered one by one."""

    def __init__(self, camera: Camera, burst: Sequence[bytes]) -> None:
        self.camera = camera
        self.now_ms = 0.0
        self.number = 0
        self.shaking = burst[:30]
        steady = burst[FIRST_STEADY:]
        # To and fro, so that the last frame is followed by one like it.
        self.steady = cycle([*steady, *steady[-2:0:-1]])

    async def preview(
        self, frame: bytes, *, after_ms: float = FRAME_MS, number: int | None = None
    ) -> Update:
        """Send a frame so long after the one before; the next message is its answer."""
        self.now_ms += after_ms
        if number is None:
            self.number += 1
            number = self.number
        await self.camera.preview(number, frame, captured_at_ms=self.now_ms)
        response = await self.camera.receive()
        assert response.WhichOneof("message") == "stability", response
        assert response.stability.preview_id == number
        assert response.stability.captured_at_ms == self.now_ms
        return response.stability

    async def film(self, frames: Iterable[bytes]) -> list[Update]:
        """Send frames at 30 a second."""
        return [await self.preview(frame) for frame in frames]

    async def hold(self, frame_count: int, *, with_gyro: bool = False) -> list[Update]:
        """Keep the camera still, with a gyroscope that agrees or without one."""
        answers = []
        for frame in islice(self.steady, frame_count):
            if with_gyro:
                await self.turn(np.linspace(self.now_ms, self.now_ms + FRAME_MS, 8))
            answers.append(await self.preview(frame))
        return answers

    async def until_ready(self, *, with_gyro: bool = False) -> Update:
        """Keep the camera still until the session says to shoot."""
        answers = await self.hold(20, with_gyro=with_gyro)
        assert answers[-1].state == READY
        return answers[-1]

    async def turn(self, times_ms: Iterable[float]) -> None:
        """Send samples of a gyroscope that does not turn."""
        samples = [session_pb2.MotionSample(captured_at_ms=at_ms) for at_ms in times_ms]
        await self.camera.send(motion=session_pb2.MotionSamples(samples=samples))


async def phone(
    stub: SmartCaptureAsyncStub, burst: Sequence[bytes], resume_token: str = ""
) -> Phone:
    """Open a session with what the demo's camera says of itself."""
    camera = Camera(stub)
    await camera.open(
        still_width_px=1440,
        exposure_time_s=1 / 30,
        focal_length_px=1400.0,
        resume_token=resume_token,
    )
    return Phone(camera, burst)


def without_motion(update: Update) -> Update:
    """Return an answer without what names or measures its own frame."""
    kept = Update()
    kept.CopyFrom(update)
    for name in ("preview_id", "captured_at_ms", "dx_px", "dy_px", "inlier_count"):
        kept.ClearField(name)
    return kept


def assert_knows_nothing(update: Update) -> None:
    """Nothing is known of the movement, and nothing is made up."""
    assert (update.state, update.ready, update.source) == (UNKNOWN, False, NO_SOURCE)
    assert update.confidence == 0
    for name in ("predicted_blur_px", "speed_px_s", "dx_px", "dy_px"):
        assert not update.HasField(name), name


def larger(frame: bytes) -> bytes:
    """Return the frame at one and a half times its size."""
    picture = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR)
    return bytes(cv2.imencode(".jpg", cv2.resize(picture, None, fx=1.5, fy=1.5))[1])


def upright(frame: bytes) -> bytes:
    """Return the frame as of a camera that was turned to portrait."""
    picture = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR)
    return bytes(cv2.imencode(".jpg", cv2.rotate(picture, cv2.ROTATE_90_CLOCKWISE))[1])


def elsewhere(frame: bytes) -> bytes:
    """Return what a camera would see that points at something else."""
    picture = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR)
    return bytes(cv2.imencode(".jpg", picture[::-1, ::-1])[1])


# ---- order


@pytest.mark.parametrize("frames_late", [(1.6, 0.8), (1, 2, 3)], ids=["overtaken", "reversed"])
async def test_late_frames_repeat_what_was_said_last_and_disturb_nothing(
    stub: SmartCaptureAsyncStub, burst: list[bytes], frames_late: Sequence[float]
) -> None:
    """Some after every eighth frame: the answers to all others stay the same."""
    in_order = await phone(stub, burst)
    undisturbed = await in_order.film(burst)
    disordered = await phone(stub, burst)
    answers = []
    for number, frame in enumerate(burst):
        answers.append(await disordered.preview(frame))
        if number % 8 == 7:
            for frame_count in frames_late:
                camera_ms = disordered.now_ms
                late = await disordered.preview(
                    burst[number - 3], after_ms=-frame_count * FRAME_MS, number=500
                )
                disordered.now_ms = camera_ms
                assert without_motion(late) == without_motion(answers[-1])
                assert not late.HasField("dx_px")
                assert late.inlier_count == 0
    assert answers == undisturbed
    assert answers[-1].state == READY


@pytest.mark.parametrize("times", [1, 5])
async def test_duplicated_frames_disturb_nothing(
    stub: SmartCaptureAsyncStub, burst: list[bytes], times: int
) -> None:
    """However often a frame comes: it is no movement over no time, and no clock set back."""
    once = await phone(stub, burst)
    undisturbed = await once.film(burst[30:60])
    stuttering = await phone(stub, burst)
    answers = []
    for frame in burst[30:60]:
        answers.append(await stuttering.preview(frame))
        for _ in range(times):
            again = await stuttering.preview(frame, after_ms=0, number=stuttering.number)
            assert without_motion(again) == without_motion(answers[-1])
    assert answers == undisturbed
    assert answers[-1].state == READY


# ---- clocks


@pytest.mark.parametrize("with_gyro", [False, True], ids=["frames", "fused"])
@pytest.mark.parametrize("jump_ms", [2e4, 1e9, -2e4, -1e9])
async def test_a_clock_that_jumps_is_followed(
    stub: SmartCaptureAsyncStub, burst: list[bytes], jump_ms: float, with_gyro: bool
) -> None:
    """At the jump nothing is known; READY comes back as soon as five frames say so."""
    camera = await phone(stub, burst)
    await camera.until_ready(with_gyro=with_gyro)
    assert_knows_nothing(await camera.preview(next(camera.steady), after_ms=jump_ms))
    answers = await camera.hold(HISTORY_COUNT, with_gyro=with_gyro)
    assert [a.ready for a in answers] == [False] * (HISTORY_COUNT - 1) + [True]
    assert {a.source for a in answers} == {FUSED if with_gyro else FRAMES}


async def test_a_clock_that_is_set_back_a_little_is_followed(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """Two frames could be late; the third in succession says that it is the clock."""
    camera = await phone(stub, burst)
    before = await camera.until_ready()
    camera.now_ms -= 500
    late = await camera.hold(2)
    assert [without_motion(a) for a in late] == [without_motion(before)] * 2
    assert_knows_nothing((await camera.hold(1))[0])
    assert [a.ready for a in await camera.hold(5)] == [False] * 4 + [True]


# ---- pictures


@pytest.mark.parametrize("change", [larger, upright], ids=["larger", "portrait"])
async def test_a_change_of_size_is_one_unknown_frame(
    stub: SmartCaptureAsyncStub, burst: list[bytes], change: object
) -> None:
    """There and back: no movement is made up between two sizes, and the dwell is kept."""
    assert callable(change)
    camera = await phone(stub, burst)
    calm_ms = (await camera.until_ready()).calm_ms
    for frames in (list(map(change, burst[60:63])), burst[60:63]):
        changed, *after = await camera.film(frames)
        assert_knows_nothing(changed)
        assert changed.calm_ms == calm_ms
        assert [a.state for a in after] == [READY, READY]
        assert all(a.HasField("dx_px") for a in after)
        calm_ms = after[-1].calm_ms


# ---- gyroscope


async def test_a_gap_in_the_gyroscope_falls_back_to_the_frames(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """It is said, the dwell is not lost over it, and after it both speak again."""
    camera = await phone(stub, burst)
    await camera.until_ready(with_gyro=True)
    answers = []
    for with_gyro in (True, False, True, False, True):
        answers += await camera.hold(8, with_gyro=with_gyro)
    assert [source for source, _ in groupby(a.source for a in answers)] == [
        FUSED,
        FRAMES,
        FUSED,
        FRAMES,
        FUSED,
    ]
    assert {a.state for a in answers} == {READY}


@pytest.mark.parametrize("hidden_count", [MAX_SAMPLE_COUNT // 2, 2 * MAX_SAMPLE_COUNT])
async def test_a_gyroscope_without_frames_is_listened_to_within_bounds(
    stub: SmartCaptureAsyncStub, burst: list[bytes], hidden_count: int
) -> None:
    """No word is said of it. So much is kept and no more: the oldest samples are forgotten."""
    camera = await phone(stub, burst)
    await camera.turn(np.arange(-50.0, 200.0, 5.0))
    later_ms = 200 + 5.0 * np.arange(hidden_count)
    for batch in np.array_split(later_ms, 16):
        await camera.turn(batch)
    first, *answers = await camera.hold(4)
    assert_knows_nothing(first)
    is_kept = hidden_count < MAX_SAMPLE_COUNT
    assert {a.source for a in answers} == {FUSED if is_kept else FRAMES}
    assert await camera.camera.finish() == []


async def test_frames_without_a_gyroscope_are_enough(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """A focal length promises no gyroscope: the frames speak, from shaking to READY."""
    camera = await phone(stub, burst)
    first, *answers = await camera.film(burst)
    assert_knows_nothing(first)
    assert {a.source for a in answers} == {FRAMES}
    assert answers[0].state == MOVING
    assert answers[-1].state == READY


async def test_the_gyroscope_of_the_demo_agrees_with_its_frames(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """All of it sent ahead: both speak, no frame of the shaking hand is READY, the last is."""
    camera = await phone(stub, burst)
    with (SAMPLES / "burst" / "gyro.csv").open() as file:
        samples = [
            session_pb2.MotionSample(
                captured_at_ms=float(row["timestamp_ms"]),
                x_rad_s=float(row["x_rad_s"]),
                y_rad_s=float(row["y_rad_s"]),
                z_rad_s=float(row["z_rad_s"]),
            )
            for row in csv.DictReader(file)
        ]
    await camera.camera.send(motion=session_pb2.MotionSamples(samples=samples))
    camera.now_ms = -FRAME_MS
    _, *answers = await camera.film(burst)
    assert {a.source for a in answers} == {FUSED}
    assert not any(a.ready for a in answers[:30])
    assert answers[-1].state == READY


# ---- pauses


async def test_after_a_stall_a_held_camera_keeps_its_dwell(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """The picture is the same after 20 s: READY waits for five frames, not for the dwell."""
    camera = await phone(stub, burst)
    calm_ms = (await camera.until_ready()).calm_ms
    first = await camera.preview(next(camera.steady), after_ms=20_000)
    assert_knows_nothing(first)
    assert first.calm_ms == calm_ms
    answers = await camera.hold(HISTORY_COUNT)
    assert [a.state for a in answers] == [SETTLING] * (HISTORY_COUNT - 1) + [READY]


async def test_after_a_stall_another_picture_starts_from_nothing(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """Nobody knows what happened in 20 s: the whole dwell runs again."""
    camera = await phone(stub, burst)
    await camera.until_ready()
    camera.steady = cycle(map(elsewhere, burst[FIRST_STEADY : FIRST_STEADY + 20]))
    first = await camera.preview(next(camera.steady), after_ms=20_000)
    assert_knows_nothing(first)
    assert first.calm_ms == 0
    answers = await camera.hold(12)
    assert all(a.ready == (a.calm_ms >= DWELL_MS) for a in answers)
    assert answers[0].state == SETTLING
    assert answers[-1].state == READY


async def test_after_a_stall_a_hand_that_shakes_is_not_ready(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """A dwell from before it is lost with the first frames that move."""
    camera = await phone(stub, burst)
    await camera.until_ready()
    camera.now_ms += 20_000
    answers = await camera.film(camera.shaking)
    assert not any(a.ready for a in answers)
    assert answers[-1].calm_ms == 0


async def test_a_shot_right_after_a_stall_is_of_what_is_seen_now(
    stub: SmartCaptureAsyncStub, burst: list[bytes], good: bytes
) -> None:
    """The scene before the stall is not taken for the one just shot: nothing is shot twice."""
    camera = await phone(stub, burst)
    await camera.until_ready()
    camera.steady = cycle(map(elsewhere, burst[FIRST_STEADY : FIRST_STEADY + 20]))
    await camera.preview(next(camera.steady), after_ms=20_000)
    await camera.camera.still(1, good)
    shot = await camera.camera.receive_one("still")
    assert shot.assessment.verdict == assessment_pb2.VERDICT_ACCEPT
    answers = await camera.hold(15)
    assert answers[-1].hint_code == session_pb2.HINT_CODE_CHANGE_SCENE
    assert not any(a.ready for a in answers)


async def test_a_session_that_comes_back_after_seconds_goes_on(
    stub: SmartCaptureAsyncStub, burst: list[bytes]
) -> None:
    """Under its token: the dwell and the retakes are kept, and five frames must speak first."""
    camera = await phone(stub, burst)
    calm_ms = (await camera.until_ready()).calm_ms
    dark = (SAMPLES / "dark.jpg").read_bytes()
    await camera.camera.still(1, dark)
    result = await camera.camera.receive_one("still")
    assert result.assessment.verdict != assessment_pb2.VERDICT_ACCEPT
    assert result.retake_count == 1
    camera.camera.call.cancel()

    again = await phone(stub, burst, resume_token=camera.camera.token)
    assert again.camera.token == camera.camera.token
    again.now_ms = camera.now_ms + 8000
    again.steady = camera.steady
    first, *answers = await again.hold(1 + HISTORY_COUNT)
    assert_knows_nothing(first)
    assert (first.calm_ms, first.retake_count) == (calm_ms, 1)
    assert [a.ready for a in answers] == [False] * (HISTORY_COUNT - 1) + [True]
    await again.camera.still(2, dark)
    assert (await again.camera.receive_one("still")).retake_count == 2
