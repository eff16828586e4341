"""Enums: a member ``RETAKE`` of ours is ``VERDICT_RETAKE`` on the wire."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from capture.gates.stability import HintCode, MotionSource, StabilityState
from capture.gates.verdict import ReasonCode, Verdict
from capture.images import ImageEncoding
from capture.measure.measures import BlurKind
from capture.measure.status import MeasureStatus, MissingEvidence
from capture.session import ConvergenceState
from capture.v1 import assessment_pb2, image_pb2, session_pb2

if TYPE_CHECKING:
    from google.protobuf.internal.enum_type_wrapper import _EnumTypeWrapper

Member = TypeVar("Member", bound=StrEnum)


class EnumTable(Generic[Member]):
    """The members of one of our enums and their values on the wire.

    Parameters
    ----------
    members : type of StrEnum
        Our enum.
    wire : enum wrapper
        The generated enum; it has a value for every member.
    prefix : str
        What its value names begin with, for example ``VERDICT``.
    unset : StrEnum, optional
        The member that stands for the unset value, where there is one.

    Raises
    ------
    ValueError
        If the wire has no value for a member.
    """

    def __init__(
        self,
        members: type[Member],
        wire: _EnumTypeWrapper[Any],
        prefix: str,
        *,
        unset: Member | None = None,
    ) -> None:
        self.members = members
        self.wire = wire
        self._to_wire = {
            member: 0 if member is unset else wire.Value(f"{prefix}_{member.name}")
            for member in members
        }
        self._from_wire = {value: member for member, value in self._to_wire.items()}

    def to_wire(self, member: Member | None) -> Any:
        """Return the value of a member; None is the unset value, 0."""
        return 0 if member is None else self._to_wire[member]

    def from_wire(self, value: int) -> Member | None:
        """Return the member of a value; None when it is unset.

        Raises
        ------
        ValueError
            If the value is none that we know.
        """
        return None if value == 0 else self.require(value)

    def require(self, value: int) -> Member:
        """Return the member of a value, unset only where a member stands for that.

        Raises
        ------
        ValueError
            If the value is none that we know.
        """
        try:
            return self._from_wire[value]
        except KeyError:
            raise ValueError(f"no {self.members.__name__} has the value {value}") from None


VERDICTS = EnumTable(Verdict, assessment_pb2.Verdict, "VERDICT")
REASON_CODES = EnumTable(ReasonCode, assessment_pb2.ReasonCode, "REASON_CODE")
MISSING_EVIDENCE = EnumTable(MissingEvidence, assessment_pb2.ReasonCode, "REASON_CODE")
MEASURE_STATUSES = EnumTable(MeasureStatus, assessment_pb2.MeasureStatus, "MEASURE_STATUS")
BLUR_KINDS = EnumTable(BlurKind, assessment_pb2.BlurKind, "BLUR_KIND")
IMAGE_ENCODINGS = EnumTable(ImageEncoding, image_pb2.ImageEncoding, "IMAGE_ENCODING")
STABILITY_STATES = EnumTable(StabilityState, session_pb2.StabilityState, "STABILITY_STATE")
MOTION_SOURCES = EnumTable(
    MotionSource, session_pb2.MotionSource, "MOTION_SOURCE", unset=MotionSource.NONE
)
HINT_CODES = EnumTable(HintCode, session_pb2.HintCode, "HINT_CODE", unset=HintCode.NONE)
CONVERGENCE_STATES = EnumTable(
    ConvergenceState,
    session_pb2.ConvergenceState,
    "CONVERGENCE_STATE",
    unset=ConvergenceState.UNSPECIFIED,
)
