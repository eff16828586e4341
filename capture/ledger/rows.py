"""Between an assessment and its row: nothing is rounded, so both ways agree to the bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from capture.assessment import Assessment, reason_record_of, record_of
from capture.gates.profile import Profile
from capture.gates.shot import judge
from capture.gates.verdict import Verdict, verdict_of
from capture.ledger.database import as_json
from capture.ledger.names import printable
from capture.ledger.schema import assessments
from capture.measure.measures import (
    MEASURES_VERSION,
    Blur,
    BlurKind,
    Exposure,
    StillMeasures,
)
from capture.measure.status import MissingEvidence

Row: TypeAlias = dict[str, Any]
"""Column name to value, for every column of ``assessments``."""

OK = "ok"

_EMPTY: Row = {column.name: None for column in assessments.columns} | {
    "reason_codes": "",
    "reasons": [],
}
LABEL_COLUMNS = ("labels", "model", "tier", "tier_reason")
"""What the classifier says of accepted pictures, and of those only."""

JUDGED_COLUMNS = (
    *("verdict", "reason_codes", "reasons", "engine_version", "profile", "profile_sha256"),
)
"""What may change when stored measures are judged by another profile or a newer engine."""


def row_of(assessment: Assessment) -> Row:
    """Lay an assessment out in columns; where the picture lies is left empty."""
    record = record_of("", assessment)
    blur, exposure, provenance = record["blur"], record["exposure"], record["provenance"]
    row: Row = (
        _EMPTY
        | {
            "status": record["status"],
            "verdict": record["verdict"],
            "width_px": record["width_px"],
            "height_px": record["height_px"],
            "blur_status": blur["status"],
            "blur_missing": blur["missing"],
            "blur_probability": blur["probability"],
            "blur_kind": blur["kind"],
            "exposure_status": exposure["status"],
            "exposure_missing": exposure["missing"],
            "exposure_offset_ev": exposure["offset_ev"],
            "noise_sigma": record["noise_sigma"],
            "perceptual_hash": record["perceptual_hash"],
            "measures_version": MEASURES_VERSION,
        }
        | _same_names(blur)
        | _same_names(exposure)
        | record["capture_settings"]
        | _reasons(record["reasons"])
        | (record["classification"] or {})
        | provenance
    )
    return row


def row_of_unjudged(status: str, error: str, profile: Profile, engine_version: str) -> Row:
    """Lay out why a picture was not judged, and by what."""
    return _EMPTY | {
        "status": status,
        "error": printable(error),
        "engine_version": engine_version,
        "profile": profile.name,
        "profile_sha256": profile.sha256,
    }


def measures_of(row: Mapping[str, Any]) -> StillMeasures:
    """Rebuild the measures of a row whose status is ok; the tiles are not kept."""
    return StillMeasures(
        width_px=row["width_px"],
        height_px=row["height_px"],
        blur=Blur(
            missing=_missing(row["blur_missing"]),
            probability=row["blur_probability"],
            kind=None if row["blur_kind"] is None else BlurKind(row["blur_kind"]),
            blur_px=row["blur_px"],
            blur_px_at_reference=row["blur_px_at_reference"],
            motion_extent_px=row["motion_extent_px"],
            motion_angle_deg=row["motion_angle_deg"],
            edge_count=row["edge_count"],
        ),
        exposure=Exposure(
            missing=_missing(row["exposure_missing"]),
            offset_ev=row["exposure_offset_ev"],
            clipped_highlight_fraction=row["clipped_highlight_fraction"],
            clipped_shadow_fraction=row["clipped_shadow_fraction"],
            largest_clipped_highlight_fraction=row["largest_clipped_highlight_fraction"],
            largest_clipped_shadow_fraction=row["largest_clipped_shadow_fraction"],
            dynamic_range_stops=row["dynamic_range_stops"],
        ),
        noise_sigma=row["noise_sigma"],
        perceptual_hash=row["perceptual_hash"],
    )


def judged_again(row: Row, profile: Profile, engine_version: str) -> Row:
    """Return a row whose status is ok as a profile and this engine judge it, without decoding.

    Labels stay only where the picture is still accepted, as a new run would have it.
    """
    reasons = judge(measures_of(row), profile)
    verdict = verdict_of(reasons)
    judged = row | {
        "verdict": verdict.value,
        "engine_version": engine_version,
        "profile": profile.name,
        "profile_sha256": profile.sha256,
    }
    judged |= _reasons([reason_record_of(reason) for reason in reasons])
    if verdict is not Verdict.ACCEPT:
        judged |= dict.fromkeys(LABEL_COLUMNS)
    return judged


def as_stored(row: Row, run_id: int) -> Row:
    """Return a row of a run with its JSON as text, as databases take it."""
    labels = row["labels"]
    return row | {
        "run_id": run_id,
        "reasons": as_json(row["reasons"]),
        "labels": None if labels is None else as_json(labels),
    }


def _reasons(records: list[dict[str, Any]]) -> Row:
    codes = ",".join(record["code"] for record in records)
    return {"reasons": records, "reason_codes": codes}


def _same_names(part: Mapping[str, Any]) -> Row:
    """Take what is named in the record as it is in the table, all but the shared words."""
    return {name: part[name] for name in part if name in _EMPTY and name != "status"}


def _missing(code: str | None) -> MissingEvidence | None:
    return None if code is None else MissingEvidence(code)
