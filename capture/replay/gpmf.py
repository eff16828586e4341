"""The gyroscope track that GoPro cameras put into their MP4 files.

GPMF is a tree of keys, lengths and values in a track of its own; a payload covers about a
second. Only what leads to the gyroscope is read.

References
----------
GoPro, "GPMF introduction", github.com/gopro/gpmf-parser.
ISO/IEC 14496-12, the boxes of an MP4 file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from capture.errors import UnreadableFileError
from capture.measure.gyro import GyroSample

_CONTAINERS = frozenset((b"trak", b"mdia", b"minf", b"stbl"))
_MAX_BOX_BYTES = 64 << 20
_AXES = {axis: index for index, axis in enumerate("XYZ")}


@dataclass(frozen=True, slots=True)
class Payload:
    """One stretch of the track: where it lies in the file, and in time."""

    offset: int
    byte_count: int
    from_ms: float
    duration_ms: float


def read_gopro_gyro(clip: Path) -> list[GyroSample]:
    """Read the gyroscope of a GoPro clip, turned into the camera's axes.

    Parameters
    ----------
    clip : Path
        An MP4 file.

    Returns
    -------
    list of GyroSample
        In time order, on the clock of the clip; empty where there is no such track.

    Raises
    ------
    UnreadableFileError
        If there is a track and it contradicts itself.

    Notes
    -----
    The samples of a payload are spread evenly over its time, as GoPro's own parser does.
    GoPro's axes are Z up, X to the side and Y along the lens. Whether X is right and Y is
    forward, or both the other way, is not written down and is taken as the first; the speed
    of the picture is the same for both.
    """
    try:
        with clip.open("rb") as file:
            data = file.read(12)
            if data[4:8] != b"ftyp":
                return []
            payloads = _payloads(_movie_box(clip))
            samples: list[GyroSample] = []
            for payload in payloads:
                file.seek(payload.offset)
                samples += _samples(file.read(payload.byte_count), payload)
    except (struct.error, ValueError, IndexError, KeyError) as error:
        raise UnreadableFileError(f"{clip}: its GPMF track cannot be read: {error}") from error
    except OSError as error:
        raise UnreadableFileError(f"{clip}: {error.strerror}") from error
    return samples


def _movie_box(clip: Path) -> bytes:
    """Return what is in the box that describes the tracks."""
    end = clip.stat().st_size
    with clip.open("rb") as file:
        offset = 0
        while offset + 8 <= end:
            file.seek(offset)
            size, kind = struct.unpack(">I4s", file.read(8))
            header = 8
            if size == 1:
                size, header = struct.unpack(">Q", file.read(8))[0], 16
            elif size == 0:
                size = end - offset
            if kind == b"moov":
                return file.read(min(size - header, _MAX_BOX_BYTES))
            if size < header:
                return b""
            offset += size
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    offset = 0
    while offset + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, offset)
        if size < 8:
            return
        yield kind, data[offset + 8 : offset + size]
        offset += size


def _flat(data: bytes) -> dict[bytes, bytes]:
    """Return the boxes of one track by their kinds."""
    found: dict[bytes, bytes] = {}
    for kind, inside in _boxes(data):
        found |= _flat(inside) if kind in _CONTAINERS else {kind: inside}
    return found


def _payloads(movie: bytes) -> list[Payload]:
    for kind, inside in _boxes(movie):
        track = _flat(inside) if kind == b"trak" else {}
        if b"gpmd" in track.get(b"stsd", b""):
            return _payloads_of(track)
    return []


def _payloads_of(track: dict[bytes, bytes]) -> list[Payload]:
    header = track[b"mdhd"]
    time_scale = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]
    fixed_size, count = struct.unpack_from(">II", track[b"stsz"], 4)
    sizes = [fixed_size] * count if fixed_size else _integers(track[b"stsz"], 12, count)
    durations: list[float] = []
    for repeat, ticks in zip(*_columns(track[b"stts"], 2), strict=True):
        durations += [1000 * ticks / time_scale] * min(repeat, count - len(durations))
    payloads = []
    now_ms = 0.0
    for offset, size, duration_ms in zip(_offsets(track, sizes), sizes, durations, strict=True):
        payloads.append(Payload(offset, size, now_ms, duration_ms))
        now_ms += duration_ms
    return payloads


def _offsets(track: dict[bytes, bytes], sizes: list[int]) -> list[int]:
    """Where each payload lies: chunks hold one or several, as the table of chunks says."""
    wide = b"co64" in track
    table = track[b"co64" if wide else b"stco"]
    chunk_count = struct.unpack_from(">I", table, 4)[0]
    chunks = struct.unpack_from(f">{chunk_count}{'Q' if wide else 'I'}", table, 8)
    first_chunks, counts, _ = _columns(track[b"stsc"], 3)
    offsets: list[int] = []
    for number, chunk in enumerate(chunks, start=1):
        row = max(k for k, first in enumerate(first_chunks) if first <= number)
        offset = chunk
        for size in sizes[len(offsets) : len(offsets) + counts[row]]:
            offsets.append(offset)
            offset += size
    return offsets


def _columns(table: bytes, width: int) -> list[list[int]]:
    count = struct.unpack_from(">I", table, 4)[0]
    values = _integers(table, 8, width * count)
    return [values[column::width] for column in range(width)]


def _integers(table: bytes, offset: int, count: int) -> list[int]:
    return list(struct.unpack_from(f">{count}I", table, offset))


def _samples(data: bytes, payload: Payload) -> list[GyroSample]:
    """Turn one payload into samples."""
    for stream in _streams(data):
        if b"GYRO" not in stream:
            continue
        raw = np.frombuffer(stream[b"GYRO"], ">i2").reshape(-1, 3)
        scale = np.frombuffer(stream[b"SCAL"], ">i2").astype(float)
        if not scale.all():
            raise ValueError("scale of 0")
        rates = _to_camera(raw / scale, stream)
        times_ms = payload.from_ms + payload.duration_ms * np.arange(len(rates)) / len(rates)
        return [
            GyroSample(float(at_ms), *map(float, rate))
            for at_ms, rate in zip(times_ms, rates, strict=True)
        ]
    return []


def _streams(data: bytes) -> Iterator[dict[bytes, bytes]]:
    for key, inside in _values(data):
        if key == b"DEVC":
            yield from (
                dict(_values(stream)) for name, stream in _values(inside) if name == b"STRM"
            )


def _values(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Walk through keys, lengths and values; each is padded to four bytes."""
    offset = 0
    while offset + 8 <= len(data):
        key, _, size, repeat = struct.unpack_from(">4scBH", data, offset)
        byte_count = size * repeat
        yield key, data[offset + 8 : offset + 8 + byte_count]
        offset += 8 + (byte_count + 3) // 4 * 4


def _to_camera(rates: NDArray[np.float64], stream: dict[bytes, bytes]) -> NDArray[np.float64]:
    """Turn channels, whose axes the stream names, into x right, y down, z forward."""
    order = "ZXY"
    if b"ORIN" in stream:
        # A small letter is the other direction.
        order = stream[b"ORIN"].decode("ascii")
    axes = np.empty_like(rates)
    for channel, letter in enumerate(order[:3]):
        axes[:, _AXES[letter.upper()]] = rates[:, channel] * (1 if letter.isupper() else -1)
    x, y, z = axes.T
    return np.stack([x, -z, y], axis=1)
