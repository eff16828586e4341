"""Everything that can go wrong, drawn as a tree.

A poor photo is a verdict, never one of these. An exception means: could not judge.

::

    SmartCaptureError
    |-- ImageError                  these bytes cannot be judged; carries a code
    |   |-- EmptyImageError             EMPTY
    |   |-- UnrecognizedFormatError     UNRECOGNIZED_FORMAT
    |   |-- UnsupportedFormatError      UNSUPPORTED_FORMAT
    |   |-- UnsupportedColorError       UNSUPPORTED_COLOR        CMYK and the like
    |   |-- UnsupportedBitDepthError    UNSUPPORTED_BIT_DEPTH    16 bits a channel
    |   |-- AnimatedImageError          ANIMATED                 more than one frame
    |   |-- TruncatedImageError         TRUNCATED
    |   |-- CorruptImageError           CORRUPT
    |   |-- ImageTooLargeError          TOO_LARGE                declared pixels or bytes
    |   `-- InvalidFrameError           INVALID_FRAME            raw planes that do not add up
    |-- UnreadableFileError         UNREADABLE   the file itself: missing, no permission
    |-- ProfileError                no such profile, or its limits make no sense
    |-- ConfigurationError          a setting that cannot be used
    |-- LedgerError                 the database cannot be opened, read or written
    |-- InvalidMessageError         bytes on the wire that are no message of ours
    |-- SessionError                a camera session broke the protocol
    |-- OverloadedError             refused at once; carries when to come back
    |-- UnauthenticatedError        who calls did not say who it is, or nobody knows it
    |-- PermissionDeniedError       who calls is known, and may not do this
    |-- IdleTimeoutError            nothing came for too long
    `-- DrainingError               the server is going down; another one will answer

Nothing here knows gRPC: ``capture.server.status`` maps classes to status codes, and a
test fails when a class has no row there. What a worker process can suffer (killed, hung,
poisoned by a job) is in ``inference.errors``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class SmartCaptureError(Exception):
    """Base of all errors of this package."""


class ImageError(SmartCaptureError):
    """These bytes cannot be judged.

    Attributes
    ----------
    code : str
        The stable name of the cause, as it stands in the ``status`` of a record.
    """

    code: ClassVar[str] = "IMAGE_ERROR"


class EmptyImageError(ImageError):
    """There are no bytes."""

    code = "EMPTY"


class UnrecognizedFormatError(ImageError):
    """The first bytes are of no picture format we know."""

    code = "UNRECOGNIZED_FORMAT"


class UnsupportedFormatError(ImageError):
    """A picture format we know by name and do not decode."""

    code = "UNSUPPORTED_FORMAT"


class UnsupportedColorError(ImageError):
    """A colour model without a defined luma here, such as CMYK."""

    code = "UNSUPPORTED_COLOR"


class UnsupportedBitDepthError(ImageError):
    """More than 8 bits a channel."""

    code = "UNSUPPORTED_BIT_DEPTH"


class AnimatedImageError(ImageError):
    """More than one frame: which one would be judged?"""

    code = "ANIMATED"


class TruncatedImageError(ImageError):
    """The data ends before the picture does."""

    code = "TRUNCATED"


class CorruptImageError(ImageError):
    """The data contradicts itself."""

    code = "CORRUPT"


class ImageTooLargeError(ImageError):
    """More pixels are declared, or more bytes sent, than the limit allows."""

    code = "TOO_LARGE"


class InvalidFrameError(ImageError):
    """Raw planes whose size, stride or rotation do not add up."""

    code = "INVALID_FRAME"


class UnreadableFileError(SmartCaptureError):
    """The file itself cannot be read: missing, a folder, no permission."""

    code: ClassVar[str] = "UNREADABLE"


class ProfileError(SmartCaptureError):
    """No such profile, or its limits make no sense."""


class ConfigurationError(SmartCaptureError):
    """A setting that cannot be used."""


class LedgerError(SmartCaptureError):
    """The database of assessments cannot be opened, read or written."""


class InvalidMessageError(SmartCaptureError):
    """Bytes on the wire that are no message of ours."""


class SessionError(SmartCaptureError):
    """A camera session broke the protocol, for example no configuration first."""


class OverloadCause(StrEnum):
    """What there is too little of."""

    DEADLINE = "deadline"
    """The answer would come after the caller has given up."""
    TURN = "turn"
    """A job waited, and its turn came too late."""
    QUEUE_LENGTH = "queue_length"
    """As many jobs wait as may."""
    QUEUE_BYTES = "queue_bytes"
    """The jobs that wait are as large as they may be."""
    PLACES = "places"
    """The caller, or all together, have as much open as they may."""


class OverloadedError(SmartCaptureError):
    """Refused at once because the answer would come too late.

    Parameters
    ----------
    message : str
        What is full, in words.
    retry_after_ms : int
        When it is worth coming back, in milliseconds.
    cause : OverloadCause
        What is full, to be counted by.
    """

    def __init__(
        self, message: str, retry_after_ms: int, cause: OverloadCause = OverloadCause.DEADLINE
    ) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms
        self.cause = cause


class DrainingError(SmartCaptureError):
    """The server is going down and takes nothing new; another one will answer."""


class UnauthenticatedError(SmartCaptureError):
    """Who calls did not say who it is, or nobody knows it."""


class PermissionDeniedError(SmartCaptureError):
    """Who calls is known, and may not do this."""


class IdleTimeoutError(SmartCaptureError):
    """Nothing came for too long; the place is for somebody else."""
