"""Judge many stored rows again at once, from their measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import lru_cache
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np

from capture.assessment import reason_record_of
from capture.gates.limits import Measured
from capture.gates.profile import Profile
from capture.gates.shot import gravity_of
from capture.gates.shot_columns import BrokenLimit, broken_limits
from capture.gates.verdict import Reason, ReasonCode, Verdict, verdict_from
from capture.ledger.database import as_json

_WORDS = ("blur_missing", "blur_kind")
_MEASURES = tuple(field.name for field in fields(Measured))


class Standing(NamedTuple):
    """How a row stands: what tells whether it still does, and what it would become.

    The fields are columns of ``assessments``; none of them has to be parsed. Measures are
    None in rows whose status is not ok.
    """

    path: str
    sha256: str | None
    size_bytes: int | None
    mtime_ns: int | None
    status: str
    error: str | None
    verdict: str | None
    model: str | None
    engine_version: str
    measures_version: int | None
    profile_sha256: str
    width_px: Any
    height_px: Any
    blur_missing: Any
    blur_kind: Any
    blur_probability: Any
    blur_px: Any
    blur_px_at_reference: Any
    motion_extent_px: Any
    edge_count: Any
    exposure_offset_ev: Any
    clipped_highlight_fraction: Any
    clipped_shadow_fraction: Any
    dynamic_range_stops: Any
    noise_sigma: Any


class Judgement(NamedTuple):
    """What a profile decides of one row, as the ledger keeps it.

    Attributes
    ----------
    path : str
        Of the row.
    verdict, reason_codes
        As in the row.
    reasons : str
        As in the row, in JSON.
    """

    path: str
    verdict: str | None
    reason_codes: str
    reasons: str


def judgements_of(rows: Sequence[Standing], profile: Profile) -> list[Judgement]:
    """Return what a profile decides of rows, without decoding.

    Parameters
    ----------
    rows : sequence of Standing
        Whose status is ok.
    profile : Profile
        The limits.

    Returns
    -------
    list of Judgement
        One for each, with what `capture.ledger.rows.judged_again` would decide. Labels
        are left to the ledger: it drops those of pictures that are not accepted.
    """
    broken = list(broken_limits(_columns_of(rows), profile)) if rows else []
    if not broken:
        return [Judgement(row.path, Verdict.ACCEPT.value, "", "[]") for row in rows]
    kinds = tuple((limit.code, limit.leads_to) for limit in broken)
    counts = [limit.rows.size for limit in broken]
    row_of = np.concatenate([limit.rows for limit in broken])
    kind_of = np.repeat(np.arange(len(kinds)), counts)
    gravity = np.repeat([gravity_of(*kind) for kind in kinds], counts)
    scalar = np.concatenate([limit.scalar for limit in broken])
    texts = list(chain.from_iterable(map(_texts_of, broken)))

    # A picture's reasons together, gravest first; of equals the one that is asked for first.
    order = np.lexsort((scalar, gravity, row_of))
    texts = [texts[n] for n in order.tolist()]
    found = kind_of[order].tolist()
    bounds = np.searchsorted(row_of[order], np.arange(len(rows) + 1)).tolist()
    return [
        Judgement(
            row.path,
            *_outcome_of(tuple([kinds[n] for n in found[start:end]])),
            f"[{','.join(texts[start:end])}]",
        )
        for row, (start, end) in zip(rows, pairwise(bounds), strict=True)
    ]


def _columns_of(rows: Sequence[Standing]) -> Measured:
    """Turn rows whose status is ok into columns; missing numbers become NaN."""
    columns = dict(zip(Standing._fields, zip(*rows, strict=True), strict=True))
    return Measured(
        **{
            name: np.array(columns[name], dtype=object if name in _WORDS else np.float64)
            for name in _MEASURES
        }
    )


@lru_cache(maxsize=1024)
def _outcome_of(kinds: tuple[tuple[ReasonCode, Verdict], ...]) -> tuple[str, str]:
    """Return the verdict and the codes that follow from reasons, gravest first."""
    verdict = verdict_from([leads_to for _, leads_to in kinds])
    return verdict.value, ",".join([code.value for code, _ in kinds])


def _texts_of(broken: BrokenLimit) -> Iterator[str]:
    """Yield the reasons that pictures have by one limit, as JSON."""
    reason = Reason(broken.code, broken.measure, 0.0, broken.limit, 0, broken.hint, broken.leads_to)
    # Room for what is told is in the hint itself.
    record = {name: as_json(value) for name, value in reason_record_of(reason).items()}
    record |= {"value": "{1!r}", "scalar": "{2}"}
    text = "{{" + ",".join([f'"{name}":{text}' for name, text in record.items()]) + "}}"
    return map(text.format, broken.told.tolist(), broken.value.tolist(), broken.scalar.tolist())
