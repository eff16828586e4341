"""Numbers that a message may leave out."""

from __future__ import annotations

from google.protobuf.message import Message


def number_of(message: Message, field: str) -> float | None:
    """Return a number of a message; None when it was not set, which is not the same as 0.

    Raises
    ------
    ValueError
        If the message has no such field, or one that is always there.
    """
    return float(getattr(message, field)) if message.HasField(field) else None
