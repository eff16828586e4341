"""What a classifier says of one picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Label:
    """One class with its probability in [0, 1]."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer of a classifier, most probable label first.

    Attributes
    ----------
    model : str
        Name and version of the model, ``name@version``.
    tier : str
        Which tier answered, by its name in the manifest: ``int8`` or ``fp32``.
    tier_reason : str
        Why that tier: for example ``margin 0.41 >= 0.15``.
    labels : tuple of Label
        Sorted by probability, highest first.
    duration_ms : float
        Time spent in preprocessing and inference, in milliseconds.
    """

    model: str
    tier: str
    tier_reason: str
    labels: tuple[Label, ...]
    duration_ms: float
