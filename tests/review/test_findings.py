"""What the report says is what the ledger holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from capture.errors import LedgerError
from capture.ledger.ledger import open_ledger
from capture.review.findings import Findings
from capture.review.gathering import gather
from tests.review.ledgers import filled


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    with filled(tmp_path_factory.mktemp("ledger") / "run.db", 500, broken=40) as ledger:
        return gather(ledger)


def test_every_picture_is_counted_once(findings: Findings) -> None:
    """Verdicts and failures add up to the rows."""
    assert findings.judged_count == 500
    assert findings.unjudged_count == 40
    assert [(f.status, f.count) for f in findings.failures] == [("TRUNCATED", 40)]


def test_every_measure_shows_every_judged_picture(findings: Findings) -> None:
    """Bars and missing ones add up, for each measure."""
    for distribution in findings.distributions:
        assert distribution.bins.sum() + distribution.missing_count == findings.judged_count


def test_what_lies_beyond_a_limit_is_what_was_refused_for_it(findings: Findings) -> None:
    """The red of a distribution agrees with the count of its reasons."""
    beyond = {d.axis.name: d.beyond_count for d in findings.distributions}
    reasons = {reason.code: reason.count for reason in findings.reasons}
    assert beyond["blur.probability"] == reasons["DEFOCUS_BLUR"] + reasons["MOTION_BLUR"]
    assert beyond["exposure.offset_ev"] == reasons["UNDEREXPOSED"] + reasons["OVEREXPOSED"]
    assert beyond["exposure.clipped_shadow_fraction"] == reasons["SHADOWS_CLIPPED"]
    assert beyond["exposure.dynamic_range_stops"] == reasons["LOW_DYNAMIC_RANGE"]
    assert beyond["noise_sigma"] == reasons["NOISY"]


def test_a_reason_alone_is_counted_apart(findings: Findings) -> None:
    """Lifting one limit frees just the pictures that nothing else is wrong with."""
    assert all(0 <= reason.alone_count <= reason.count for reason in findings.reasons)
    assert any(0 < reason.alone_count < reason.count for reason in findings.reasons)


def test_pictures_at_a_limit_are_the_nearest_on_either_side(findings: Findings) -> None:
    """No other picture lies closer, and the closest comes first."""
    (blur,) = (d for d in findings.distributions if d.axis.name == "blur.probability")
    distances = [abs(row["blur_probability"] - 0.5) for row in blur.nearest]
    assert len(distances) == 6
    assert distances == sorted(distances)
    assert {row["blur_probability"] > 0.5 for row in blur.nearest} == {True, False}


def test_the_worst_pictures_are_beyond_the_limit(findings: Findings) -> None:
    """Farthest first, on the refused side."""
    (noise,) = (d for d in findings.distributions if d.axis.name == "noise_sigma")
    values = [row["noise_sigma"] for row in noise.worst]
    assert values == sorted(values, reverse=True)
    assert min(values) > 14.0


def test_the_same_bytes_are_shown_once(tmp_path: Path) -> None:
    """Copies of one picture do not fill the page."""
    with filled(tmp_path / "run.db", 30) as ledger:
        copied = [row | {"sha256": "copy"} for row in ledger.rows()]
        ledger.put(1, copied)
        assert all(len(d.nearest) <= 2 for d in gather(ledger).distributions)


def test_folders_with_most_trouble_come_first(findings: Findings) -> None:
    """Refused and unjudged pictures both count as trouble."""
    assert [folder.folder for folder in findings.folders] == ["/photos", "/photos/broken"]
    assert findings.folders[1].unjudged_count == 40


def test_an_empty_ledger_has_no_report(tmp_path: Path) -> None:
    """Nothing to say is said."""
    with (
        open_ledger(tmp_path / "run.db") as ledger,
        pytest.raises(LedgerError, match="no pictures"),
    ):
        gather(ledger)
