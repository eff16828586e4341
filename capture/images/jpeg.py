"""JPEG, the format that decides how fast everything is.

One decode into memory that is used again, and luma from its colours: on 12 MP that is
1.4 times the time of decoding luma alone, where OpenCV's colours take 2.1 times.
"""

from __future__ import annotations

import re

import cv2
import numpy as np
import simplejpeg
from PIL.ImageFile import ImageFile

from capture.errors import CorruptImageError, ImageTooLargeError, TruncatedImageError
from capture.images.exif import read_exif
from capture.images.files import decode_with_pillow
from capture.images.formats import ImageFormat, is_cut_short
from capture.images.image import DecodedImage, decoded
from capture.images.scratch import ScratchBuffer

_MAX_PIXELS_PER_BYTE = 1024
"""Each 8x8 block costs at least a bit, and at least one component has them all."""

_MAX_SCANS = 100
"""Encoders write at most about a dozen; thousands of empty ones would take minutes."""

_START_OF_SCAN = b"\xff\xda"
_END_OF_IMAGE = 0xD9
_RESTARTS = range(0xD0, 0xD8)

# What libjpeg warns of although the picture is whole. Pillow goes on there, and still
# notices when data is missing.
_HARMLESS = re.compile(
    r"bad ICC marker|unknown JFIF|unknown Adobe|subsampling|Premature end of JPEG file"
)
_STRAY_BYTES = re.compile(r"(?P<count>\d+) extraneous bytes before marker 0x(?P<marker>\w\w)")
_MAX_STRAY_BYTES_AT_END = 2

_scratch = ScratchBuffer()


def decode_jpeg(data: bytes, header: ImageFile, *, luma_only: bool) -> DecodedImage:
    """Decode a JPEG.

    Parameters
    ----------
    data : bytes
        The whole file.
    header : ImageFile
        As ``files.open_header`` gave it.
    luma_only : bool
        Decode the luma plane alone, as it stands in the file.

    Raises
    ------
    TruncatedImageError, CorruptImageError
        If libjpeg found less, or other, than the header says.
    """
    width_px, height_px = header.size
    if width_px * height_px > _MAX_PIXELS_PER_BYTE * len(data):
        raise TruncatedImageError(f"{len(data)} bytes cannot hold {width_px} x {height_px} pixels")
    if "progressive" in header.info and data.count(_START_OF_SCAN) > _MAX_SCANS:
        raise CorruptImageError(f"a JPEG of more than {_MAX_SCANS} scans")
    grey = luma_only or header.mode == "L"
    shape = (height_px, width_px, 1 if grey else 3)
    # A grey plane becomes the answer; colours only live until they have been looked at.
    buffer = np.empty(shape, np.uint8) if grey else _scratch.take(shape)
    try:
        pixels = simplejpeg.decode_jpeg(data, "GRAY" if grey else "BGR", buffer=buffer)
    except ValueError as error:
        return _second_try(data, header, str(error), luma_only=luma_only)
    if pixels.shape != shape:
        raise CorruptImageError("the JPEG declares two sizes")
    orientation, settings = read_exif(header)
    if grey:
        return decoded(buffer[..., 0], None, orientation, settings, "jpeg/simplejpeg")
    luma = np.asarray(cv2.cvtColor(buffer, cv2.COLOR_BGR2GRAY), np.uint8)
    return decoded(luma, buffer, orientation, settings, "jpeg/simplejpeg")


def _second_try(data: bytes, header: ImageFile, warning: str, *, luma_only: bool) -> DecodedImage:
    """Decode in spite of a harmless warning; other warnings mean damaged pixels."""
    if "insufficient memory" in warning.lower():
        raise ImageTooLargeError("the JPEG does not fit in memory")
    if _is_harmless(warning, data):
        return decode_with_pillow(header, luma_only=luma_only)
    if "premature end" in warning.lower() or is_cut_short(data, ImageFormat.JPEG):
        raise TruncatedImageError("the JPEG ends before its picture")
    raise CorruptImageError(f"the JPEG contradicts itself: {warning}")


def _is_harmless(warning: str, data: bytes) -> bool:
    """Tell whether the picture is whole in spite of a warning.

    Stray bytes between the segments of a header are; those left over at the end of the
    scan are a sign of damage, unless they are few or all zero, as some cameras pad.
    """
    stray = _STRAY_BYTES.search(warning)
    if stray is None:
        return _HARMLESS.search(warning) is not None
    count, marker = int(stray["count"]), int(stray["marker"], 16)
    if marker == _END_OF_IMAGE:
        padding = bytes(count) + b"\xff\xd9"
        return count <= _MAX_STRAY_BYTES_AT_END or padding in data
    return marker not in _RESTARTS
