"""What a person is told: one thing to do, with its numbers."""

from __future__ import annotations

import pytest

from capture.gates.guidance import guide
from capture.gates.stability import HintCode, Holds, StabilityState, SteadinessTerms

TERMS = SteadinessTerms(max_blur_px=2.0, release_blur_px=3.2, dwell_ms=300.0)


def say(
    state: StabilityState,
    blur_px: float | None,
    *,
    exposure_time_s: float = 1 / 30,
    mean_luma: float = 110.0,
    holds: Holds | None = None,
    is_first: bool = False,
) -> tuple[HintCode, str]:
    return guide(
        state,
        holds or Holds(),
        TERMS,
        predicted_blur_px=blur_px,
        exposure_time_s=exposure_time_s,
        calm_ms=120.0,
        mean_luma=mean_luma,
        is_first=is_first,
    )


def test_a_shorter_exposure_is_named_with_what_it_would_do() -> None:
    """The slowest one that is good enough."""
    assert say(StabilityState.MOVING, 3.2) == (
        HintCode.BRACE_OR_SHORTEN,
        "brace your arms: 3.2 px at 1/30 s; at 1/60 s it would be 1.6",
    )


def test_in_the_dark_a_shorter_exposure_needs_light() -> None:
    """Shortening alone would underexpose."""
    code, hint = say(StabilityState.MOVING, 3.2, mean_luma=20.0)
    assert code is HintCode.MORE_LIGHT
    assert "at 1/60 s it would be 1.6" in hint


@pytest.mark.parametrize(("blur_px", "exposure_time_s"), [(30.0, 1 / 30), (3.0, 1 / 8000)])
def test_where_no_exposure_helps_one_must_hold_still(
    blur_px: float, exposure_time_s: float
) -> None:
    """Far above the limit, or short already."""
    code, hint = say(StabilityState.MOVING, blur_px, exposure_time_s=exposure_time_s)
    assert code is HintCode.HOLD_STILL
    assert f"{blur_px:.1f} px" in hint


@pytest.mark.parametrize(
    ("state", "blur_px", "holds", "code"),
    [
        (StabilityState.READY, 0.3, Holds(), HintCode.SHOOT),
        (StabilityState.SETTLING, 0.3, Holds(), HintCode.KEEP_HOLDING),
        (StabilityState.STEADY, 0.3, Holds(is_camera_searching=True), HintCode.WAIT_FOR_CAMERA),
        (StabilityState.STEADY, 0.3, Holds(is_scene_spent=True), HintCode.CHANGE_SCENE),
        (StabilityState.STEADY, 1.8, Holds(), HintCode.KEEP_HOLDING),
        (StabilityState.STEADY, 2.5, Holds(is_scene_spent=True), HintCode.BRACE_OR_SHORTEN),
    ],
)
def test_each_state_has_its_hint(
    state: StabilityState, blur_px: float, holds: Holds, code: HintCode
) -> None:
    """The movement comes first, then the camera, then the scene."""
    assert say(state, blur_px, holds=holds)[0] is code


def test_settling_counts_up() -> None:
    """How long of how long."""
    assert say(StabilityState.SETTLING, 0.2)[1] == "keep holding: calm for 120 of 300 ms"


def test_the_first_frame_is_not_called_flat() -> None:
    """There was nothing to compare it with."""
    assert say(StabilityState.UNKNOWN, None, is_first=True)[0] is HintCode.KEEP_HOLDING
    assert say(StabilityState.UNKNOWN, None)[0] is HintCode.NOTHING_TO_MEASURE


def test_long_exposures_are_written_in_seconds() -> None:
    """Not as 1/1 s."""
    assert "at 1.0 s" in say(StabilityState.MOVING, 5.0, exposure_time_s=1.0)[1]
