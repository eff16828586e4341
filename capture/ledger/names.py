"""Names of files as text that any database takes."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return text that every database takes: odd bytes as ``\xff``, no NUL."""
    legible = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return legible.replace("\0", "\\x00")
