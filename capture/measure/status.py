"""Whether a measure could be taken at all."""

from __future__ import annotations

from enum import StrEnum


class MeasureStatus(StrEnum):
    """OK, or an honest refusal to give a number."""

    OK = "OK"
    CANNOT_ASSESS = "CANNOT_ASSESS"


class MissingEvidence(StrEnum):
    """Why a measure cannot be taken; also the reason code of the verdict."""

    TOO_SMALL = "TOO_SMALL"
    TOO_FEW_EDGES = "TOO_FEW_EDGES"
    TOO_DARK = "TOO_DARK"
