"""Judge many stored rows again at once, from their measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from capture.assessment import reason_record_of
from capture.gates.profile import Profile
from capture.gates.shot_columns import MeasureColumns, judge_columns
from capture.gates.verdict import verdict_of
from capture.ledger.rows import Row

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


def judgements_of(rows: Sequence[Row], profile: Profile, engine_version: str) -> list[Row]:
    """Return what a profile and this engine decide of rows, without decoding.

    Parameters
    ----------
    rows : sequence of Row
        Whose status is ok; of their columns only `STANDING_COLUMNS` are asked for.
    profile : Profile
        The limits.
    engine_version : str
        Version of this package.

    Returns
    -------
    list of Row
        A row for each, with what `capture.ledger.rows.judged_again` would decide. Labels
        are left to the ledger: it drops those of pictures that are not accepted.
    """
    judged = []
    for row, reasons in zip(rows, judge_columns(columns_of(rows), profile), strict=True):
        records = [reason_record_of(reason) for reason in reasons]
        judged.append(
            row
            | {
                "verdict": verdict_of(reasons).value,
                "reason_codes": ",".join([record["code"] for record in records]),
                "reasons": records,
                "engine_version": engine_version,
                "profile": profile.name,
                "profile_sha256": profile.sha256,
            }
        )
    return judged
