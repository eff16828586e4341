"""Judge many stored rows again at once, from their measures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from capture.assessment import reason_record_of
from capture.gates.profile import Profile
from capture.gates.shot import gravity_of
from capture.gates.shot_columns import BrokenLimit, MeasureColumns, broken_limits
from capture.gates.verdict import Reason, Verdict, verdict_from
from capture.ledger.database import as_json
from capture.ledger.rows import Row

_BY_GRAVITY = itemgetter(0, 1)
_WORDS = ("blur_missing", "blur_kind")
_MEASURES = tuple(field.name for field in fields(MeasureColumns))

STANDING_COLUMNS = (
    *("path", "size_bytes", "mtime_ns", "status", "error", "verdict", "model"),
    *("engine_version", "measures_version", "profile_sha256"),
    *_MEASURES,
)
"""What tells whether a row stands, and what it would become; none of it has to be parsed."""


def columns_of(rows: Sequence[Row]) -> MeasureColumns:
    """Turn rows whose status is ok into columns; missing numbers become NaN."""
    columns: dict[str, Any] = {
        name: np.array([row[name] for row in rows], dtype=object if name in _WORDS else np.float64)
        for name in _MEASURES
    }
    return MeasureColumns(**columns)


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


def judgements_of(rows: Sequence[Row], profile: Profile) -> list[Judgement]:
    """Return what a profile decides of rows, without decoding.

    Parameters
    ----------
    rows : sequence of Row
        Whose status is ok; of their columns only `STANDING_COLUMNS` are asked for.
    profile : Profile
        The limits.

    Returns
    -------
    list of Judgement
        One for each, with what `capture.ledger.rows.judged_again` would decide. Labels
        are left to the ledger: it drops those of pictures that are not accepted.
    """
    found: list[list[_Found]] = [[] for _ in rows]
    for broken in broken_limits(columns_of(rows), profile):
        for row, reason in zip(broken.rows.tolist(), _found_by(broken), strict=True):
            found[row].append(reason)
    return [_judgement(row["path"], reasons) for row, reasons in zip(rows, found, strict=True)]


_Found: TypeAlias = tuple[int, int, str, Verdict, str]
"""Gravity, scalar, code, what it leads to, and the reason as JSON."""


def _found_by(broken: BrokenLimit) -> Iterator[_Found]:
    """Yield the reasons that pictures have by one limit."""
    code, leads_to = broken.code.value, broken.leads_to
    gravity = gravity_of(broken.code, leads_to)
    text = _template_of(broken)
    for value, scalar, told in zip(
        broken.value.tolist(), broken.scalar.tolist(), broken.told.tolist(), strict=True
    ):
        yield gravity, scalar, code, leads_to, text.format(told, value, scalar)


def _template_of(broken: BrokenLimit) -> str:
    """Return what all reasons by one limit share, with room for told, value and scalar."""
    reason = Reason(broken.code, broken.measure, 0.0, broken.limit, 0, broken.hint, broken.leads_to)
    # Room for what is told is in the hint itself.
    record = {name: as_json(value) for name, value in reason_record_of(reason).items()}
    record |= {"value": "{1!r}", "scalar": "{2}"}
    return "{{" + ",".join([f'"{name}":{text}' for name, text in record.items()]) + "}}"


def _judgement(path: str, reasons: list[_Found]) -> Judgement:
    if len(reasons) > 1:
        reasons.sort(key=_BY_GRAVITY)
    verdict = verdict_from([leads_to for _, _, _, leads_to, _ in reasons])
    codes = ",".join([code for _, _, code, _, _ in reasons])
    text = ",".join([text for _, _, _, _, text in reasons])
    return Judgement(path, verdict.value, codes, f"[{text}]")
