"""The smallest MP4 that holds a GoPro's gyroscope track."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray


def box(kind: bytes, *parts: bytes) -> bytes:
    inside = b"".join(parts)
    return struct.pack(">I4s", 8 + len(inside), kind) + inside


def value(key: bytes, kind: bytes, size: int, data: bytes) -> bytes:
    padded = data + bytes(-len(data) % 4)
    return struct.pack(">4scBH", key, kind, size, len(data) // size) + padded


def payload(rates: NDArray[np.int16], scale: int, axes: bytes) -> bytes:
    """One stretch of the gyroscope, after a stream of something else."""
    other = value(b"STRM", b"\0", 1, value(b"SCAL", b"s", 2, struct.pack(">h", 7)))
    stream = b"".join(
        [
            value(b"ORIN", b"c", 1, axes),
            value(b"SCAL", b"s", 2, struct.pack(">h", scale)),
            value(b"GYRO", b"s", 6, rates.astype(">i2").tobytes()),
        ]
    )
    name = value(b"DVNM", b"c", 1, b"Camera")
    return value(b"DEVC", b"\0", 1, name + other + value(b"STRM", b"\0", 1, stream))


def gopro_clip(
    payloads: list[bytes], *, ticks: int = 1001, sample_count: int | None = None
) -> bytes:
    """A clip whose track lies in one chunk, each payload `ticks` ms long."""
    start = box(b"ftyp", b"mp41", bytes(4))
    media = box(b"mdat", *payloads)
    count = len(payloads) if sample_count is None else sample_count
    table = box(
        b"stbl",
        box(b"stsd", bytes(4), struct.pack(">I", 1), box(b"gpmd", bytes(8))),
        box(b"stts", bytes(4), struct.pack(">III", 1, count, ticks)),
        box(b"stsc", bytes(4), struct.pack(">IIII", 1, 1, len(payloads), 1)),
        box(
            b"stsz",
            bytes(4),
            struct.pack(">II", 0, count),
            struct.pack(f">{len(payloads)}I", *map(len, payloads)),
        ),
        box(b"stco", bytes(4), struct.pack(">II", 1, len(start) + 8)),
    )
    header = box(b"mdhd", bytes(12), struct.pack(">II", 1000, 0), bytes(4))
    track = box(b"trak", box(b"mdia", header, box(b"minf", table)))
    picture = box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", box(b"stsd", bytes(8))))))
    return start + media + box(b"moov", picture, track)
