"""Reasons, and the verdict that follows from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What to do with the picture."""

    ACCEPT = "ACCEPT"
    RETAKE = "RETAKE"
    CANNOT_ASSESS = "CANNOT_ASSESS"


class ReasonCode(StrEnum):
    """Why a picture is not simply accepted. The list only grows."""

    DEFOCUS_BLUR = "DEFOCUS_BLUR"
    MOTION_BLUR = "MOTION_BLUR"
    UNDEREXPOSED = "UNDEREXPOSED"
    OVEREXPOSED = "OVEREXPOSED"
    HIGHLIGHTS_CLIPPED = "HIGHLIGHTS_CLIPPED"
    SHADOWS_CLIPPED = "SHADOWS_CLIPPED"
    LOW_DYNAMIC_RANGE = "LOW_DYNAMIC_RANGE"
    NOISY = "NOISY"
    TOO_SMALL = "TOO_SMALL"
    TOO_FEW_EDGES = "TOO_FEW_EDGES"
    TOO_DARK = "TOO_DARK"


@dataclass(frozen=True, slots=True)
class Reason:
    """One limit that was not met.

    Attributes
    ----------
    code : ReasonCode
        What is wrong.
    measure : str
        The measure's name as in the record, for example ``blur.probability``.
    value, limit : float
        What was measured and what the profile allows, in the measure's unit.
    scalar : int
        0 unusable, 50 at the limit, 100 perfect.
    hint : str
        One thing a person can do about it.
    leads_to : Verdict
        RETAKE, CANNOT_ASSESS, or ACCEPT for a remark that does not count against it.
    """

    code: ReasonCode
    measure: str
    value: float
    limit: float
    scalar: int
    hint: str
    leads_to: Verdict


def verdict_of(reasons: Iterable[Reason]) -> Verdict:
    """Derive the verdict: any RETAKE wins, then any CANNOT_ASSESS, else ACCEPT."""
    return verdict_from([reason.leads_to for reason in reasons])


def verdict_from(outcomes: Collection[Verdict]) -> Verdict:
    """Derive the verdict from what each reason leads to."""
    for verdict in (Verdict.RETAKE, Verdict.CANNOT_ASSESS):
        if verdict in outcomes:
            return verdict
    return Verdict.ACCEPT
