"""Assessments on the wire.

Not on the wire: the tiles of the blur measure, which only the explain view draws, and what
only the ledger keeps: the perceptual hash and the settings from EXIF.
"""

from __future__ import annotations

from capture.assessment import Assessment, Provenance, StageTimes
from capture.gates.verdict import Reason
from capture.measure.measures import Blur, Exposure, StillMeasures
from capture.v1 import assessment_pb2
from capture.wire.enums import (
    BLUR_KINDS,
    MEASURE_STATUSES,
    MISSING_EVIDENCE,
    REASON_CODES,
    VERDICTS,
)
from capture.wire.presence import number_of
from inference.prediction import Label, Prediction


def assessment_to_wire(
    assessment: Assessment, *, queue_ms: float = 0.0
) -> assessment_pb2.Assessment:
    """Put an assessment into its message.

    Parameters
    ----------
    assessment : Assessment
        What a worker said.
    queue_ms : float
        Time it waited for a worker, in milliseconds.
    """
    measures = assessment.measures
    prediction = assessment.prediction
    return assessment_pb2.Assessment(
        width_px=measures.width_px,
        height_px=measures.height_px,
        verdict=VERDICTS.to_wire(assessment.verdict),
        reasons=[_reason_to_wire(reason) for reason in assessment.reasons],
        blur=_blur_to_wire(measures.blur),
        exposure=_exposure_to_wire(measures.exposure),
        noise_sigma=measures.noise_sigma,
        classification=None if prediction is None else _prediction_to_wire(prediction),
        provenance=assessment_pb2.Provenance(
            engine_version=assessment.provenance.engine_version,
            profile=assessment.provenance.profile,
            profile_sha256=assessment.provenance.profile_sha256,
            decode=assessment.provenance.decode,
        ),
        times=assessment_pb2.StageTimes(
            queue_ms=queue_ms,
            decode_ms=assessment.times.decode_ms,
            measure_ms=assessment.times.measure_ms,
            classify_ms=assessment.times.classify_ms,
        ),
    )


def assessment_from_wire(message: assessment_pb2.Assessment) -> Assessment:
    """Take an assessment out of its message.

    Raises
    ------
    ValueError
        If an enum holds a value that this version does not know.
    """
    classified = message.HasField("classification")
    return Assessment(
        measures=StillMeasures(
            width_px=message.width_px,
            height_px=message.height_px,
            blur=_blur_from_wire(message.blur),
            exposure=_exposure_from_wire(message.exposure),
            noise_sigma=number_of(message, "noise_sigma"),
        ),
        reasons=tuple(_reason_from_wire(reason) for reason in message.reasons),
        prediction=_prediction_from_wire(message) if classified else None,
        provenance=Provenance(
            engine_version=message.provenance.engine_version,
            profile=message.provenance.profile,
            profile_sha256=message.provenance.profile_sha256,
            decode=message.provenance.decode,
        ),
        times=StageTimes(
            decode_ms=message.times.decode_ms,
            measure_ms=message.times.measure_ms,
            classify_ms=message.times.classify_ms,
        ),
    )


def _reason_to_wire(reason: Reason) -> assessment_pb2.Reason:
    return assessment_pb2.Reason(
        code=REASON_CODES.to_wire(reason.code),
        measure=reason.measure,
        value=reason.value,
        limit=reason.limit,
        scalar=reason.scalar,
        hint=reason.hint,
        leads_to=VERDICTS.to_wire(reason.leads_to),
    )


def _reason_from_wire(message: assessment_pb2.Reason) -> Reason:
    return Reason(
        code=REASON_CODES.require(message.code),
        measure=message.measure,
        value=message.value,
        limit=message.limit,
        scalar=message.scalar,
        hint=message.hint,
        leads_to=VERDICTS.require(message.leads_to),
    )


def _blur_to_wire(blur: Blur) -> assessment_pb2.Blur:
    return assessment_pb2.Blur(
        status=MEASURE_STATUSES.to_wire(blur.status),
        probability=blur.probability,
        kind=BLUR_KINDS.to_wire(blur.kind),
        blur_px=blur.blur_px,
        blur_px_at_reference=blur.blur_px_at_reference,
        motion_extent_px=blur.motion_extent_px,
        motion_angle_deg=blur.motion_angle_deg,
        edge_count=blur.edge_count,
        missing=MISSING_EVIDENCE.to_wire(blur.missing),
    )


def _blur_from_wire(message: assessment_pb2.Blur) -> Blur:
    return Blur(
        missing=MISSING_EVIDENCE.from_wire(message.missing),
        probability=number_of(message, "probability"),
        kind=BLUR_KINDS.from_wire(message.kind),
        blur_px=number_of(message, "blur_px"),
        blur_px_at_reference=number_of(message, "blur_px_at_reference"),
        motion_extent_px=number_of(message, "motion_extent_px"),
        motion_angle_deg=number_of(message, "motion_angle_deg"),
        edge_count=message.edge_count,
    )


def _exposure_to_wire(exposure: Exposure) -> assessment_pb2.Exposure:
    return assessment_pb2.Exposure(
        status=MEASURE_STATUSES.to_wire(exposure.status),
        offset_ev=exposure.offset_ev,
        clipped_highlight_fraction=exposure.clipped_highlight_fraction,
        clipped_shadow_fraction=exposure.clipped_shadow_fraction,
        largest_clipped_highlight_fraction=exposure.largest_clipped_highlight_fraction,
        largest_clipped_shadow_fraction=exposure.largest_clipped_shadow_fraction,
        dynamic_range_stops=exposure.dynamic_range_stops,
        missing=MISSING_EVIDENCE.to_wire(exposure.missing),
    )


def _exposure_from_wire(message: assessment_pb2.Exposure) -> Exposure:
    return Exposure(
        missing=MISSING_EVIDENCE.from_wire(message.missing),
        offset_ev=number_of(message, "offset_ev"),
        clipped_highlight_fraction=message.clipped_highlight_fraction,
        clipped_shadow_fraction=message.clipped_shadow_fraction,
        largest_clipped_highlight_fraction=message.largest_clipped_highlight_fraction,
        largest_clipped_shadow_fraction=message.largest_clipped_shadow_fraction,
        dynamic_range_stops=message.dynamic_range_stops,
    )


def _prediction_to_wire(prediction: Prediction) -> assessment_pb2.Classification:
    return assessment_pb2.Classification(
        model=prediction.model,
        tier=prediction.tier,
        tier_reason=prediction.tier_reason,
        labels=[
            assessment_pb2.Label(label=label.label, probability=label.probability)
            for label in prediction.labels
        ],
    )


def _prediction_from_wire(message: assessment_pb2.Assessment) -> Prediction:
    classification = message.classification
    return Prediction(
        model=classification.model,
        tier=classification.tier,
        tier_reason=classification.tier_reason,
        labels=tuple(Label(label.label, label.probability) for label in classification.labels),
        duration_ms=message.times.classify_ms,
    )
