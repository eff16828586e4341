"""Picture files of every kind, made for the tests."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_PIXELS = 1_000_000


def scene(height_px: int = 60, width_px: int = 80, seed: int = 3) -> NDArray[np.uint8]:
    """Smooth colours, no two corners alike: (H, W, 3) uint8 RGB."""
    small = np.random.default_rng(seed).integers(30, 226, (4, 5, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(small, (width_px, height_px), interpolation=cv2.INTER_CUBIC))


def encoded(pixels: NDArray[Any], file_format: str, **options: Any) -> bytes:
    """Encode RGB or grey pixels by Pillow."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, file_format, **options)
    return stream.getvalue()


def exif(orientation: int = 1, **settings: Any) -> Image.Exif:
    """Exif with an orientation, and with how and when the picture was taken."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[0x010F] = "Camera maker"
    names = {"exposure_time": 0x829A, "f_number": 0x829D, "iso": 0x8827}
    names |= {"taken_at": 0x9003, "subsec": 0x9291}
    tags.get_ifd(0x8769).update({names[name]: value for name, value in settings.items()})
    return tags


def png_chunk(name: bytes, body: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_header(width_px: int, height_px: int, bits: int = 8) -> bytes:
    """A PNG that declares a size and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width_px, height_px, bits, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(b"\0"))
        + png_chunk(b"IEND", b"")
    )


def jpeg_declaring(width_px: int, height_px: int) -> bytes:
    """A small JPEG whose header declares another size."""
    data = encoded(scene(16, 16), "JPEG")
    start = data.index(b"\xff\xc0") + 5
    return data[:start] + struct.pack(">HH", height_px, width_px) + data[start + 4 :]
