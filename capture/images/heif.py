"""HEIC, by libheif: what phones write. An extra, as its decoder is patented and large."""

from __future__ import annotations

import math
import re
from io import BytesIO

from PIL.ImageFile import ImageFile

from capture.errors import UnsupportedColorError, UnsupportedFormatError
from capture.images.extras import decoder_missing

_HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
"""Transfer characteristics of ITU-T H.273 whose levels are no gamma-encoded luma."""

_SPATIAL_EXTENT = re.compile(rb"ispe\0{4}(.{4})(.{4})", re.DOTALL)


def open_heif(stream: BytesIO) -> ImageFile:
    """Read the header of a HEIC file; its primary picture is the one that counts.

    The picture comes upright, as its container says; EXIF has no say in that, by
    ISO/IEC 23008-12.

    Raises
    ------
    UnsupportedFormatError
        If the extra is not installed, or the pixels are of a codec that it does not know.
    UnsupportedColorError
        If the levels are of high dynamic range.
    """
    try:
        from pillow_heif import HeifImageFile, options
    except ImportError as error:
        raise decoder_missing("HEIC", "heic") from error
    options.DECODE_THREADS = 1  # lanes are the parallelism
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    try:
        header: ImageFile = HeifImageFile(stream)  # type: ignore[no-untyped-call]
    except SyntaxError as error:
        if "unsupported" in str(error).lower():
            raise UnsupportedFormatError(f"a HEIF file without HEVC pixels: {error}") from error
        raise
    transfer = header.info.get("nclx_profile", {}).get("transfer_characteristics")
    if transfer in _HDR_TRANSFERS:
        raise UnsupportedColorError(
            f"HDR levels ({_HDR_TRANSFERS[transfer]}) are not judged; convert them to SDR"
        )
    return header


def coded_size_px(data: bytes) -> tuple[int, int]:
    """Return the largest (width, height) that a HEIC file declares for any item in it."""
    sizes = [
        (int.from_bytes(found[1], "big"), int.from_bytes(found[2], "big"))
        for found in _SPATIAL_EXTENT.finditer(data)
    ]
    return max(sizes, key=math.prod, default=(0, 0))
