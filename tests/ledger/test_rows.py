"""An assessment and its row say the same, to the bit."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from capture.assessment import Assessment, Provenance, StageTimes, record_of
from capture.gates.profile import load_profile
from capture.gates.shot import judge
from capture.images import CaptureSettings
from capture.ledger.ledger import open_ledger
from capture.ledger.rows import judged_again, measures_of, row_of
from capture.ledger.schema import assessments
from capture.measure.measures import Blur, BlurKind, Exposure, StillMeasures
from capture.measure.status import MissingEvidence
from inference.prediction import Label, Prediction

SHARP = StillMeasures(
    4000,
    3000,
    Blur(None, 0.1, BlurKind.MOTION, 1 / 3, 1 / 12, 2 / 7, 45.1, 812),
    Exposure(None, -0.7, 1e-3, 0.2, 5e-4, 0.1, 7.123456789012345),
    1.5,
    "f0e1d2c3b4a59687",
)
SOFT = StillMeasures(
    4000,
    3000,
    Blur(None, 0.45, BlurKind.DEFOCUS, 9.0, 2.25, 0.0, None, 500),
    Exposure(None, -1.9, 0.0, 0.0, 0.0, 0.0, 6.0),
    None,
)
FLAT = StillMeasures(
    640,
    480,
    Blur.cannot_assess(MissingEvidence.TOO_FEW_EDGES, 3),
    Exposure(MissingEvidence.TOO_DARK, None, 0.0, 1.0, 0.0, 1.0, 0.0),
    None,
)


def assessment(measures: StillMeasures, profile_name: str = "default") -> Assessment:
    profile = load_profile(profile_name)
    prediction = Prediction("lite0@1", "int8", "margin", (Label("pigeon", 0.75),), 12.0)
    reasons = judge(measures, profile)
    return Assessment(
        measures,
        reasons,
        None if reasons else prediction,
        Provenance("1.0", profile.name, profile.sha256, "jpeg/simplejpeg"),
        StageTimes(1.0, 2.0, 3.0),
        CaptureSettings(0.01, 4.0, 200.0, datetime(2026, 11, 21, 7, 30, 5, 80_000)),
    )


@pytest.mark.parametrize("measures", [SHARP, SOFT, FLAT], ids=["sharp", "soft", "flat"])
def test_measures_come_back_from_the_database_to_the_bit(
    measures: StillMeasures, tmp_path: Path
) -> None:
    """What was measured, what was stored and what is rebuilt are equal."""
    made = row_of(assessment(measures)) | {"path": "/a"}
    with open_ledger(tmp_path / "run.db") as ledger:
        run_id = ledger.begin_run(["/a"], load_profile("default"), "1.0", classify=True)
        ledger.put(run_id, [made])
        (stored,) = ledger.rows()
    assert measures_of(stored) == measures
    assert stored == made | {"run_id": run_id}


@pytest.mark.parametrize("measures", [SHARP, SOFT, FLAT], ids=["sharp", "soft", "flat"])
def test_a_row_holds_what_the_record_holds(measures: StillMeasures) -> None:
    """Reasons, labels and provenance are those of the JSON record."""
    record, row = record_of("", assessment(measures)), row_of(assessment(measures))
    assert row["reasons"] == record["reasons"]
    assert row["reason_codes"] == ",".join(reason["code"] for reason in record["reasons"])
    assert row["labels"] == (record["classification"] or {}).get("labels")
    assert {name: row[name] for name in record["provenance"]} == record["provenance"]
    assert {name: row[name] for name in record["capture_settings"]} == record["capture_settings"]
    assert row["perceptual_hash"] == record["perceptual_hash"]
    assert row["blur_status"] == record["blur"]["status"]
    assert row["exposure_status"] == record["exposure"]["status"]


def test_a_row_has_every_column() -> None:
    """No column is forgotten, and none invented."""
    assert list(row_of(assessment(SHARP))) == [column.name for column in assessments.columns]


@pytest.mark.parametrize("measures", [SHARP, SOFT, FLAT], ids=["sharp", "soft", "flat"])
def test_judging_again_equals_judging_anew(measures: StillMeasures) -> None:
    """Stored measures under another profile give the row that decoding again would give."""
    stored = row_of(assessment(measures)) | {"engine_version": "of before"}
    anew = row_of(assessment(measures, "strict"))
    assert judged_again(stored, load_profile("strict"), anew["engine_version"]) == anew
