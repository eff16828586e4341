"""Rows judged together get what each gets alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from capture.gates.profile import CannotAssessPolicy, Profile, load_profile
from capture.gates.verdict import ReasonCode, Verdict
from capture.ledger.database import as_json
from capture.ledger.ledger import open_ledger
from capture.ledger.rejudging import Judgement, Standing, judgements_of
from capture.ledger.rows import Row, judged_again
from capture.measure.measures import Blur, BlurKind, Exposure, StillMeasures
from capture.measure.status import MissingEvidence
from tests.review.ledgers import judged

PROFILES = [load_profile(name) for name in ("default", "strict", "lenient")]
COUNT = 1000


def anything(rng: np.random.Generator, profile: Profile) -> StillMeasures:
    """Measures of a picture with anything wrong, missing, or exactly at a limit."""
    exposure, blur = profile.exposure, profile.blur

    def near(limit: float) -> float:
        return float(rng.choice([limit, np.nextafter(limit, 9), limit * rng.uniform(0, 3)]))

    def seldom_none(value: float) -> float | None:
        return None if rng.random() < 0.1 else value

    found = Blur(
        None,
        seldom_none(min(near(blur.max_probability), 1.0)),
        BlurKind.MOTION if rng.random() < 0.5 else BlurKind.DEFOCUS,
        float(rng.exponential(3)),
        seldom_none(near(blur.min_blur_px_at_reference)),
        float(rng.exponential(20)),
        None,
        int(rng.integers(60, 5000)),
    )
    if rng.random() < 0.3:
        missing = list(MissingEvidence)[rng.integers(len(MissingEvidence))]
        found = Blur.cannot_assess(missing, int(rng.integers(0, 200)))
    limit_ev = exposure.min_offset_ev if rng.random() < 0.5 else exposure.max_offset_ev
    return StillMeasures(
        int(near(profile.size.min_short_edge_px)),
        int(near(profile.size.min_short_edge_px)),
        found,
        Exposure(
            None,
            seldom_none(near(limit_ev)),
            min(near(exposure.max_clipped_highlight_fraction), 1.0),
            min(near(exposure.max_clipped_shadow_fraction), 1.0),
            0.0,
            0.0,
            near(exposure.min_dynamic_range_stops),
        ),
        seldom_none(near(profile.noise.max_sigma)),
    )


def standing_of(row: Row) -> Standing:
    return Standing._make([row[name] for name in Standing._fields])


@pytest.mark.parametrize(
    ("profile", "leads_to"),
    list(product(PROFILES, Verdict)),
    ids=lambda value: value.name if isinstance(value, Profile) else value.value,
)
def test_rows_together_and_alone_are_judged_alike(profile: Profile, leads_to: Verdict) -> None:
    """Verdicts, reasons with values, scalars and hints, and their order are equal to the bit."""
    limits = replace(profile, cannot_assess=CannotAssessPolicy(leads_to))
    rng = np.random.default_rng(11)
    rows = [judged(f"/{n}", anything(rng, limits)) for n in range(COUNT)]
    alone = [judged_again(row, limits, "2.0") for row in rows]
    together = judgements_of([standing_of(row) for row in rows], limits)
    assert together == [
        Judgement(row["path"], row["verdict"], row["reason_codes"], as_json(row["reasons"]))
        for row in alone
    ]
    codes = Counter(code for row in together for code in row.reason_codes.split(","))
    assert set(codes) == {"", *(code.value for code in ReasonCode)}


def test_a_ledger_judged_together_reads_as_one_judged_row_by_row(tmp_path: Path) -> None:
    """Labels stay where a picture is still accepted, and go where it is not."""
    strict, rng = load_profile("strict"), np.random.default_rng(5)
    label = {"labels": [{"label": "pigeon", "probability": 0.9}], "model": "lite0@1"}
    rows = [judged(f"/{n:04d}", anything(rng, strict)) | {"run_id": 1} for n in range(500)]
    rows = [row | label if row["verdict"] == Verdict.ACCEPT else row for row in rows]
    with open_ledger(tmp_path / "run.db") as ledger:
        run_id = ledger.begin_run(["/"], PROFILES[0], "1.0", classify=True)
        ledger.put(run_id, rows)
        again_id = ledger.begin_run(["/"], strict, "2.0", classify=False)
        standing = list(ledger.standing_at([row["path"] for row in rows]).values())
        ledger.put_judgements(again_id, strict, "2.0", judgements_of(standing, strict))
        stored = list(ledger.rows())
    assert stored == [judged_again(row, strict, "2.0") | {"run_id": again_id} for row in rows]
    labelled = [row for row in stored if row["labels"] is not None]
    assert 0 < len(labelled) < sum("model" in row and row["model"] is not None for row in rows)


def test_no_rows_are_no_judgements() -> None:
    """Nothing to judge gives nothing."""
    assert judgements_of([], PROFILES[0]) == []
