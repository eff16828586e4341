"""The six stills measured: as written down with them, and clear of every limit."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from capture.assess import assess_image
from capture.demo.samples import samples_folder
from capture.gates.profile import load_profile
from capture.images import EncodedImage
from capture.measure.measures import BlurKind, StillMeasures
from inference.tiers import load_classifier

EXPECTED = json.loads((samples_folder() / "expected.json").read_text())
PROFILE = load_profile(EXPECTED["profile"])

TOLERANCES = {
    "blur.probability": 0.05,
    "blur.blur_px": 0.3,
    "exposure.offset_ev": 0.2,
    "exposure.clipped_highlight_fraction": 0.02,
    "exposure.clipped_shadow_fraction": 0.02,
    "exposure.dynamic_range_stops": 0.2,
}
LIMITS = {
    "blur.probability": (PROFILE.blur.max_probability,),
    "exposure.offset_ev": (PROFILE.exposure.min_offset_ev, PROFILE.exposure.max_offset_ev),
    "exposure.clipped_highlight_fraction": (PROFILE.exposure.max_clipped_highlight_fraction,),
    "exposure.clipped_shadow_fraction": (PROFILE.exposure.max_clipped_shadow_fraction,),
    "exposure.dynamic_range_stops": (PROFILE.exposure.min_dynamic_range_stops,),
}

each_still = pytest.mark.parametrize("still", EXPECTED["stills"], ids=lambda one: one["file"])


def judged(still: dict[str, Any], classifier: Any = None) -> Any:
    image = EncodedImage((samples_folder() / still["file"]).read_bytes())
    return assess_image(image, PROFILE, classifier)


def measured(measures: StillMeasures, name: str) -> float | None:
    part, field = name.split(".")
    value: float | None = getattr(getattr(measures, part), field)
    return value


@each_still
def test_a_still_measures_as_written_down(still):
    """Golden values, with a tolerance for another processor; an update says what moved."""
    assessment = judged(still)
    for name, golden in still["measures"].items():
        value = measured(assessment.measures, name)
        if golden is None:
            assert value is None, name
        else:
            assert value == pytest.approx(golden, abs=TOLERANCES[name]), name


@each_still
def test_a_still_has_the_verdict_that_is_expected(still):
    """Verdict, and the reasons for which the picture is there."""
    assessment = judged(still)
    assert assessment.verdict == still["verdict"]
    assert set(still["reasons"]) <= {reason.code for reason in assessment.reasons}


@each_still
def test_no_golden_value_sits_on_a_limit(still):
    """Twice the tolerance away from every limit, a verdict does not hang by a thread."""
    for name, limits in LIMITS.items():
        golden = still["measures"][name]
        for limit in limits:
            assert golden is None or abs(golden - limit) > 2 * TOLERANCES[name], name


def test_the_good_still_is_named():
    """The classifier that ships says what is in it."""
    (good,) = [still for still in EXPECTED["stills"] if still["label"]]
    prediction = judged(good, load_classifier()).prediction
    assert prediction is not None
    assert prediction.labels[0].label == good["label"]


def test_the_shaken_still_is_blurred_as_much_as_it_was_shaken(maker):
    """Known answer: the blur, its length and its direction are those of the hand's path."""
    point = np.zeros((101, 101, 1), np.float32)
    point[50, 50] = 1
    spread = np.maximum(maker.shaken(point, extent_px=22, seed=maker.SEED), 0).reshape(101, 101)
    y, x = np.mgrid[-50:51, -50:51]
    covariance = np.cov(np.vstack([x.ravel(), y.ravel()]), aweights=spread.ravel(), bias=True)
    eigenvalues, eigenvectors = np.linalg.eigh(covariance)
    # filter2D correlates, which turns the spread by 180 degrees: its direction stays.
    direction_deg = math.degrees(math.atan2(eigenvectors[1, 1], eigenvectors[0, 1])) % 180

    (shaken,) = [still for still in EXPECTED["stills"] if still["file"] == "shaken.jpg"]
    blur = judged(shaken).measures.blur
    assert blur.kind is BlurKind.MOTION
    assert blur.blur_px == pytest.approx(math.sqrt(eigenvalues.mean()), rel=0.2)
    assert blur.motion_extent_px == pytest.approx(22, rel=0.2)
    assert abs((blur.motion_angle_deg - direction_deg + 90) % 180 - 90) < 10
