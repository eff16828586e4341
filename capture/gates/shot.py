"""Judge one still: measures against the limits of a profile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from capture.gates.profile import ExposureLimits, Profile
from capture.gates.verdict import (
    Reason,
    ReasonCode,
    Verdict,
    scalar_at_least,
    scalar_at_most,
)
from capture.measure.blur import MIN_EDGE_COUNT
from capture.measure.measures import Blur, BlurKind, Exposure, StillMeasures
from capture.measure.status import MissingEvidence

HINTS: Mapping[ReasonCode, str] = {
    ReasonCode.TOO_SMALL: "send a larger picture: the short edge is {0:.0f} px, {1} needed",
    ReasonCode.MOTION_BLUR: ("hold still or shorten the exposure: the picture moved {0:.0f} px"),
    ReasonCode.DEFOCUS_BLUR: (
        "let the camera focus, or step back: the sharpest part is {0:.1f} px soft"
    ),
    ReasonCode.UNDEREXPOSED: "more light or a longer exposure: {0:.1f} stops too dark",
    ReasonCode.OVEREXPOSED: "less light or a shorter exposure: {0:.1f} stops too bright",
    ReasonCode.HIGHLIGHTS_CLIPPED: (
        "expose for the bright parts: {0:.0f} % of the picture holds no detail"
    ),
    ReasonCode.SHADOWS_CLIPPED: ("light the dark parts: {0:.0f} % of the picture holds no detail"),
    ReasonCode.LOW_DYNAMIC_RANGE: (
        "look for contrast or wipe the lens: dark and bright are {0:.1f} stops apart"
    ),
    ReasonCode.NOISY: "add light, so that the camera can use a lower ISO",
}
"""What a person can do, by reason; filled in with what was measured, and the limit."""

# A picture below the size limit has said so already, with the limit that applies.
MISSING_HINTS: Mapping[MissingEvidence, str] = {
    MissingEvidence.TOO_FEW_EDGES: "point at something with edges: there is nothing to judge",
    MissingEvidence.TOO_DARK: "add light: it is too dark to judge sharpness",
}
"""The same where the blur measure lacked evidence."""


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
    reasons = [
        *_size(measures, profile),
        *_blur(measures.blur, profile),
        *_exposure(measures.exposure, profile.exposure),
        *_dynamic_range(measures, profile),
        *_noise(measures.noise_sigma, profile),
    ]
    return _by_gravity(reasons)


def gravity_of(code: ReasonCode, leads_to: Verdict) -> int:
    """Rank a kind of reason, gravest first: a consequence comes after its causes.

    Within a rank the scalar decides.
    """
    is_consequence = code is ReasonCode.LOW_DYNAMIC_RANGE
    return 2 * (leads_to is not Verdict.RETAKE) + is_consequence


def _by_gravity(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    return tuple(sorted(reasons, key=lambda r: (gravity_of(r.code, r.leads_to), r.scalar)))


def _size(measures: StillMeasures, profile: Profile) -> Iterator[Reason]:
    short_edge_px = min(measures.width_px, measures.height_px)
    limit = profile.size.min_short_edge_px
    if short_edge_px < limit:
        yield Reason(
            code=ReasonCode.TOO_SMALL,
            measure="short_edge_px",
            value=float(short_edge_px),
            limit=float(limit),
            scalar=scalar_at_least(short_edge_px, limit),
            hint=HINTS[ReasonCode.TOO_SMALL].format(short_edge_px, limit),
            leads_to=profile.cannot_assess.leads_to,
        )


def _blur(blur: Blur, profile: Profile) -> Iterator[Reason]:
    if blur.missing is not None:
        if blur.missing in MISSING_HINTS:
            yield _missing_blur(blur, blur.missing, profile)
        return
    if blur.probability is None or blur.blur_px_at_reference is None:
        return
    limits = profile.blur
    tolerated = blur.blur_px_at_reference < limits.min_blur_px_at_reference
    if blur.probability <= limits.max_probability or tolerated:
        return
    moved = blur.kind is BlurKind.MOTION
    code = ReasonCode.MOTION_BLUR if moved else ReasonCode.DEFOCUS_BLUR
    yield Reason(
        code=code,
        measure="blur.probability",
        value=blur.probability,
        limit=limits.max_probability,
        scalar=round(100 * (1 - blur.probability) / (1 - limits.max_probability) / 2),
        hint=HINTS[code].format(blur.motion_extent_px if moved else blur.blur_px),
        leads_to=Verdict.RETAKE,
    )


def _missing_blur(blur: Blur, missing: MissingEvidence, profile: Profile) -> Reason:
    return Reason(
        code=ReasonCode(missing.value),
        measure="blur.edge_count",
        value=float(blur.edge_count),
        limit=float(MIN_EDGE_COUNT),
        scalar=min(scalar_at_least(blur.edge_count, MIN_EDGE_COUNT), 49),
        hint=MISSING_HINTS[missing],
        leads_to=profile.cannot_assess.leads_to,
    )


def _exposure(exposure: Exposure, limits: ExposureLimits) -> Iterator[Reason]:
    offset_ev = exposure.offset_ev
    if offset_ev is not None and offset_ev < limits.min_offset_ev:
        yield Reason(
            code=ReasonCode.UNDEREXPOSED,
            measure="exposure.offset_ev",
            value=offset_ev,
            limit=limits.min_offset_ev,
            scalar=scalar_at_most(-offset_ev, -limits.min_offset_ev),
            hint=HINTS[ReasonCode.UNDEREXPOSED].format(-offset_ev),
            leads_to=Verdict.RETAKE,
        )
    if offset_ev is not None and offset_ev > limits.max_offset_ev:
        yield Reason(
            code=ReasonCode.OVEREXPOSED,
            measure="exposure.offset_ev",
            value=offset_ev,
            limit=limits.max_offset_ev,
            scalar=scalar_at_most(offset_ev, limits.max_offset_ev),
            hint=HINTS[ReasonCode.OVEREXPOSED].format(offset_ev),
            leads_to=Verdict.RETAKE,
        )
    for code, ends, value, limit in (
        (
            ReasonCode.HIGHLIGHTS_CLIPPED,
            "highlight",
            exposure.clipped_highlight_fraction,
            limits.max_clipped_highlight_fraction,
        ),
        (
            ReasonCode.SHADOWS_CLIPPED,
            "shadow",
            exposure.clipped_shadow_fraction,
            limits.max_clipped_shadow_fraction,
        ),
    ):
        if value > limit:
            yield Reason(
                code=code,
                measure=f"exposure.clipped_{ends}_fraction",
                value=value,
                limit=limit,
                scalar=scalar_at_most(value, limit),
                hint=HINTS[code].format(100 * value),
                leads_to=Verdict.RETAKE,
            )


def _dynamic_range(measures: StillMeasures, profile: Profile) -> Iterator[Reason]:
    stops = measures.exposure.dynamic_range_stops
    limit = profile.exposure.min_dynamic_range_stops
    if stops >= limit:
        return
    # A wall or a clear sky has a small range by nature: there is nothing to see in it, which
    # is missing evidence and no fault of the shot.
    is_flat = measures.blur.missing is MissingEvidence.TOO_FEW_EDGES
    yield Reason(
        code=ReasonCode.LOW_DYNAMIC_RANGE,
        measure="exposure.dynamic_range_stops",
        value=stops,
        limit=limit,
        scalar=scalar_at_least(stops, limit),
        hint=HINTS[ReasonCode.LOW_DYNAMIC_RANGE].format(stops),
        leads_to=profile.cannot_assess.leads_to if is_flat else Verdict.RETAKE,
    )


def _noise(noise_sigma: float | None, profile: Profile) -> Iterator[Reason]:
    limit = profile.noise.max_sigma
    if noise_sigma is not None and noise_sigma > limit:
        yield Reason(
            code=ReasonCode.NOISY,
            measure="noise_sigma",
            value=noise_sigma,
            limit=limit,
            scalar=scalar_at_most(noise_sigma, limit),
            hint=HINTS[ReasonCode.NOISY],
            leads_to=Verdict.RETAKE,
        )
