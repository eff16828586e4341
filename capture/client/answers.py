"""Answers of a server that may be newer than this client."""

from __future__ import annotations

from capture.assessment import Assessment
from capture.client.errors import JudgementFailedError
from capture.gates.stability import Stability
from capture.v1 import assessment_pb2, session_pb2
from capture.wire.assessments import assessment_from_wire
from capture.wire.sessions import stability_from_wire

NEWER_SERVER = "NEWER_SERVER"


def read_assessment(message: assessment_pb2.Assessment) -> Assessment:
    """Take an assessment out of its message.

    Raises
    ------
    JudgementFailedError
        If it says something that this version has no word for.
    """
    try:
        return assessment_from_wire(message)
    except ValueError as error:
        raise JudgementFailedError(NEWER_SERVER, f"the server is newer: {error}") from error


def read_stability(message: session_pb2.StabilityUpdate) -> Stability:
    """Take what is said of a preview out of its message.

    Raises
    ------
    JudgementFailedError
        If it says something that this version has no word for.
    """
    try:
        return stability_from_wire(message)
    except ValueError as error:
        raise JudgementFailedError(NEWER_SERVER, f"the server is newer: {error}") from error
