"""Judging one still: numbers in, reasons and a verdict out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.gates.limits import AT_LEAST, AT_LEAST_BELOW_ZERO, AT_MOST
from capture.gates.profile import CannotAssessPolicy, load_profile
from capture.gates.shot import judge
from capture.gates.verdict import (
    Reason,
    ReasonCode,
    Verdict,
    verdict_of,
)
from capture.measure.measures import Blur, BlurKind, Exposure, StillMeasures
from capture.measure.status import MissingEvidence

DEFAULT = load_profile("default")
SHARP = Blur(None, 0.02, BlurKind.DEFOCUS, 0.1, 0.05, 0.0, None, 5000)
WELL_EXPOSED = Exposure(None, 0.1, 0.01, 0.02, 0.005, 0.01, 6.5)
GOOD = StillMeasures(2000, 1500, SHARP, WELL_EXPOSED, 2.0)


def codes(measures: StillMeasures) -> list[ReasonCode]:
    return [reason.code for reason in judge(measures, DEFAULT)]


def test_a_good_picture_is_accepted_without_reasons() -> None:
    """Nothing to say is the best verdict."""
    assert judge(GOOD, DEFAULT) == ()
    assert verdict_of(judge(GOOD, DEFAULT)) is Verdict.ACCEPT


@pytest.mark.parametrize(
    ("measures", "code"),
    [
        (replace(GOOD, blur=replace(SHARP, probability=0.97)), ReasonCode.DEFOCUS_BLUR),
        (
            replace(
                GOOD,
                blur=replace(SHARP, probability=0.97, kind=BlurKind.MOTION, motion_extent_px=12.0),
            ),
            ReasonCode.MOTION_BLUR,
        ),
        (replace(GOOD, exposure=replace(WELL_EXPOSED, offset_ev=-4.0)), ReasonCode.UNDEREXPOSED),
        (replace(GOOD, exposure=replace(WELL_EXPOSED, offset_ev=4.0)), ReasonCode.OVEREXPOSED),
        (
            replace(GOOD, exposure=replace(WELL_EXPOSED, clipped_highlight_fraction=0.9)),
            ReasonCode.HIGHLIGHTS_CLIPPED,
        ),
        (
            replace(GOOD, exposure=replace(WELL_EXPOSED, clipped_shadow_fraction=0.9)),
            ReasonCode.SHADOWS_CLIPPED,
        ),
        (
            replace(GOOD, exposure=replace(WELL_EXPOSED, dynamic_range_stops=0.3)),
            ReasonCode.LOW_DYNAMIC_RANGE,
        ),
        (replace(GOOD, noise_sigma=60.0), ReasonCode.NOISY),
        (replace(GOOD, width_px=20, height_px=3000), ReasonCode.TOO_SMALL),
        (
            replace(GOOD, blur=Blur.cannot_assess(MissingEvidence.TOO_FEW_EDGES, 3)),
            ReasonCode.TOO_FEW_EDGES,
        ),
        (replace(GOOD, blur=Blur.cannot_assess(MissingEvidence.TOO_DARK)), ReasonCode.TOO_DARK),
    ],
)
def test_each_limit_has_its_own_reason_with_value_limit_and_hint(
    measures: StillMeasures, code: ReasonCode
) -> None:
    """One thing wrong gives one reason that says what to do."""
    (reason,) = judge(measures, DEFAULT)
    assert reason.code is code
    assert reason.hint
    assert 0 <= reason.scalar <= 50
    assert reason.value != reason.limit


def test_too_little_evidence_never_claims_blur() -> None:
    """A flat wall is CANNOT_ASSESS, whatever else it is."""
    flat = replace(GOOD, blur=Blur.cannot_assess(MissingEvidence.TOO_FEW_EDGES, 3))
    reasons = judge(flat, DEFAULT)
    assert verdict_of(reasons) is Verdict.CANNOT_ASSESS
    assert not {ReasonCode.DEFOCUS_BLUR, ReasonCode.MOTION_BLUR} & {r.code for r in reasons}


@pytest.mark.parametrize("policy", list(Verdict))
def test_the_profile_decides_what_missing_evidence_leads_to(policy: Verdict) -> None:
    """An archive may keep what a camera would take again."""
    profile = replace(DEFAULT, cannot_assess=CannotAssessPolicy(policy))
    flat = replace(GOOD, blur=Blur.cannot_assess(MissingEvidence.TOO_FEW_EDGES, 3))
    assert verdict_of(judge(flat, profile)) is policy


def test_a_picture_too_small_says_so_once() -> None:
    """The size limit and the blur measure do not both complain."""
    small = replace(
        GOOD, width_px=20, height_px=20, blur=Blur.cannot_assess(MissingEvidence.TOO_SMALL)
    )
    assert codes(small) == [ReasonCode.TOO_SMALL]


def test_reasons_for_a_retake_come_first_and_the_gravest_first() -> None:
    """The first hint is the one to act on."""
    poor = StillMeasures(
        2000,
        1500,
        Blur.cannot_assess(MissingEvidence.TOO_FEW_EDGES, 3),
        replace(WELL_EXPOSED, offset_ev=-2.5, clipped_shadow_fraction=0.99),
        2.0,
    )
    assert codes(poor) == [
        ReasonCode.SHADOWS_CLIPPED,
        ReasonCode.UNDEREXPOSED,
        ReasonCode.TOO_FEW_EDGES,
    ]


def test_a_flat_wall_lacks_evidence_and_is_no_failed_shot() -> None:
    """A small range without edges leads where missing evidence leads; with edges, to RETAKE."""
    hazy = replace(GOOD, exposure=replace(WELL_EXPOSED, dynamic_range_stops=0.4))
    wall = replace(hazy, blur=Blur.cannot_assess(MissingEvidence.TOO_FEW_EDGES, 3))
    assert verdict_of(judge(hazy, DEFAULT)) is Verdict.RETAKE
    assert verdict_of(judge(wall, DEFAULT)) is Verdict.CANNOT_ASSESS


def test_the_cause_comes_before_its_consequence() -> None:
    """A dark picture is told to seek light before it is told that it lacks contrast."""
    dark = replace(GOOD, exposure=replace(WELL_EXPOSED, offset_ev=-4.0, dynamic_range_stops=0.0))
    assert codes(dark) == [ReasonCode.UNDEREXPOSED, ReasonCode.LOW_DYNAMIC_RANGE]


def test_blur_that_the_profile_tolerates_is_no_reason() -> None:
    """A lenient gate lets slight blur pass however sure it is."""
    lenient = load_profile("lenient")
    soft = replace(GOOD, blur=replace(SHARP, probability=0.99, blur_px_at_reference=0.4))
    assert judge(soft, lenient) == ()
    worse = replace(GOOD, blur=replace(SHARP, probability=0.99, blur_px_at_reference=2.0))
    assert verdict_of(judge(worse, lenient)) is Verdict.RETAKE


@given(st.floats(1e-3, 1e6), st.floats(1, 1e3))
def test_the_scalar_is_50_at_the_limit_and_falls_with_the_defect(
    limit: float, factor: float
) -> None:
    """In every sense of a limit, down to 0."""
    for sense, sign, value in (
        (AT_MOST, 1, limit * factor),
        (AT_LEAST, 1, limit / factor),
        (AT_LEAST_BELOW_ZERO, -1, limit * factor),
    ):
        assert sense.scalar(sign * limit, sign * limit) == pytest.approx(50)
        scalar = sense.scalar(sign * value, sign * limit)
        assert scalar == pytest.approx(100 / (1 + factor))


@given(st.lists(st.sampled_from(list(Verdict))))
def test_the_verdict_follows_from_the_reasons(outcomes: list[Verdict]) -> None:
    """RETAKE wins over CANNOT_ASSESS, which wins over ACCEPT."""
    reasons = [
        Reason(ReasonCode.NOISY, "noise_sigma", 2.0, 1.0, 33, "add light", outcome)
        for outcome in outcomes
    ]
    expected = next(
        (v for v in (Verdict.RETAKE, Verdict.CANNOT_ASSESS) if v in outcomes), Verdict.ACCEPT
    )
    assert verdict_of(reasons) is expected
