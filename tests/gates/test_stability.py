"""The fold of steadiness: what may never happen, whatever the movement."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from capture.gates.best_preview import BestPreview
from capture.gates.profile import SteadinessLimits
from capture.gates.stability import (
    Holds,
    MovementEstimate,
    StabilityState,
    SteadinessState,
    SteadinessTerms,
)

TERMS = SteadinessTerms(max_blur_px=2.0, release_blur_px=3.0, dwell_ms=300.0)

BLURS = st.floats(0, 6)
ESTIMATES = st.builds(
    lambda predicted, momentary, extra, interval, backed: MovementEstimate(
        predicted, momentary, momentary + extra, interval, backed
    ),
    BLURS,
    BLURS,
    st.floats(0, 3),
    st.floats(1, 1500),
    st.booleans(),
)


@given(st.lists(st.tuples(ESTIMATES, st.booleans(), st.booleans()), max_size=40))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_ready_is_never_given_against_the_evidence(
    stream: list[tuple[MovementEstimate, bool, bool]],
) -> None:
    """Not above the limit, before the dwell, without a history or while something holds."""
    state = SteadinessState()
    for movement, searching, spent in stream:
        state = state.observe(movement, Holds(searching, spent), TERMS)
        assert state.calm_ms >= 0
        if state.state is StabilityState.READY:
            assert max(movement.predicted_blur_px, movement.peak_blur_px) <= TERMS.max_blur_px
            assert state.calm_ms >= TERMS.dwell_ms
            assert movement.is_backed_by_history
            assert not searching
            assert not spent
        if movement.momentary_blur_px > TERMS.release_blur_px:
            assert state == SteadinessState(StabilityState.MOVING)


@given(st.lists(ESTIMATES, max_size=20), st.integers(0, 5))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_a_calmer_stream_is_never_less_ready(stream: list[MovementEstimate], shift: int) -> None:
    """Half the blur in every frame: calm for at least as long."""
    state, calmer = SteadinessState(), SteadinessState()
    for movement in stream[shift:] + stream[:shift]:
        half = MovementEstimate(
            movement.predicted_blur_px / 2,
            movement.momentary_blur_px / 2,
            movement.peak_blur_px / 2,
            movement.interval_ms,
            movement.is_backed_by_history,
        )
        state = state.observe(movement, Holds(), TERMS)
        calmer = calmer.observe(half, Holds(), TERMS)
        assert calmer.calm_ms >= state.calm_ms


def test_limits_are_scaled_to_the_still() -> None:
    """They are given at a long edge of 1000 px."""
    terms = SteadinessTerms.at(SteadinessLimits(0.5, 0.8, 300.0, 0.25, 3), 4000)
    assert (terms.max_blur_px, terms.release_blur_px, terms.dwell_ms) == (2.0, 3.2, 300.0)


def test_the_later_of_two_equal_previews_is_the_best() -> None:
    """It is the one the client still has."""
    best = BestPreview()
    for number in range(5):
        best = best.observe(number, 33.0 * number, 10.0, 0.1)
    assert best.preview_id == 4


def test_the_window_is_bounded_when_the_clock_runs_wild() -> None:
    """Previews of another clock leave it at once."""
    best = BestPreview().observe(1, 1e9, 1000.0, 0.0)
    best = best.observe(2, 5.0, 1.0, 0.0)
    assert best.preview_id == 2
    for number in range(500):
        best = best.observe(number, 6.0 + number, 1.0, 0.0)
    assert len(best.candidates) <= 64
