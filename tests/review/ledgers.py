"""Ledgers for the tests of the report, filled from a seed without decoding anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from capture.assessment import Assessment, Provenance, StageTimes
from capture.gates.profile import load_profile
from capture.gates.shot import judge
from capture.ledger.ledger import Ledger, open_ledger
from capture.ledger.rows import Row, row_of, row_of_unjudged
from capture.measure.measures import Blur, BlurKind, Exposure, StillMeasures
from capture.measure.status import MissingEvidence

DEFAULT = load_profile("default")


def measures(rng: np.random.Generator) -> StillMeasures:
    """Measures of a picture that may have anything wrong with it, or nothing."""
    probability, blur_px = float(rng.random()), float(rng.exponential(2.0))
    kind = BlurKind.MOTION if rng.random() < 0.3 else BlurKind.DEFOCUS
    blur = Blur(None, probability, kind, blur_px, blur_px / 4, 3.0, None, 400)
    if rng.random() < 0.1:
        blur = Blur.cannot_assess(MissingEvidence.TOO_FEW_EDGES, 2)
    light, dark = (float(share) for share in rng.beta(0.4, 4.0, 2))
    offset_ev, stops = float(rng.normal(0, 1.5)), float(rng.gamma(3.0, 2.0))
    exposure = Exposure(None, offset_ev, light, dark, light / 2, dark / 2, stops)
    return StillMeasures(4000, 3000, blur, exposure, float(rng.exponential(4.0)))


def judged(path: str, found: StillMeasures) -> Row:
    provenance = Provenance("1.0", DEFAULT.name, DEFAULT.sha256, "jpeg/simplejpeg")
    assessment = Assessment(
        found, judge(found, DEFAULT), None, provenance, StageTimes(1.0, 1.0, 0.0)
    )
    return row_of(assessment) | {"path": path, "sha256": path}


def filled(file: Path, count: int, *, broken: int = 0, folder: str = "/photos") -> Ledger:
    """A ledger of `count` judged pictures and `broken` truncated ones."""
    rng = np.random.default_rng(7)
    rows = [judged(f"{folder}/{n:05d}.jpg", measures(rng)) for n in range(count)]
    rows += [
        row_of_unjudged("TRUNCATED", "ends early", DEFAULT, "1.0")
        | {"path": f"{folder}/broken/{n:05d}.jpg"}
        for n in range(broken)
    ]
    ledger = open_ledger(file)
    ledger.put(ledger.begin_run([folder], DEFAULT, "1.0", classify=False), rows)
    return ledger
