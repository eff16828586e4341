"""The camera session as a fold: scripted streams in, guidance out."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest

from capture.errors import SessionError
from capture.gates.stability import HintCode, MotionSource, Stability, StabilityState
from capture.gates.verdict import Verdict
from capture.measure.gyro import GyroSample
from capture.session import ConvergenceState, PreviewFrame, Session, SessionConfig
from capture.v1 import session_pb2
from tests.session.script import (
    DEFAULT,
    FRAME_MS,
    STILL_WIDTH_PX,
    WIDTH_PX,
    Camera,
    profile_with,
    scene,
)

DWELL_MS = DEFAULT.steadiness.dwell_ms


def px_for_blur(blur_px: float, exposure_time_s: float = 1 / 60) -> float:
    """Movement of a preview in one frame that blurs the still by this extent."""
    return blur_px / STILL_WIDTH_PX * WIDTH_PX / exposure_time_s * FRAME_MS / 1000


# ---- physics


@pytest.mark.parametrize("exposure_time_s", [1 / 30, 1 / 60, 1 / 250])
def test_blur_is_speed_times_exposure_time(exposure_time_s: float) -> None:
    """At the still's scale: 1 px a frame at 640 px is 187.5 px/s at 4000 px."""
    camera = Camera.with_profile(
        DEFAULT, SessionConfig(exposure_time_s=exposure_time_s, still_width_px=STILL_WIDTH_PX)
    )
    stability = camera.hold(30, (1.0, 0.0))[-1]
    assert stability.speed_px_s == pytest.approx(187.5)
    assert stability.predicted_blur_px == pytest.approx(187.5 * exposure_time_s, rel=0.01)
    assert stability.source is MotionSource.FRAMES


def test_a_preview_may_carry_a_newer_exposure_time() -> None:
    """Twice the time, twice the blur; 0 means as configured."""
    camera = Camera()
    camera.hold(20, (0.5, 0.0))
    configured = camera.frame((0.5, 0.0)).predicted_blur_px
    longer = camera.frame((0.5, 0.0), exposure_time_s=1 / 30).predicted_blur_px
    assert configured is not None
    assert longer == pytest.approx(2 * configured, rel=0.01)


def test_the_limit_is_scaled_to_the_still() -> None:
    """0.5 px at a long edge of 1000 is 2 px at 4000, and more for a portrait of that width."""
    assert Camera().frame().max_predicted_blur_px == pytest.approx(2.0)
    camera = Camera()
    camera.width_px = 480
    assert camera.frame().max_predicted_blur_px == pytest.approx(2.0)


def test_without_a_config_the_preview_stands_for_the_still() -> None:
    """Its width, and 1/60 s."""
    camera = Camera.with_profile(DEFAULT, SessionConfig())
    stability = camera.hold(20, (1.0, 0.0))[-1]
    assert stability.speed_px_s == pytest.approx(30)
    assert stability.predicted_blur_px == pytest.approx(0.5, rel=0.01)


def test_a_zero_crossing_of_tremor_is_not_ready() -> None:
    """10 Hz tremor of 3 px at its peaks: no frame of it is READY, however slow it is."""
    camera = Camera()
    peak_px = px_for_blur(3.0)
    speeds = [peak_px * math.sin(2 * math.pi * 10.2 * k / 30) for k in range(90)]
    assert not any(camera.frame((speed, 0.0)).ready for speed in speeds)


# ---- states


def test_a_stream_goes_from_unknown_to_ready() -> None:
    """Moving, settling, ready, in this order; the first frame is unknown."""
    camera = Camera()
    states = [camera.frame().state]
    states += [s.state for s in camera.hold(6, (8.0, 3.0)) + camera.hold(20)]
    order = [state for k, state in enumerate(states) if k == 0 or state is not states[k - 1]]
    assert order == [
        StabilityState.UNKNOWN,
        StabilityState.MOVING,
        StabilityState.SETTLING,
        StabilityState.READY,
    ]


def test_ready_comes_one_frame_after_the_dwell() -> None:
    """The dwell runs from the moment of rest, not from when five frames had forgotten."""
    camera = Camera()
    camera.hold(30, (9.0, 0.0))
    rested_ms = camera.now_ms
    assert camera.until_ready().captured_at_ms - rested_ms <= DWELL_MS + FRAME_MS + 1e-6


def test_ready_is_never_said_of_a_blur_above_the_limit() -> None:
    """Between the maximum and the release limit the dwell is kept, and READY is not given."""
    camera = Camera()
    camera.until_ready()
    held = camera.hold(10, (px_for_blur(2.6), 0.0))
    assert {s.state for s in held} == {StabilityState.STEADY}
    assert held[-1].calm_ms > DWELL_MS
    assert camera.hold(6)[-1].ready, "calm again: at once, the dwell was not lost"


def test_a_jolt_costs_the_dwell() -> None:
    """Above the release limit it is moving, and everything starts again."""
    camera = Camera()
    camera.until_ready()
    jolted = camera.frame((px_for_blur(20.0), 0.0))
    assert (jolted.state, jolted.calm_ms) == (StabilityState.MOVING, 0.0)
    assert not any(s.ready for s in camera.hold(8))


def test_five_frames_must_speak() -> None:
    """Even a profile without a dwell waits for a history."""
    camera = Camera.with_profile(profile_with(dwell_ms=0.0))
    states = [camera.frame().state for _ in range(7)]
    assert states.index(StabilityState.READY) == 5


def test_slow_previews_are_ready_after_a_second() -> None:
    """At 2 frames a second two intervals have to do."""
    camera = Camera()
    assert [camera.frame(after_ms=500).ready for _ in range(4)] == [False, False, True, True]


def test_nothing_to_track_is_unknown() -> None:
    """And what can be done depends on the light."""
    camera = Camera()
    camera.hold(3)
    flat, dark = camera.frame(None), camera.frame(None, mean_luma=12.0)
    assert flat.state is dark.state is StabilityState.UNKNOWN
    assert flat.predicted_blur_px is flat.speed_px_s is flat.dx_px is None
    assert (flat.source, flat.confidence, flat.inlier_count) == (MotionSource.NONE, 0.0, 0)
    assert (flat.hint_code, dark.hint_code) == (
        HintCode.NOTHING_TO_MEASURE,
        HintCode.MORE_LIGHT,
    )


def test_a_short_loss_keeps_the_dwell_and_a_long_one_does_not() -> None:
    """Somebody walks through: unknown, then ready; covered for a second: from the start."""
    camera = Camera()
    camera.until_ready()
    assert not camera.frame(None).ready
    assert camera.frame().ready
    for _ in range(30):
        camera.frame(None)
    assert camera.frame().calm_ms < DWELL_MS


@pytest.mark.parametrize("which", ["exposure_state", "focus_state"])
def test_a_searching_camera_holds_ready_back(which: str) -> None:
    """Steady, but wait; what is unspecified holds nothing back."""
    camera = Camera()
    camera.until_ready()
    waiting = camera.frame(**{which: ConvergenceState.SEARCHING})  # type: ignore[arg-type]
    assert (waiting.state, waiting.hint_code) == (
        StabilityState.STEADY,
        HintCode.WAIT_FOR_CAMERA,
    )
    assert camera.frame(**{which: ConvergenceState.CONVERGED}).ready  # type: ignore[arg-type]


# ---- shots


def test_one_thing_is_not_shot_twice() -> None:
    """After an accepted shot READY waits for another scene; small movements are none."""
    camera = Camera()
    camera.until_ready()
    camera.session, _ = camera.session.observe_still(Verdict.ACCEPT)
    spent = camera.hold(30)
    assert {s.state for s in spent} == {StabilityState.STEADY}
    assert spent[-1].hint_code is HintCode.CHANGE_SCENE
    camera.hold(5, (9.0, 0.0))
    camera.hold(5, (-9.0, 0.0))
    assert not any(s.ready for s in camera.hold(20)), "there and back is the same scene"


def test_a_pan_arms_again() -> None:
    """A quarter of the picture has left: another scene."""
    camera = Camera()
    camera.until_ready()
    camera.session, _ = camera.session.observe_still(Verdict.ACCEPT)
    camera.hold(10, (20.0, 0.0))
    assert camera.until_ready().ready


def test_a_new_thing_before_the_lens_arms_again() -> None:
    """The camera stands on a tripod and the next page is laid down."""
    camera = Camera()
    camera.until_ready()
    camera.session, _ = camera.session.observe_still(Verdict.ACCEPT)
    assert not camera.frame().ready
    camera.thumbnail = scene(seed=9)
    assert camera.until_ready().ready


def test_a_refused_shot_leaves_the_scene_armed() -> None:
    """It is to be taken again."""
    camera = Camera()
    camera.until_ready()
    camera.session, outcome = camera.session.observe_still(Verdict.RETAKE)
    assert (outcome.taken_anyway, outcome.retake_count) == (False, 1)
    stability = camera.frame()
    assert stability.ready
    assert stability.retake_count == 1


def test_after_so_many_refusals_a_shot_is_taken_anyway() -> None:
    """Three retakes, and the fourth refused shot is kept and flagged."""
    session = Session.start(SessionConfig(), profile_with(max_retakes=3))
    outcomes = []
    for verdict in (Verdict.RETAKE, Verdict.CANNOT_ASSESS, Verdict.RETAKE, Verdict.RETAKE):
        session, outcome = session.observe_still(verdict)
        outcomes.append((outcome.taken_anyway, outcome.retake_count))
    assert outcomes == [(False, 1), (False, 2), (False, 3), (True, 4)]
    assert session.retake_count == 0


def test_an_accepted_shot_forgets_the_refusals() -> None:
    """And a still that could not be judged changes nothing."""
    session = Session.start(SessionConfig(), DEFAULT)
    session, _ = session.observe_still(Verdict.RETAKE)
    session, unjudged = session.observe_still(None)
    assert (unjudged.taken_anyway, unjudged.retake_count) == (False, 1)
    session, accepted = session.observe_still(Verdict.ACCEPT)
    assert (accepted.retake_count, session.retake_count) == (0, 0)


def test_the_best_preview_is_sharp_and_steady() -> None:
    """The sharpest may have moved, the steadiest may be soft."""
    camera = Camera()
    camera.hold(10)
    camera.frame((0.0, 0.0), sharpness=80.0)
    best = camera.frame((0.0, 0.0), sharpness=140.0)
    camera.frame((6.0, 0.0), sharpness=150.0)
    assert camera.frame().best_preview_id == best.preview_id
    camera.hold(40)
    assert camera.frame().best_preview_id != best.preview_id, "a second later it has left"


# ---- the field


def test_a_late_frame_changes_nothing() -> None:
    """It is answered with what was said last, under its own id."""
    camera = Camera()
    ready = camera.until_ready()
    late = camera.send(PreviewFrame(ready.preview_id - 1, camera.now_ms - 20), (50.0, 0.0))
    assert (late.preview_id, late.state, late.dx_px) == (
        ready.preview_id - 1,
        StabilityState.READY,
        None,
    )
    assert camera.frame().ready


def test_a_duplicate_changes_nothing() -> None:
    """No speed is an image's movement over no time."""
    camera = Camera()
    camera.until_ready()
    again = camera.send(PreviewFrame(camera.next_id - 1, camera.now_ms), (0.4, 0.0))
    assert again.ready
    assert again.predicted_blur_px is not None
    assert math.isfinite(again.predicted_blur_px)


@pytest.mark.parametrize(
    "back_ms", [[0] * 6, [40] * 6, [40, 60, 80, 100], [60, 40, 0, 0, 0]], ids=str
)
def test_late_frames_that_do_not_rise_are_no_clock_set_back(back_ms: list[float]) -> None:
    """The same frame many times, or several in reverse: the next one is READY as before."""
    camera = Camera()
    camera.until_ready()
    for back in back_ms:
        camera.send(PreviewFrame(camera.next_id - 1, camera.now_ms - back), (9.0, 0.0))
    assert camera.frame().ready


@pytest.mark.parametrize("jump_ms", [-500.0, -1e7])
def test_a_clock_that_is_set_back_is_followed(jump_ms: float) -> None:
    """After two late frames it is the clock that is late."""
    camera = Camera()
    camera.until_ready()
    camera.now_ms += jump_ms
    answers = camera.hold(20)
    assert answers[-1].ready
    assert answers[-1].calm_ms < 3000


@pytest.mark.parametrize("jump_ms", [900.0, 20_000.0, 1e9])
def test_a_clock_that_leaps_ahead_is_followed(jump_ms: float) -> None:
    """Nothing breaks, and READY comes back within the history and the dwell."""
    camera = Camera()
    camera.until_ready()
    camera.now_ms += jump_ms
    assert camera.hold(20)[-1].ready


def test_a_stall_forgets_the_movement_and_keeps_the_dwell_of_a_held_camera() -> None:
    """After 20 s the picture is the same: five frames, not the whole dwell again."""
    camera = Camera()
    camera.until_ready()
    camera.session, _ = camera.session.observe_still(Verdict.RETAKE)
    calm_ms = camera.frame().calm_ms
    first = camera.frame(after_ms=20_000)
    assert (first.state, first.calm_ms, first.retake_count) == (
        StabilityState.UNKNOWN,
        calm_ms,
        1,
    )
    assert [s.ready for s in camera.hold(5)] == [False] * 4 + [True]


def test_a_stall_with_another_picture_starts_from_nothing() -> None:
    """Nobody knows what happened in between."""
    camera = Camera()
    camera.until_ready()
    assert camera.frame((40.0, 0.0), after_ms=20_000).calm_ms == 0
    camera.until_ready()
    assert camera.frame(None, after_ms=20_000).calm_ms == 0


def test_a_change_of_size_is_one_unknown_frame() -> None:
    """The stream goes on; speeds are in widths, so the history stands."""
    camera = Camera()
    camera.until_ready()
    camera.width_px = 1280
    changed = camera.frame()
    assert (changed.state, changed.dx_px) == (StabilityState.UNKNOWN, None)
    assert camera.frame().ready


def test_a_time_that_is_not_a_number_is_refused() -> None:
    """And the session goes on."""
    for bad in (math.nan, math.inf):
        with pytest.raises(SessionError, match="captured_at_ms"):
            PreviewFrame(1, bad)
        with pytest.raises(SessionError, match="exposure_time_s"):
            PreviewFrame(1, 0.0, exposure_time_s=bad)
    with pytest.raises(SessionError, match="exposure_time_s"):
        PreviewFrame(1, 0.0, exposure_time_s=-1.0)


@pytest.mark.parametrize(
    "name", ["exposure_time_s", "still_width_px", "focal_length_px", "rolling_shutter_ms"]
)
def test_a_configuration_that_makes_no_sense_is_refused(name: str) -> None:
    """By the name of what is wrong."""
    with pytest.raises(SessionError, match=name):
        SessionConfig(**{name: -1})  # type: ignore[arg-type]
    if name != "still_width_px":
        with pytest.raises(SessionError, match=name):
            SessionConfig(**{name: 1e300})  # type: ignore[arg-type]


# ---- gyroscope


def turning(camera: Camera, rate: tuple[float, float, float], *, see: bool) -> Stability:
    """Turn for a second; the frames agree or see nothing."""
    focal_px = 3200 / STILL_WIDTH_PX * WIDTH_PX
    shift_px = (-focal_px * rate[1] * FRAME_MS / 1000, focal_px * rate[0] * FRAME_MS / 1000)
    return [camera.gyro_frame(rate, shift_px if see else None) for _ in range(30)][-1]


@pytest.mark.parametrize("see", [True, False], ids=["with frames", "in the dark"])
def test_blur_from_the_gyroscope_is_angle_times_focal_length(see: bool) -> None:
    """0.05 rad/s at 3200 px and 1/60 s: 2.67 px."""
    stability = turning(Camera(), (0.03, 0.04, 0.0), see=see)
    assert stability.source is (MotionSource.FUSED if see else MotionSource.GYRO)
    assert stability.speed_px_s == pytest.approx(160, rel=0.02)
    assert stability.predicted_blur_px == pytest.approx(160 / 60, rel=0.05)
    assert stability.confidence > 0.6


def test_the_bias_of_a_gyroscope_does_not_move_a_tripod() -> None:
    """It never reads zero; the frames say what zero is."""
    camera = Camera()
    rng = np.random.default_rng(4)
    stability = camera.frame()
    for _ in range(60):
        noise = 0.002 * rng.standard_normal(3)
        stability = camera.gyro_frame((0.02 + noise[0], -0.03 + noise[1], noise[2]))
    assert stability.source is MotionSource.FUSED
    assert stability.ready
    assert stability.predicted_blur_px is not None
    assert stability.predicted_blur_px < 0.3


def test_a_gap_in_the_gyroscope_falls_back_to_the_frames() -> None:
    """And says so."""
    camera = Camera()
    assert turning(camera, (0.0, 0.01, 0.0), see=True).source is MotionSource.FUSED
    assert camera.hold(4)[-1].source is MotionSource.FRAMES
    assert turning(camera, (0.0, 0.01, 0.0), see=True).source is MotionSource.FUSED


def test_samples_that_follow_their_frame_are_used() -> None:
    """Some clients send the frame first: a frame late is not a gap."""
    camera = Camera()
    for _ in range(30):
        stability = camera.frame((0.0, 0.0))
        times_ms = np.arange(camera.now_ms - FRAME_MS + 5, camera.now_ms + 2, 5.0)
        camera.turn(GyroSample(float(t), 0.0, 0.0, 0.0) for t in times_ms)
    assert stability.source is MotionSource.FUSED
    assert stability.ready


def test_without_a_focal_length_the_gyroscope_is_not_used() -> None:
    """An angle is no pixel."""
    camera = Camera.with_profile(DEFAULT, SessionConfig(still_width_px=STILL_WIDTH_PX))
    assert turning(camera, (0.0, 0.01, 0.0), see=True).source is MotionSource.FRAMES


def test_a_sideways_movement_counts_though_no_gyroscope_sees_it() -> None:
    """Close to a page the camera shifts without turning."""
    camera = Camera()
    stability = [camera.gyro_frame((0.0, 0.0, 0.0), (3.0, 0.0)) for _ in range(20)][-1]
    assert stability.state is StabilityState.MOVING
    assert stability.predicted_blur_px == pytest.approx(3 * 187.5 / 60, rel=0.05)


def test_samples_before_frames_and_without_frames_do_no_harm() -> None:
    """They wait for a frame; their number is bounded."""
    camera = Camera()
    camera.turn(GyroSample(float(t), 0.0, 0.0, 0.0) for t in range(0, 400_000, 20))
    assert camera.until_ready().ready


def test_samples_sent_ahead_of_the_frames_are_used_in_their_time() -> None:
    """A client may send a second's worth at once: the future does not leak into a frame."""
    camera = Camera()
    times_ms = np.arange(camera.now_ms, camera.now_ms + 2000, 5.0)
    camera.turn(
        GyroSample(float(t), 0.0, 0.0 if t < camera.now_ms + 1000 else 1.0, 0.0) for t in times_ms
    )
    calm = [camera.frame() for _ in range(25)]
    assert calm[-1].ready
    assert calm[-1].source is MotionSource.FUSED
    moving = [camera.frame((-17.0, 0.0)) for _ in range(10)]
    assert moving[-1].state is StabilityState.MOVING


@pytest.mark.parametrize("exposure_time_s", [1e-6, 1 / 60, 0.5, 3600.0])
def test_any_exposure_time_has_a_prediction(exposure_time_s: float) -> None:
    """In no more time than any other: an hour is not foretold in steps of 5 ms."""
    config = SessionConfig(
        exposure_time_s=exposure_time_s, still_width_px=STILL_WIDTH_PX, focal_length_px=3200
    )
    stability = turning(Camera.with_profile(DEFAULT, config), (0.0, 0.05, 0.0), see=True)
    assert stability.predicted_blur_px == pytest.approx(160 * exposure_time_s, rel=0.1)


# ---- the wire


def test_stability_mirrors_the_wire() -> None:
    """Field by field, name by name."""
    message = session_pb2.StabilityUpdate.DESCRIPTOR
    assert {f.name for f in fields(Stability)} == {f.name for f in message.fields}


def test_config_mirrors_the_wire() -> None:
    """Field by field, name by name."""
    message = session_pb2.SessionConfig.DESCRIPTOR
    assert {f.name for f in fields(SessionConfig)} == {f.name for f in message.fields}
