"""Models and what was found of them, as messages and back."""

from __future__ import annotations

from capture.v1 import model_admin_pb2
from inference.examination import Comparison, Examination, TierExamination
from inference.registry import ModelEntry, TierEntry


def entry_to_wire(entry: ModelEntry) -> model_admin_pb2.Model:
    """Write a model of the list as its message."""
    return model_admin_pb2.Model(
        id=entry.id,
        description=entry.description,
        source=entry.source,
        license=entry.license,
        label_count=entry.label_count,
        tiers=(
            model_admin_pb2.ModelTier(
                name=tier.name,
                size_bytes=tier.size_bytes,
                sha256=tier.sha256,
                needs_verification=tier.needs_verification,
            )
            for tier in entry.tiers
        ),
        active=entry.is_active,
        served=entry.is_served,
    )


def entry_from_wire(message: model_admin_pb2.Model) -> ModelEntry:
    """Take a model of the list out of its message."""
    return ModelEntry(
        id=message.id,
        description=message.description,
        source=message.source,
        license=message.license,
        label_count=message.label_count,
        tiers=tuple(
            TierEntry(tier.name, tier.size_bytes, tier.sha256, tier.needs_verification)
            for tier in message.tiers
        ),
        is_active=message.active,
        is_served=message.served,
    )


def examination_to_wire(examination: Examination) -> model_admin_pb2.VerifyModelResponse:
    """Write what was found of a model as its message."""
    return model_admin_pb2.VerifyModelResponse(
        model=examination.model, tiers=map(_tier_to_wire, examination.tiers)
    )


def examination_from_wire(message: model_admin_pb2.VerifyModelResponse) -> Examination:
    """Take what was found of a model out of its message."""
    return Examination(message.model, tuple(map(_tier_from_wire, message.tiers)))


def _tier_to_wire(tier: TierExamination) -> model_admin_pb2.TierVerification:
    found = tier.comparison
    message = model_admin_pb2.TierVerification(tier=tier.name, passed=tier.passed)
    if found is not None:
        message.reference = found.reference
        message.picture_count = found.picture_count
        message.confident_count = found.confident_count
        message.agreement = found.agreement
        message.confident_agreement = found.confident_agreement
        message.mean_difference = found.mean_difference
        message.cpu = found.cpu
    return message


def _tier_from_wire(message: model_admin_pb2.TierVerification) -> TierExamination:
    comparison = Comparison(
        reference=message.reference,
        picture_count=message.picture_count,
        confident_count=message.confident_count,
        agreement=message.agreement,
        confident_agreement=message.confident_agreement,
        mean_difference=message.mean_difference,
        cpu=message.cpu,
    )
    return TierExamination(message.tier, message.passed, comparison if message.reference else None)
