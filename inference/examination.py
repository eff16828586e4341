"""May a model be served here? Its files, its networks, and its answers on this CPU."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from inference.classifier import OnnxClassifier
from inference.errors import ModelNotVerifiedError
from inference.manifest import ModelManifest
from inference.registry import Registry
from inference.verification import Verification, verified


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a tier compared with the reference on this CPU.

    Attributes
    ----------
    reference : str
        Name of the tier it was compared with.
    picture_count : int
        Pictures that both were shown.
    confident_count : int
        Pictures of which the reference is sure.
    agreement : float
        Share of the pictures with the same first label.
    confident_agreement : float
        The same among those of which the reference is sure.
    mean_difference : float
        Mean absolute difference of the probability of the reference's first label.
    cpu : str
        Where: see `inference.cpu`.
    """

    reference: str
    picture_count: int
    confident_count: int
    agreement: float
    confident_agreement: float
    mean_difference: float
    cpu: str


@dataclass(frozen=True, slots=True)
class TierExamination:
    """One tier of a model whose file is the one of the manifest, and loads.

    Attributes
    ----------
    name : str
        Of the tier.
    passed : bool
        Whether it may be used on this CPU.
    comparison : Comparison or None
        None for a tier that needs none.
    """

    name: str
    passed: bool
    comparison: Comparison | None


@dataclass(frozen=True, slots=True)
class Examination:
    """A model that loads, tier by tier.

    Attributes
    ----------
    model : str
        ``name@version``.
    tiers : tuple of TierExamination
        Cheapest first.
    """

    model: str
    tiers: tuple[TierExamination, ...]

    def require_passed(self) -> None:
        """Return if every tier may be used on this CPU.

        Raises
        ------
        ModelNotVerifiedError
            If one may not; the message names it.
        """
        failed = [tier.name for tier in self.tiers if not tier.passed]
        if failed:
            raise ModelNotVerifiedError(
                f"{self.model} does not pass its verification on this CPU: {', '.join(failed)}"
            )


def examine(manifest: ModelManifest) -> Examination:
    """Check the files of a model, load its networks, and verify those that need it.

    Raises
    ------
    ModelError
        If a file is not the one of the manifest, or cannot be loaded.
    """
    tiers = []
    for tier in manifest.tiers:
        tier.check()
        OnnxClassifier(manifest, tier)
        if not tier.needs_verification:
            tiers.append(TierExamination(tier.name, True, None))
            continue
        record = verified(manifest, tier)
        tiers.append(TierExamination(tier.name, record.passed, _comparison_of(record)))
    return Examination(manifest.id, tuple(tiers))


class Examiner:
    """Examines the models of a folder; what a process of its own does for a server."""

    def __call__(self, job: tuple[Path | None, str]) -> Examination:
        """Examine the model ``name@version`` of a folder.

        Raises
        ------
        ModelError
            As `examine`, or if there is no such model.
        """
        models_folder, model_id = job
        return examine(Registry(models_folder).model(model_id))


def _comparison_of(record: Verification) -> Comparison:
    return Comparison(**{field.name: getattr(record, field.name) for field in fields(Comparison)})
