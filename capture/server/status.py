"""The one table from errors to gRPC: status code, stable name, and whether to come back.

An error of a unary call is a status; inside a stream it is an ``ImageError`` message, and
the stream goes on. Both are read from the same table. What is not in the table is a defect
of ours: it becomes INTERNAL, and only the log learns its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import grpc

from capture import errors
from capture.jobs import Unjudged
from capture.v1 import assessment_pb2
from capture.wire.metadata import ERROR_CODE_KEY, PUSHBACK_KEY
from inference import errors as inference_errors

_SILENCE = "the server failed; its log has the cause under this request id"


@dataclass(frozen=True, slots=True)
class StatusRow:
    """How one class of errors is told to a caller.

    Attributes
    ----------
    status : grpc.StatusCode
        Status of a call that ends with it.
    code : str
        Stable name, in the trailing metadata and in messages.
    is_retryable : bool
        The same request may succeed later.
    tells : bool
        The caller reads the error's own words; else only that something failed.
    """

    status: grpc.StatusCode
    code: str
    is_retryable: bool = False
    tells: bool = True


_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_INTERNAL = grpc.StatusCode.INTERNAL

INTERNAL_ROW = StatusRow(_INTERNAL, "INTERNAL", tells=False)
OVERLOADED_ROW = StatusRow(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", is_retryable=True)

STATUS_TABLE: dict[type[Exception], StatusRow] = {
    **{
        image_error: StatusRow(_INVALID, image_error.code)
        for image_error in (
            errors.ImageError,
            errors.EmptyImageError,
            errors.UnrecognizedFormatError,
            errors.UnsupportedFormatError,
            errors.UnsupportedColorError,
            errors.UnsupportedBitDepthError,
            errors.AnimatedImageError,
            errors.TruncatedImageError,
            errors.CorruptImageError,
            errors.ImageTooLargeError,
            errors.InvalidFrameError,
        )
    },
    errors.SmartCaptureError: INTERNAL_ROW,
    errors.UnreadableFileError: StatusRow(_INTERNAL, errors.UnreadableFileError.code, tells=False),
    errors.ProfileError: StatusRow(_INVALID, "UNKNOWN_PROFILE"),
    errors.ConfigurationError: StatusRow(_INTERNAL, "MISCONFIGURED", tells=False),
    errors.LedgerError: StatusRow(_INTERNAL, "LEDGER", tells=False),
    errors.InvalidMessageError: StatusRow(_INVALID, "INVALID_MESSAGE"),
    errors.SessionError: StatusRow(_INVALID, "SESSION_PROTOCOL"),
    errors.OverloadedError: OVERLOADED_ROW,
    errors.DrainingError: StatusRow(grpc.StatusCode.UNAVAILABLE, "DRAINING", is_retryable=True),
    errors.UnauthenticatedError: StatusRow(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED"),
    errors.PermissionDeniedError: StatusRow(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"),
    errors.IdleTimeoutError: StatusRow(grpc.StatusCode.ABORTED, "IDLE", is_retryable=True),
    inference_errors.InferenceError: INTERNAL_ROW,
    inference_errors.ModelError: StatusRow(_INTERNAL, "MODEL", tells=False),
    inference_errors.UnknownModelError: StatusRow(grpc.StatusCode.NOT_FOUND, "UNKNOWN_MODEL"),
    inference_errors.ModelRefusedError: StatusRow(
        grpc.StatusCode.FAILED_PRECONDITION, "MODEL_REFUSED"
    ),
    inference_errors.ModelNotVerifiedError: StatusRow(
        grpc.StatusCode.FAILED_PRECONDITION, "MODEL_NOT_VERIFIED"
    ),
    inference_errors.WorkerError: StatusRow(
        grpc.StatusCode.UNAVAILABLE, "WORKER", is_retryable=True, tells=False
    ),
    inference_errors.WorkerStartError: StatusRow(
        grpc.StatusCode.UNAVAILABLE, "WORKER_START", is_retryable=True, tells=False
    ),
    inference_errors.WorkersLostError: StatusRow(
        grpc.StatusCode.UNAVAILABLE, "WORKERS_LOST", is_retryable=True
    ),
    inference_errors.PoisonJobError: StatusRow(_INVALID, inference_errors.PoisonJobError.code),
    # Not DEADLINE_EXCEEDED: that is the caller's deadline, this is the limit of a job.
    inference_errors.JobTimeoutError: StatusRow(
        grpc.StatusCode.ABORTED, inference_errors.JobTimeoutError.code
    ),
    inference_errors.RemoteError: INTERNAL_ROW,
}

_ROW_OF_CODE = {row.code: row for row in STATUS_TABLE.values()}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a caller is told instead of an answer.

    Attributes
    ----------
    row : StatusRow
        Its row of the table.
    message : str
        In words; no paths, no traces, nothing of our insides.
    retry_after_ms : int
        When it is worth coming back; 0 when it says nothing of that.
    """

    row: StatusRow
    message: str
    retry_after_ms: int = 0

    def metadata(self) -> Iterator[tuple[str, str]]:
        """Yield what stands in the trailing metadata of a call that ends with it."""
        yield ERROR_CODE_KEY, self.row.code
        if self.retry_after_ms:
            yield PUSHBACK_KEY, str(self.retry_after_ms)

    def to_wire(self) -> assessment_pb2.ImageError:
        """Write it as a message inside a stream."""
        return assessment_pb2.ImageError(
            code=self.row.code,
            message=self.message,
            retryable=self.row.is_retryable,
            retry_after_ms=self.retry_after_ms,
        )


def refusal_of(error: Exception | Unjudged) -> Refusal:
    """Return what a caller is told of an error; of one that is not in the table, nothing."""
    if isinstance(error, Unjudged):
        row = _ROW_OF_CODE.get(error.code, INTERNAL_ROW)
        return Refusal(row, error.message if row.tells else _SILENCE)
    row = STATUS_TABLE.get(type(error), INTERNAL_ROW)
    return Refusal(row, str(error) if row.tells else _SILENCE, _retry_after_ms(error))


def _retry_after_ms(error: Exception) -> int:
    match error:
        case errors.OverloadedError():
            return error.retry_after_ms
        case inference_errors.WorkersLostError():
            return max(1, round(1e3 * error.retry_after_s))
        case _:
            return 0
