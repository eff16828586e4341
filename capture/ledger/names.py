"""Names of pictures as text that any database takes."""

from __future__ import annotations

import re

MEMBER = "!"
"""Between the path of an archive and the name of a member."""

_ODD_BYTE = re.compile(r"\\x([89a-f][0-9a-f])")


def printable(text: str) -> str:
    r"""Return text that every database takes: odd bytes as ``\xff``, no NUL."""
    legible = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return legible.replace("\0", "\\x00")


def with_odd_bytes(text: str) -> str:
    """Return the name of a file that `printable` may have made this of."""
    return _ODD_BYTE.sub(lambda found: chr(0xDC00 + int(found[1], 16)), text)
