"""Camera RAW files, made for the tests: a digital negative with a preview inside."""

from __future__ import annotations

import struct
from collections.abc import Mapping

BYTE, ASCII, SHORT, LONG, RATIONAL = 1, 2, 3, 4, 5
_FORMS = {BYTE: "B", SHORT: "H", LONG: "I"}

Tag = tuple[int, bytes | tuple[int, ...]]
"""Type of TIFF, and the values."""


def digital_negative(
    preview: bytes | None,
    preview_size: tuple[int, int] = (1200, 900),
    *,
    size: tuple[int, int] = (2400, 1800),
    orientation: int = 1,
    stored_size: tuple[int, int] = (32, 24),
) -> bytes:
    """A DNG of `size` (width, height) with a JPEG `preview`, taken in 1/100 s at f/4, ISO 200.

    Its sensor data is `stored_size` only: nobody is to look at it.
    """
    mosaic = bytes(2 * stored_size[0] * stored_size[1])
    sensor: dict[int, Tag] = {
        254: (LONG, (0,)),
        256: (LONG, (size[0],)),
        257: (LONG, (size[1],)),
        258: (SHORT, (16,)),
        259: (SHORT, (1,)),
        262: (SHORT, (32803,)),
        277: (SHORT, (1,)),
        278: (LONG, (size[1],)),
        279: (LONG, (len(mosaic),)),
        33421: (SHORT, (2, 2)),
        33422: (BYTE, bytes([0, 1, 1, 2])),
    }
    shot: dict[int, Tag] = {
        33434: (RATIONAL, (1, 100)),
        33437: (RATIONAL, (4, 1)),
        34855: (SHORT, (200,)),
        36867: (ASCII, b"2026:11:21 07:30:00\0"),
    }
    first: dict[int, Tag] = {
        254: (LONG, (1,)),
        256: (LONG, (preview_size[0],)),
        257: (LONG, (preview_size[1],)),
        258: (SHORT, (8, 8, 8)),
        259: (SHORT, (7,)),
        262: (SHORT, (6,)),
        271: (ASCII, b"Maker\0"),
        272: (ASCII, b"Model\0"),
        274: (SHORT, (orientation,)),
        277: (SHORT, (3,)),
        278: (LONG, (preview_size[1],)),
        50706: (BYTE, bytes([1, 4, 0, 0])),
        50708: (ASCII, b"Maker Model\0"),
    }
    data = bytearray(b"II*\0\0\0\0\0")

    def place(body: bytes) -> int:
        at = len(data)
        data.extend(body + bytes(len(body) % 2))
        return at

    sensor[273] = (LONG, (place(mosaic),))
    first[330] = (LONG, (place_directory(data, sensor),))
    first[34665] = (LONG, (place_directory(data, shot),))
    if preview is not None:
        first[279] = (LONG, (len(preview),))
        first[273] = (LONG, (place(preview),))
    struct.pack_into("<I", data, 4, place_directory(data, first))
    return bytes(data)


def place_directory(data: bytearray, tags: Mapping[int, Tag]) -> int:
    """Append a directory and the values that do not fit into it; returns where it lies."""
    entries = b""
    for tag, (kind, values) in sorted(tags.items()):
        if isinstance(values, bytes):
            body, count = values, len(values)
        elif kind == RATIONAL:
            body, count = struct.pack(f"<{len(values)}I", *values), len(values) // 2
        else:
            body, count = struct.pack(f"<{len(values)}{_FORMS[kind]}", *values), len(values)
        if len(body) > 4:
            at = len(data)
            data.extend(body + bytes(len(body) % 2))
            body = struct.pack("<I", at)
        entries += struct.pack("<HHI", tag, kind, count) + body.ljust(4, b"\0")
    at = len(data)
    data.extend(struct.pack("<H", len(tags)) + entries + bytes(4))
    return at
