"""What people say of pictures is kept, and found again by the pictures' bytes."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from capture.gates.verdict import ReasonCode, Verdict
from capture.ledger.labels import Label
from capture.ledger.ledger import open_ledger


def label(
    sha256: str,
    verdict: Verdict = Verdict.RETAKE,
    *,
    reviewer: str = "kim",
    minute: int = 0,
    reason: ReasonCode | None = ReasonCode.MOTION_BLUR,
) -> Label:
    moment = datetime(2026, 11, 21, 7, minute, tzinfo=UTC)
    return Label(sha256, f"/photos/{sha256}.jpg", verdict, reviewer, moment, reason, "the wing")


def test_labels_come_back_as_they_were_given(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "run.db") as ledger:
        given = [label("f00"), label("ba5", Verdict.ACCEPT, reason=None)]
        ledger.add_labels(given)
        assert ledger.labels() == given


def test_the_last_word_of_each_person_counts(tmp_path: Path) -> None:
    """A change of mind replaces, another person's does not; the table keeps them all."""
    with open_ledger(tmp_path / "run.db") as ledger:
        ledger.add_labels([label("f00"), label("f00", reviewer="lee")])
        ledger.add_labels([label("f00", Verdict.ACCEPT, minute=5, reason=None)])
        said = {(found.reviewer, found.verdict) for found in ledger.labels()}
    assert said == {("lee", Verdict.RETAKE), ("kim", Verdict.ACCEPT)}
    plain = sqlite3.connect(tmp_path / "run.db")
    assert plain.execute("SELECT count(*) FROM labels").fetchone() == (3,)
    plain.close()


@pytest.mark.parametrize("hours", [-7, 0, 9])
def test_moments_are_kept_in_any_time_zone(hours: int, tmp_path: Path) -> None:
    """Equal to the moment that was given, and UTC in the table."""
    moment = datetime(2026, 11, 21, 7, tzinfo=timezone(timedelta(hours=hours)))
    with open_ledger(tmp_path / "run.db") as ledger:
        ledger.add_labels([Label("f00", "/a.jpg", Verdict.ACCEPT, "kim", moment)])
        (found,) = ledger.labels()
    assert found.labelled_at == moment
    assert found.labelled_at.tzinfo is UTC
