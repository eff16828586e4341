"""What a client can meet beside the errors of a picture, drawn as a tree.

::

    SmartCaptureError                 capture.errors
    |-- ImageError and its classes    the picture cannot be judged: the same classes as there
    |-- ProfileError, SessionError, InvalidMessageError    the request cannot be used
    |-- OverloadedError               too busy, even after the waits that the server asked for
    |-- DrainingError                 it is going down
    |-- UnauthenticatedError, PermissionDeniedError    the token is not known, or not good for this
    |-- IdleTimeoutError              nothing was sent for so long that the server hung up
    `-- ServerError                   the server, or the way to it
        |-- ServerUnreachableError        no answer from there
        |-- AnswerTooLateError            the deadline passed
        |-- WorkersLostError              its workers end one after another; none is there now
        |-- UnknownModelError             it has no such model
        |-- ModelRefusedError             it does not serve that model; says why
        |   `-- ModelNotVerifiedError         it answers differently on that CPU
        `-- JudgementFailedError          it tried, and failed; carries its code
"""

from __future__ import annotations

import grpc

from capture import errors
from capture.errors import (
    DrainingError,
    IdleTimeoutError,
    ImageError,
    InvalidMessageError,
    OverloadedError,
    PermissionDeniedError,
    ProfileError,
    SessionError,
    SmartCaptureError,
    UnauthenticatedError,
)
from capture.wire.metadata import ERROR_CODE_KEY, PUSHBACK_KEY, REQUEST_ID_KEY

_DEFAULT_PUSHBACK_MS = 1000


class ServerError(SmartCaptureError):
    """The server, or the way to it."""


class ServerUnreachableError(ServerError):
    """Nothing answers there."""


class AnswerTooLateError(ServerError):
    """The deadline passed before the answer came."""


class WorkersLostError(ServerError):
    """The workers of the server end one after another, so that it waits before the next."""


class UnknownModelError(ServerError):
    """The server has no such model, or none was active before."""


class ModelRefusedError(ServerError):
    """The server does not serve that model; the one of before goes on."""


class ModelNotVerifiedError(ModelRefusedError):
    """A quantized tier of that model answers differently on the CPU of the server."""


class JudgementFailedError(ServerError):
    """The server tried and failed.

    Parameters
    ----------
    code : str
        Stable name of the cause, for example ``TIMEOUT`` or ``INTERNAL``.
    message : str
        The cause in words.
    request_id : str
        Under which the server's log has more; empty when it was not said.
    """

    def __init__(self, code: str, message: str, request_id: str = "") -> None:
        super().__init__(f"{message} (request {request_id})" if request_id else message)
        self.code = code
        self.request_id = request_id


def error_of(
    code: str, message: str, retry_after_ms: int = 0, request_id: str = ""
) -> SmartCaptureError:
    """Return what a server reported by its stable name, as the class that it was there.

    Parameters
    ----------
    code : str
        The stable name, for example ``TRUNCATED``.
    message : str
        The cause in words.
    retry_after_ms : int
        When to come back, where the server said so.
    request_id : str
        Under which the server's log has more.
    """
    if code == "OVERLOADED":
        return OverloadedError(message, retry_after_ms or _DEFAULT_PUSHBACK_MS)
    kind = _KINDS.get(code)
    return JudgementFailedError(code, message, request_id) if kind is None else kind(message)


def error_of_call(error: grpc.aio.AioRpcError) -> SmartCaptureError:
    """Return what the end of a call means, in the classes of this package."""
    message = error.details() or "no details"
    if code := _metadata(error, ERROR_CODE_KEY):
        retry_after_ms = max(pushback_ms(error) or 0, 0)
        return error_of(code, message, retry_after_ms, _metadata(error, REQUEST_ID_KEY))
    match error.code():
        case grpc.StatusCode.UNAVAILABLE:
            return ServerUnreachableError(message)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return AnswerTooLateError(message)
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return OverloadedError(message, max(pushback_ms(error) or 0, 0))
        case status:
            return JudgementFailedError(status.name, message)


def pushback_ms(error: grpc.aio.AioRpcError) -> int | None:
    """Return how long the server asks to wait; negative means not to come back.

    References
    ----------
    gRPC proposal A6, client retries: server pushback.
    """
    text = _metadata(error, PUSHBACK_KEY)
    try:
        return int(text)
    except ValueError:
        return None


def _metadata(error: grpc.aio.AioRpcError, key: str) -> str:
    value = dict(error.trailing_metadata() or ()).get(key, "")
    return value if isinstance(value, str) else value.decode()


_KINDS: dict[str, type[SmartCaptureError]] = {
    **{
        kind.code: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, ImageError)
    },
    "UNKNOWN_PROFILE": ProfileError,
    "INVALID_MESSAGE": InvalidMessageError,
    "SESSION_PROTOCOL": SessionError,
    "DRAINING": DrainingError,
    "UNAUTHENTICATED": UnauthenticatedError,
    "PERMISSION_DENIED": PermissionDeniedError,
    "IDLE": IdleTimeoutError,
    "WORKERS_LOST": WorkersLostError,
    "UNKNOWN_MODEL": UnknownModelError,
    "MODEL_REFUSED": ModelRefusedError,
    "MODEL_NOT_VERIFIED": ModelNotVerifiedError,
}
