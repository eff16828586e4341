"""The assessment of one picture, and its record as JSON.

One record in all three uses: over the stream, from the archive, in field QA.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from capture.gates.profile import Profile
from capture.gates.verdict import Reason, Verdict, verdict_of
from capture.images.image import CaptureSettings
from capture.measure.measures import Blur, Exposure, StillMeasures
from capture.measure.motion import PreviewMeasures
from inference.prediction import Prediction


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made an assessment, so that it can be made again.

    Attributes
    ----------
    engine_version : str
        Version of this package.
    profile, profile_sha256 : str
        Name of the limits, and the hash of the file they came from.
    decode : str
        How the pixels were read, for example ``jpeg/simplejpeg orientation=6``.
    """

    engine_version: str
    profile: str
    profile_sha256: str
    decode: str


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Time spent by the worker on one picture, in milliseconds."""

    decode_ms: float
    measure_ms: float
    classify_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredPreview:
    """What a preview says, and the time that the worker spent on it, in milliseconds."""

    measures: PreviewMeasures
    decode_ms: float
    measure_ms: float


@dataclass(frozen=True, slots=True)
class Assessment:
    """Measures, the reasons that follow from them, what is in it, and who says so.

    `settings` are what EXIF says of how it was taken; messages do not carry them.
    """

    measures: StillMeasures
    reasons: tuple[Reason, ...]
    prediction: Prediction | None
    provenance: Provenance
    times: StageTimes
    settings: CaptureSettings = field(default_factory=CaptureSettings)

    @property
    def verdict(self) -> Verdict:
        """Derived from the reasons, so that it cannot contradict them."""
        return verdict_of(self.reasons)


def provenance_of(profile: Profile, decode: str, engine_version: str) -> Provenance:
    """Name what an assessment under `profile` was made with."""
    return Provenance(engine_version, profile.name, profile.sha256, decode)


def record_of(path: str, assessment: Assessment) -> dict[str, Any]:
    """Write an assessment as the JSON record; units are in the names. It only grows."""
    measures = assessment.measures
    return {
        "path": path,
        "status": "ok",
        "error": None,
        "width_px": measures.width_px,
        "height_px": measures.height_px,
        "verdict": assessment.verdict.value,
        "reasons": [reason_record_of(reason) for reason in assessment.reasons],
        "blur": _blur(measures.blur),
        "exposure": _exposure(measures.exposure),
        "noise_sigma": measures.noise_sigma,
        "perceptual_hash": measures.perceptual_hash,
        "capture_settings": _settings(assessment.settings),
        "classification": _classification(assessment.prediction),
        "provenance": {
            "engine_version": assessment.provenance.engine_version,
            "profile": assessment.provenance.profile,
            "profile_sha256": assessment.provenance.profile_sha256,
            "decode": assessment.provenance.decode,
        },
    }


def error_record_of(path: str, status: str, error: str) -> dict[str, Any]:
    """Write the record of a picture that could not be judged: why, and nothing else."""
    return {
        "path": path,
        "status": status,
        "error": error,
        "width_px": None,
        "height_px": None,
        "verdict": None,
        "reasons": [],
        "blur": None,
        "exposure": None,
        "noise_sigma": None,
        "perceptual_hash": None,
        "capture_settings": None,
        "classification": None,
        "provenance": None,
    }


def reason_record_of(reason: Reason) -> dict[str, Any]:
    """Write a reason as it stands in the record."""
    return {
        "code": reason.code.value,
        "measure": reason.measure,
        "value": reason.value,
        "limit": reason.limit,
        "scalar": reason.scalar,
        "hint": reason.hint,
        "leads_to": reason.leads_to.value,
    }


def _blur(blur: Blur) -> dict[str, Any]:
    return {
        "status": blur.status.value,
        "missing": blur.missing.value if blur.missing else None,
        "probability": blur.probability,
        "kind": blur.kind.value if blur.kind else None,
        "blur_px": blur.blur_px,
        "blur_px_at_reference": blur.blur_px_at_reference,
        "motion_extent_px": blur.motion_extent_px,
        "motion_angle_deg": blur.motion_angle_deg,
        "edge_count": blur.edge_count,
    }


def _exposure(exposure: Exposure) -> dict[str, Any]:
    return {
        "status": exposure.status.value,
        "missing": exposure.missing.value if exposure.missing else None,
        "offset_ev": exposure.offset_ev,
        "clipped_highlight_fraction": exposure.clipped_highlight_fraction,
        "clipped_shadow_fraction": exposure.clipped_shadow_fraction,
        "largest_clipped_highlight_fraction": exposure.largest_clipped_highlight_fraction,
        "largest_clipped_shadow_fraction": exposure.largest_clipped_shadow_fraction,
        "dynamic_range_stops": exposure.dynamic_range_stops,
    }


def _settings(settings: CaptureSettings) -> dict[str, Any]:
    moment = settings.captured_at
    return {
        "captured_at": None if moment is None else moment.isoformat(),
        "exposure_time_s": settings.exposure_time_s,
        "f_number": settings.f_number,
        "iso": settings.iso,
    }


def _classification(prediction: Prediction | None) -> dict[str, Any] | None:
    if prediction is None:
        return None
    return {
        "model": prediction.model,
        "tier": prediction.tier,
        "tier_reason": prediction.tier_reason,
        "labels": [
            {"label": label.label, "probability": label.probability} for label in prediction.labels
        ],
    }
