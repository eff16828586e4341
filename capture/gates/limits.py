"""Every limit that a still is held against, each stated once.

`capture.gates.shot` holds one picture against the table, `capture.gates.shot_columns`
thousands at once. So a limit is written in what Python's numbers and NumPy's arrays have
in common: operators, and NaN, which breaks no limit.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from capture.gates.profile import Profile
from capture.gates.verdict import ReasonCode, Verdict
from capture.measure.blur import MIN_EDGE_COUNT
from capture.measure.measures import BlurKind
from capture.measure.status import MissingEvidence

Number: TypeAlias = float | NDArray[np.float64]
Truth: TypeAlias = bool | NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Measured:
    """What stills are judged by: of one picture, or of N as columns.

    Attributes
    ----------
    blur_missing, blur_kind : str or None, or (N,) object
        As in `MissingEvidence` and `BlurKind`.
    width_px, height_px, edge_count, clipped_highlight_fraction, clipped_shadow_fraction, \
    dynamic_range_stops : float, or (N,) float64
        As in `StillMeasures`.
    blur_probability, blur_px, blur_px_at_reference, motion_extent_px, exposure_offset_ev, \
    noise_sigma : float, or (N,) float64
        The same; NaN where `StillMeasures` has None.
    """

    width_px: Number
    height_px: Number
    blur_missing: str | NDArray[Any] | None
    blur_kind: str | NDArray[Any] | None
    blur_probability: Number
    blur_px: Number
    blur_px_at_reference: Number
    motion_extent_px: Number
    edge_count: Number
    exposure_offset_ev: Number
    clipped_highlight_fraction: Number
    clipped_shadow_fraction: Number
    dynamic_range_stops: Number
    noise_sigma: Number


@dataclass(frozen=True, slots=True)
class Sense:
    """On which side of a limit a value is wrong, and by how much.

    Attributes
    ----------
    is_broken : callable
        Tells of a value and its limit.
    scalar : callable
        Maps a value that breaks the limit, and the limit, to [0, 50]: 50 at the limit.
    """

    is_broken: Callable[[Any, float], Truth]
    scalar: Callable[[Any, float], Number]


AT_LEAST = Sense(operator.lt, lambda value, limit: 100 * value / (limit + value))
"""Of a value and a limit that are positive."""

AT_MOST = Sense(operator.gt, lambda value, limit: 100 * limit / (limit + value))
"""The same."""

AT_LEAST_BELOW_ZERO = Sense(operator.lt, AT_MOST.scalar)
"""Of a value and a limit that are negative."""

PROBABILITY_AT_MOST = Sense(operator.gt, lambda value, limit: 100 * (1 - value) / (1 - limit) / 2)
"""Of probabilities."""

# Too dark to judge by, edges may be many, and still are not enough.
ENOUGH = Sense(
    lambda value, _: value >= 0,
    lambda value, limit: np.minimum(AT_LEAST.scalar(value, limit), 49),
)
"""Of evidence that is missing, whatever was counted."""


def _retake(_: Profile) -> Verdict:
    return Verdict.RETAKE


def _as_the_profile_says(profile: Profile) -> Verdict:
    return profile.cannot_assess.leads_to


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of a profile.

    Attributes
    ----------
    code : ReasonCode
        What is wrong when it is broken.
    measure : str
        Name in the record of what is held against it.
    value, limit : callable
        What was measured, in the measure's unit, and what a profile allows.
    sense : Sense
        When it is broken, and how badly.
    hint : str
        What a person can do; ``{0}`` is what they are told, ``{limit}`` what is allowed.
    told_as : callable, optional
        What a person is told; the value unless given.
    concerns : callable, optional
        Which pictures it is for; all unless given.
    leads_to : callable
        What a profile makes of it.
    """

    code: ReasonCode
    measure: str
    value: Callable[[Measured], Number]
    limit: Callable[[Profile], float]
    sense: Sense
    hint: str
    told_as: Callable[[Measured], Number] | None = None
    concerns: Callable[[Measured, Profile], Truth] | None = None
    leads_to: Callable[[Profile], Verdict] = _retake

    def is_broken(self, measured: Measured, profile: Profile) -> Truth:
        """Tell whether it is, of one picture or of each of many."""
        broken = self.sense.is_broken(self.value(measured), self.limit(profile))
        return broken if self.concerns is None else broken & self.concerns(measured, profile)

    def told(self, measured: Measured) -> Number:
        """Return what a person is told."""
        return (self.told_as or self.value)(measured)

    def hint_under(self, profile: Profile) -> str:
        """Return the hint with the limit filled in."""
        return self.hint.replace("{limit}", f"{self.limit(profile):.0f}")


def _is_blur_to_mind(measured: Measured, profile: Profile) -> Truth:
    return measured.blur_px_at_reference >= profile.blur.min_blur_px_at_reference


def _is_flat(measured: Measured, _: Profile) -> Truth:
    return measured.blur_missing == MissingEvidence.TOO_FEW_EDGES


def _has_edges(measured: Measured, _: Profile) -> Truth:
    return measured.blur_missing != MissingEvidence.TOO_FEW_EDGES


_LOW_DYNAMIC_RANGE = Limit(
    ReasonCode.LOW_DYNAMIC_RANGE,
    "exposure.dynamic_range_stops",
    lambda measured: measured.dynamic_range_stops,
    lambda profile: profile.exposure.min_dynamic_range_stops,
    AT_LEAST,
    "look for contrast or wipe the lens: dark and bright are {0:.1f} stops apart",
)

LIMITS = (
    Limit(
        ReasonCode.TOO_SMALL,
        "short_edge_px",
        lambda measured: np.minimum(measured.width_px, measured.height_px),
        lambda profile: profile.size.min_short_edge_px,
        AT_LEAST,
        "send a larger picture: the short edge is {0:.0f} px, {limit} needed",
        leads_to=_as_the_profile_says,
    ),
    # Where the blur measure finds a picture too small, the limit above has said so.
    Limit(
        ReasonCode.TOO_FEW_EDGES,
        "blur.edge_count",
        lambda measured: measured.edge_count,
        lambda _: MIN_EDGE_COUNT,
        ENOUGH,
        "point at something with edges: there is nothing to judge",
        concerns=_is_flat,
        leads_to=_as_the_profile_says,
    ),
    Limit(
        ReasonCode.TOO_DARK,
        "blur.edge_count",
        lambda measured: measured.edge_count,
        lambda _: MIN_EDGE_COUNT,
        ENOUGH,
        "add light: it is too dark to judge sharpness",
        concerns=lambda measured, _: measured.blur_missing == MissingEvidence.TOO_DARK,
        leads_to=_as_the_profile_says,
    ),
    Limit(
        ReasonCode.MOTION_BLUR,
        "blur.probability",
        lambda measured: measured.blur_probability,
        lambda profile: profile.blur.max_probability,
        PROBABILITY_AT_MOST,
        "hold still or shorten the exposure: the picture moved {0:.0f} px",
        told_as=lambda measured: measured.motion_extent_px,
        concerns=lambda measured, profile: (
            _is_blur_to_mind(measured, profile) & (measured.blur_kind == BlurKind.MOTION)
        ),
    ),
    Limit(
        ReasonCode.DEFOCUS_BLUR,
        "blur.probability",
        lambda measured: measured.blur_probability,
        lambda profile: profile.blur.max_probability,
        PROBABILITY_AT_MOST,
        "let the camera focus, or step back: the sharpest part is {0:.1f} px soft",
        told_as=lambda measured: measured.blur_px,
        concerns=lambda measured, profile: (
            _is_blur_to_mind(measured, profile) & (measured.blur_kind != BlurKind.MOTION)
        ),
    ),
    Limit(
        ReasonCode.UNDEREXPOSED,
        "exposure.offset_ev",
        lambda measured: measured.exposure_offset_ev,
        lambda profile: profile.exposure.min_offset_ev,
        AT_LEAST_BELOW_ZERO,
        "more light or a longer exposure: {0:.1f} stops too dark",
        told_as=lambda measured: -measured.exposure_offset_ev,
    ),
    Limit(
        ReasonCode.OVEREXPOSED,
        "exposure.offset_ev",
        lambda measured: measured.exposure_offset_ev,
        lambda profile: profile.exposure.max_offset_ev,
        AT_MOST,
        "less light or a shorter exposure: {0:.1f} stops too bright",
    ),
    Limit(
        ReasonCode.HIGHLIGHTS_CLIPPED,
        "exposure.clipped_highlight_fraction",
        lambda measured: measured.clipped_highlight_fraction,
        lambda profile: profile.exposure.max_clipped_highlight_fraction,
        AT_MOST,
        "expose for the bright parts: {0:.0f} % of the picture holds no detail",
        told_as=lambda measured: 100 * measured.clipped_highlight_fraction,
    ),
    Limit(
        ReasonCode.SHADOWS_CLIPPED,
        "exposure.clipped_shadow_fraction",
        lambda measured: measured.clipped_shadow_fraction,
        lambda profile: profile.exposure.max_clipped_shadow_fraction,
        AT_MOST,
        "light the dark parts: {0:.0f} % of the picture holds no detail",
        told_as=lambda measured: 100 * measured.clipped_shadow_fraction,
    ),
    # A wall or a clear sky has a small range by nature: there is nothing to see in it, which
    # is missing evidence and no fault of the shot.
    replace(_LOW_DYNAMIC_RANGE, concerns=_is_flat, leads_to=_as_the_profile_says),
    replace(_LOW_DYNAMIC_RANGE, concerns=_has_edges),
    Limit(
        ReasonCode.NOISY,
        "noise_sigma",
        lambda measured: measured.noise_sigma,
        lambda profile: profile.noise.max_sigma,
        AT_MOST,
        "add light, so that the camera can use a lower ISO",
    ),
)
"""In the order in which, of reasons equally grave, they are told."""
