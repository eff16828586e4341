"""What a session remembers, as bytes and back."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.gates.profile import load_profile
from capture.gates.verdict import Verdict
from capture.measure.gyro import MAX_SAMPLE_COUNT, GyroSample
from capture.measure.motion import measure_preview
from capture.server.session_state import (
    MAX_STATE_BYTES,
    UnreadableStateError,
    session_from,
    state_of,
)
from capture.session import PreviewFrame, Session, SessionConfig
from capture.session.frame_clock import FrameClock

PROFILE = load_profile("default")
CONFIG = SessionConfig(still_width_px=1440, exposure_time_s=1 / 30, focal_length_px=1400.0)
NEW = Session.start(CONFIG, PROFILE)
FRAME_MS = 100 / 3


def seen(session: Session, frame: bytes, number: int) -> Session:
    """Show a session one more preview, with the samples of a gyroscope."""
    at_ms = FRAME_MS * number
    session = session.with_motion_samples(
        GyroSample(time_ms, 0.01, -0.02, 0.003) for time_ms in np.arange(at_ms - 30, at_ms, 5.0)
    )
    luma = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_GRAYSCALE)
    measures = measure_preview(np.asarray(luma, np.uint8), session.previous_plane)
    return session.observe_preview(PreviewFrame(number + 1, at_ms), measures)[0]


@pytest.fixture(scope="module")
def session(burst: list[bytes]) -> Session:
    """A session in the middle of it: steady, one shot refused, another kept, a late frame."""
    session = NEW
    for number, frame in enumerate(burst[50:70]):
        session = seen(session, frame, number)
    for verdict in (Verdict.ACCEPT, Verdict.RETAKE):
        session = session.observe_still(verdict)[0]
    return seen(session, burst[50], 10)


def test_the_demo_fills_every_field(session: Session) -> None:
    """So that the tests below compare all of them."""
    empty = {f.name for f in fields(session) if getattr(session, f.name) in (None, (), 0)}
    assert empty == set()
    assert session._clock.late_ms


def test_a_session_goes_on_as_if_nothing_had_happened(session: Session, burst: list[bytes]) -> None:
    """Every answer to the frames that follow is the same, to the last digit."""
    again = session_from(state_of(session), CONFIG, PROFILE)
    assert state_of(again) == state_of(session)
    for number, frame in enumerate(burst[60:70], start=20):
        session, again = seen(session, frame, number), seen(again, frame, number)
        assert again.last == session.last
    assert again.last is not None
    assert again.last.retake_count == 1


def test_limits_and_configuration_are_those_of_the_stream_that_goes_on(session: Session) -> None:
    """They come with it; what was known of the camera before is not used."""
    strict, wide = load_profile("strict"), replace(CONFIG, still_width_px=4000)
    again = session_from(state_of(session), wide, strict)
    assert (again.config, again.profile) == (wide, strict)
    assert b"max_retakes" not in state_of(session)


def test_a_state_is_small(session: Session) -> None:
    """Most of it is the last small plane; as many samples as are ever kept fit in too."""
    assert len(state_of(NEW)) < 1000
    assert len(state_of(session)) < 150_000
    samples = (GyroSample(time_ms, 0.1, 0.2, 0.3) for time_ms in range(MAX_SAMPLE_COUNT + 10))
    full = session.with_motion_samples(samples)
    assert len(state_of(full)) < MAX_STATE_BYTES
    assert state_of(session_from(state_of(full), CONFIG, PROFILE)) == state_of(full)


def test_nothing_unpickles(session: Session) -> None:
    """A state is JSON, and arrays in it are numbers and no objects."""
    state = json.loads(state_of(session).partition(b"\n")[0])["state"]
    assert state["_gyro"]["times_ms"].keys() == {"shape"}


def test_arrays_are_all_there_and_nothing_else(session: Session) -> None:
    """A state that was cut short, or that has more behind it, is none."""
    state = state_of(session)
    for other in (state[:-1], state + b"\0", state.partition(b"\n")[0]):
        with pytest.raises(UnreadableStateError):
            session_from(other, CONFIG, PROFILE)


def damaged(path: str, value: Any) -> bytes:
    """Return the state of a new session with one value replaced."""
    text, _, arrays = state_of(NEW).partition(b"\n")
    document = json.loads(text)
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place[name]
    place[last] = value
    return json.dumps(document).encode() + b"\n" + arrays


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", 1),
        ("version", "2"),
        ("more", 1),
        ("state", []),
        ("state.more", 1),
        ("state.retake_count", "1"),
        ("state.retake_count", 1.5),
        ("state.retake_count", True),
        ("state.retake_count", None),
        ("state.last", {}),
        ("state._clock.late_ms", 3),
        ("state._clock.late_ms", ["a"]),
        ("state._steadiness.state", "NOWHERE"),
        ("state._gyro.bias_rad_s", [0, 0, 0]),
        ("state._gyro.bias_rad_s.shape", [7]),
        ("state._gyro.bias_rad_s.shape", [2]),
        ("state._gyro.bias_rad_s.shape", [-3]),
        ("state._gyro.bias_rad_s.shape", []),
        ("state._gyro.bias_rad_s.shape", ["3"]),
        ("state._gyro.bias_rad_s.object", "pickle"),
        ("state._scene.newest", {"shape": [10**12, 10**12]}),
    ],
)
def test_what_does_not_fit_is_no_state(path: str, value: Any) -> None:
    """Another version, another type, or another shape: told by one error."""
    with pytest.raises(UnreadableStateError):
        session_from(damaged(path, value), CONFIG, PROFILE)


@given(st.binary(max_size=64))
def test_bytes_that_are_no_state_are_told(garbage: bytes) -> None:
    """Whatever they are."""
    with pytest.raises(UnreadableStateError):
        session_from(garbage, CONFIG, PROFILE)


def test_a_state_that_is_too_large_or_too_deep_is_not_read() -> None:
    """Its size is looked at first."""
    for state in (b" " * (MAX_STATE_BYTES + 1), b"[" * 100_000):
        with pytest.raises(UnreadableStateError):
            session_from(state, CONFIG, PROFILE)


def test_numbers_without_bounds_survive() -> None:
    """Infinity is a number of JSON as Python writes it."""
    endless = replace(NEW, _clock=FrameClock(late_ms=(math.inf, -math.inf, 1e-300)))
    assert session_from(state_of(endless), CONFIG, PROFILE)._clock == endless._clock
