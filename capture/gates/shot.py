"""Judge one still: measures against the limits of a profile."""

from __future__ import annotations

import math

from capture.gates.limits import LIMITS, Limit, Measured
from capture.gates.profile import Profile
from capture.gates.verdict import Reason, ReasonCode, Verdict
from capture.measure.measures import StillMeasures


def judge(measures: StillMeasures, profile: Profile) -> tuple[Reason, ...]:
    """Return every limit that was not met, gravest first.

    Parameters
    ----------
    measures : StillMeasures
        What was measured.
    profile : Profile
        What is allowed.

    Returns
    -------
    tuple of Reason
        Reasons that lead to RETAKE before those that lead elsewhere, and by scalar within.
    """
    measured = _measured(measures)
    reasons = [
        _reason(limit, measured, profile) for limit in LIMITS if limit.is_broken(measured, profile)
    ]
    return tuple(sorted(reasons, key=lambda r: (gravity_of(r.code, r.leads_to), r.scalar)))


def gravity_of(code: ReasonCode, leads_to: Verdict) -> int:
    """Rank a kind of reason, gravest first: a consequence comes after its causes.

    Within a rank the scalar decides.
    """
    is_consequence = code is ReasonCode.LOW_DYNAMIC_RANGE
    return 2 * (leads_to is not Verdict.RETAKE) + is_consequence


def _reason(limit: Limit, measured: Measured, profile: Profile) -> Reason:
    value, allowed = float(limit.value(measured)), float(limit.limit(profile))
    return Reason(
        code=limit.code,
        measure=limit.measure,
        value=value,
        limit=allowed,
        scalar=round(float(limit.sense.scalar(value, allowed))),
        hint=limit.hint_under(profile).format(limit.told(measured)),
        leads_to=limit.leads_to(profile),
    )


def _measured(measures: StillMeasures) -> Measured:
    blur, exposure = measures.blur, measures.exposure
    return Measured(
        width_px=measures.width_px,
        height_px=measures.height_px,
        blur_missing=blur.missing,
        blur_kind=blur.kind,
        blur_probability=_or_nan(blur.probability),
        blur_px=_or_nan(blur.blur_px),
        blur_px_at_reference=_or_nan(blur.blur_px_at_reference),
        motion_extent_px=_or_nan(blur.motion_extent_px),
        edge_count=blur.edge_count,
        exposure_offset_ev=_or_nan(exposure.offset_ev),
        clipped_highlight_fraction=exposure.clipped_highlight_fraction,
        clipped_shadow_fraction=exposure.clipped_shadow_fraction,
        dynamic_range_stops=exposure.dynamic_range_stops,
        noise_sigma=_or_nan(measures.noise_sigma),
    )


def _or_nan(number: float | None) -> float:
    return math.nan if number is None else number
