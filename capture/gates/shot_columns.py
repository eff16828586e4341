"""Judge many stills at once: columns of measures against the limits of one profile.

What `capture.gates.shot` says of one picture, this says of thousands, in NumPy: only for
what breaks a limit is anything to be made in Python. A test holds the two against each
other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from capture.gates.profile import ExposureLimits, Profile
from capture.gates.shot import HINTS, MISSING_HINTS
from capture.gates.verdict import ReasonCode, Verdict
from capture.measure.blur import MIN_EDGE_COUNT
from capture.measure.measures import BlurKind
from capture.measure.status import MissingEvidence

Numbers: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MeasureColumns:
    """What stills are judged by, a picture a row.

    Attributes
    ----------
    blur_missing, blur_kind : (N,) object
        Text as in `MissingEvidence` and `BlurKind`, or None.
    width_px, height_px, edge_count, clipped_highlight_fraction, clipped_shadow_fraction, \
    dynamic_range_stops : (N,) float64
        As in `StillMeasures`.
    blur_probability, blur_px, blur_px_at_reference, motion_extent_px, exposure_offset_ev, \
    noise_sigma : (N,) float64
        The same; NaN where `StillMeasures` has None.
    """

    width_px: Numbers
    height_px: Numbers
    blur_missing: NDArray[Any]
    blur_kind: NDArray[Any]
    blur_probability: Numbers
    blur_px: Numbers
    blur_px_at_reference: Numbers
    motion_extent_px: Numbers
    edge_count: Numbers
    exposure_offset_ev: Numbers
    clipped_highlight_fraction: Numbers
    clipped_shadow_fraction: Numbers
    dynamic_range_stops: Numbers
    noise_sigma: Numbers


@dataclass(frozen=True, slots=True)
class BrokenLimit:
    """One limit, and the pictures that do not meet it.

    Attributes
    ----------
    code, measure, limit, leads_to
        As in `Reason`.
    hint : str
        The same, to be filled in with `told`.
    rows : (M,) int
        Which pictures, in ascending order.
    value, told : (M,) float64
        What was measured of them, and what a person is told.
    scalar : (M,) int
        As in `Reason`.
    """

    code: ReasonCode
    measure: str
    limit: float
    leads_to: Verdict
    hint: str
    rows: NDArray[np.intp]
    value: Numbers
    told: Numbers
    scalar: NDArray[np.int64]


def broken_limits(columns: MeasureColumns, profile: Profile) -> Iterator[BrokenLimit]:
    """Yield the limits that any picture breaks, as one picture is held against them.

    Parameters
    ----------
    columns : MeasureColumns
        What was measured of N pictures.
    profile : Profile
        What is allowed.
    """
    for limit in _limits(columns, profile):
        rows = np.flatnonzero(limit.is_broken)
        if rows.size:
            yield BrokenLimit(
                limit.code,
                limit.measure,
                limit.limit,
                limit.leads_to,
                limit.hint,
                rows,
                limit.value[rows],
                limit.told[rows],
                np.rint(limit.scalar[rows]).astype(np.int64),
            )


@dataclass(frozen=True, slots=True)
class _Limit:
    """One limit, and how all pictures stand to it."""

    code: ReasonCode
    measure: str
    is_broken: Mask
    value: Numbers
    limit: float
    scalar: Numbers
    hint: str
    told: Numbers
    leads_to: Verdict


def _limits(columns: MeasureColumns, profile: Profile) -> Iterator[_Limit]:
    """Yield the limits in the order in which one picture is held against them."""
    with np.errstate(invalid="ignore", divide="ignore"):
        yield _size(columns, profile)
        yield from _blur(columns, profile)
        yield from _exposure(columns, profile.exposure)
        yield from _dynamic_range(columns, profile)
        yield _noise(columns, profile)


def _size(columns: MeasureColumns, profile: Profile) -> _Limit:
    short_edge_px = np.minimum(columns.width_px, columns.height_px)
    limit = float(profile.size.min_short_edge_px)
    return _Limit(
        code=ReasonCode.TOO_SMALL,
        measure="short_edge_px",
        is_broken=short_edge_px < limit,
        value=short_edge_px,
        limit=limit,
        scalar=_at_least(short_edge_px, limit),
        hint=HINTS[ReasonCode.TOO_SMALL].replace("{1}", f"{limit:.0f}"),
        told=short_edge_px,
        leads_to=profile.cannot_assess.leads_to,
    )


def _blur(columns: MeasureColumns, profile: Profile) -> Iterator[_Limit]:
    missing = columns.blur_missing
    for evidence, hint in MISSING_HINTS.items():
        yield _Limit(
            code=ReasonCode(evidence.value),
            measure="blur.edge_count",
            is_broken=_is(missing, evidence.value),
            value=columns.edge_count,
            limit=float(MIN_EDGE_COUNT),
            scalar=np.minimum(_at_least(columns.edge_count, MIN_EDGE_COUNT), 49),
            hint=hint,
            told=columns.edge_count,
            leads_to=profile.cannot_assess.leads_to,
        )
    limits, probability = profile.blur, columns.blur_probability
    is_blurred = (
        _is(missing, None)
        & (probability > limits.max_probability)
        & (columns.blur_px_at_reference >= limits.min_blur_px_at_reference)
    )
    moved = _is(columns.blur_kind, BlurKind.MOTION.value)
    for code, is_kind, told in (
        (ReasonCode.MOTION_BLUR, moved, columns.motion_extent_px),
        (ReasonCode.DEFOCUS_BLUR, ~moved, columns.blur_px),
    ):
        yield _Limit(
            code=code,
            measure="blur.probability",
            is_broken=is_blurred & is_kind,
            value=probability,
            limit=limits.max_probability,
            scalar=100 * (1 - probability) / (1 - limits.max_probability) / 2,
            hint=HINTS[code],
            told=told,
            leads_to=Verdict.RETAKE,
        )


def _exposure(columns: MeasureColumns, limits: ExposureLimits) -> Iterator[_Limit]:
    offset_ev = columns.exposure_offset_ev
    for code, is_broken, limit, off in (
        (
            ReasonCode.UNDEREXPOSED,
            offset_ev < limits.min_offset_ev,
            limits.min_offset_ev,
            -offset_ev,
        ),
        (
            ReasonCode.OVEREXPOSED,
            offset_ev > limits.max_offset_ev,
            limits.max_offset_ev,
            offset_ev,
        ),
    ):
        yield _Limit(
            code=code,
            measure="exposure.offset_ev",
            is_broken=is_broken,
            value=offset_ev,
            limit=limit,
            scalar=_at_most(off, abs(limit)),
            hint=HINTS[code],
            told=off,
            leads_to=Verdict.RETAKE,
        )
    for code, ends, share, limit in (
        (
            ReasonCode.HIGHLIGHTS_CLIPPED,
            "highlight",
            columns.clipped_highlight_fraction,
            limits.max_clipped_highlight_fraction,
        ),
        (
            ReasonCode.SHADOWS_CLIPPED,
            "shadow",
            columns.clipped_shadow_fraction,
            limits.max_clipped_shadow_fraction,
        ),
    ):
        yield _Limit(
            code=code,
            measure=f"exposure.clipped_{ends}_fraction",
            is_broken=share > limit,
            value=share,
            limit=limit,
            scalar=_at_most(share, limit),
            hint=HINTS[code],
            told=100 * share,
            leads_to=Verdict.RETAKE,
        )


def _dynamic_range(columns: MeasureColumns, profile: Profile) -> Iterator[_Limit]:
    stops, limit = columns.dynamic_range_stops, profile.exposure.min_dynamic_range_stops
    is_flat = _is(columns.blur_missing, MissingEvidence.TOO_FEW_EDGES.value)
    for is_kind, leads_to in (
        (is_flat, profile.cannot_assess.leads_to),
        (~is_flat, Verdict.RETAKE),
    ):
        yield _Limit(
            code=ReasonCode.LOW_DYNAMIC_RANGE,
            measure="exposure.dynamic_range_stops",
            is_broken=(stops < limit) & is_kind,
            value=stops,
            limit=limit,
            scalar=_at_least(stops, limit),
            hint=HINTS[ReasonCode.LOW_DYNAMIC_RANGE],
            told=stops,
            leads_to=leads_to,
        )


def _noise(columns: MeasureColumns, profile: Profile) -> _Limit:
    sigma, limit = columns.noise_sigma, profile.noise.max_sigma
    return _Limit(
        code=ReasonCode.NOISY,
        measure="noise_sigma",
        is_broken=sigma > limit,
        value=sigma,
        limit=limit,
        scalar=_at_most(sigma, limit),
        hint=HINTS[ReasonCode.NOISY],
        told=sigma,
        leads_to=Verdict.RETAKE,
    )


def _is(words: NDArray[Any], word: str | None) -> Mask:
    return np.asarray(words == word, dtype=np.bool_)


def _at_most(value: Numbers, limit: float) -> Numbers:
    return 100 * limit / (limit + np.maximum(value, 0.0))


def _at_least(value: Numbers, limit: float) -> Numbers:
    return 100 * np.maximum(value, 0.0) / (limit + np.maximum(value, 0.0))
