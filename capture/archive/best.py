"""Which picture of several is the best by our measures, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from capture.gates.verdict import Verdict

_VERDICT_RANKS = {Verdict.ACCEPT: 0, Verdict.CANNOT_ASSESS: 1, Verdict.RETAKE: 2}
_UNKNOWN = math.inf


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the best is chosen by; units and meaning as in the ledger's columns."""

    path: str
    verdict: str
    blur_probability: float | None
    exposure_offset_ev: float | None
    noise_sigma: float | None
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The best one's path, and in what it is ahead of the next best."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Criterion:
    """One thing to choose by: lower ranks are better, equal ones leave it to the next."""

    rank_of: Callable[[Candidate], float]
    words_for: Callable[[Candidate, Candidate], str]


def best_of(candidates: Sequence[Candidate]) -> Choice:
    """Choose the best of several pictures of one thing.

    The verdict decides first, then size (an original before its thumbnail, which may look
    sharper), blur probability, distance from a good exposure, and noise. Each counts only
    in steps that can be seen; what is equal in all falls to the first path.

    Parameters
    ----------
    candidates : sequence of Candidate
        At least one; the order does not matter.
    """
    ranked = sorted(candidates, key=lambda c: ([f.rank_of(c) for f in _CRITERIA], c.path))
    best, *others = ranked
    if not others:
        return Choice(best.path, "the only one")
    for criterion in _CRITERIA:
        if criterion.rank_of(best) < criterion.rank_of(others[0]):
            return Choice(best.path, criterion.words_for(best, others[0]))
    return Choice(best.path, "equal in all that is measured; the first by path")


def _stepped(value: float | None, step: float, digit_count: int = 2) -> float:
    """Return how many whole steps a value is from 0; unknown comes last.

    It is rounded as it is printed, so that no reason names two numbers that look the same.
    """
    return _UNKNOWN if value is None else math.floor(abs(round(value, digit_count)) / step)


def _blur_words(best: Candidate, other: Candidate) -> str:
    if best.blur_probability is None or other.blur_probability is None:
        return "its blur could be measured, the next best one's could not"
    return f"sharper: blur probability {_against(best.blur_probability, other.blur_probability)}"


def _exposure_words(best: Candidate, other: Candidate) -> str:
    if best.exposure_offset_ev is None or other.exposure_offset_ev is None:
        return "its exposure could be measured, the next best one's could not"
    offsets = _against(best.exposure_offset_ev, other.exposure_offset_ev, "+.2f")
    return f"better exposed: {offsets} EV"


def _noise_words(best: Candidate, other: Candidate) -> str:
    if best.noise_sigma is None or other.noise_sigma is None:
        return "its noise could be measured, the next best one's could not"
    return f"less noise: {_against(best.noise_sigma, other.noise_sigma, '.1f')} levels"


def _against(best: float, other: float, form: str = ".2f") -> str:
    return f"{best:{form}}, next best {other:{form}}"


_CRITERIA = (
    _Criterion(
        lambda c: _VERDICT_RANKS[Verdict(c.verdict)],
        lambda best, other: f"judged {best.verdict}, next best {other.verdict}",
    ),
    _Criterion(
        # In octaves: a crop that keeps most of the pixels is no thumbnail.
        lambda c: -math.floor(math.log2(c.width_px * c.height_px)),
        lambda best, other: (
            f"larger: {best.width_px} x {best.height_px}, "
            f"next best {other.width_px} x {other.height_px}"
        ),
    ),
    _Criterion(lambda c: _stepped(c.blur_probability, 0.05), _blur_words),
    _Criterion(lambda c: _stepped(c.exposure_offset_ev, 0.25), _exposure_words),
    _Criterion(lambda c: _stepped(c.noise_sigma, 1.0, digit_count=1), _noise_words),
)
