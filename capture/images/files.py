"""Picture files: the header first, then the pixels.

Pillow reads every header, and the pixels of all formats but JPEG: it says when data is
cut short, where OpenCV decodes half a picture without a word.
"""

from __future__ import annotations

import logging
import math
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import cv2
import numpy as np
from PIL import ExifTags, Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from capture.errors import (
    AnimatedImageError,
    CorruptImageError,
    ImageError,
    ImageTooLargeError,
    TruncatedImageError,
    UnsupportedBitDepthError,
    UnsupportedColorError,
    UnsupportedFormatError,
)
from capture.images.exif import read_exif
from capture.images.formats import CONVERT, ImageFormat, is_cut_short
from capture.images.heif import coded_size_px, open_heif
from capture.images.image import ColorImage, DecodedImage, decoded
from capture.measure.luma import LumaPlane

# Bad files are told of by exceptions; without a handler Pillow would write to stderr too.
logging.getLogger("PIL").addHandler(logging.NullHandler())

# The classes, not Image.open: only the format that the first bytes name is tried.
_HEADER_READERS: dict[ImageFormat, Callable[[BytesIO], ImageFile]] = {
    ImageFormat.JPEG: JpegImageFile,
    ImageFormat.PNG: PngImageFile,
    ImageFormat.WEBP: WebPImageFile,
    ImageFormat.TIFF: TiffImageFile,
    ImageFormat.BMP: BmpImageFile,
    ImageFormat.GIF: GifImageFile,
    ImageFormat.AVIF: AvifImageFile,
    ImageFormat.HEIC: open_heif,
}

_DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_GREY_MODES = ("1", "L", "LA", "La")
_OTHER_COLOR_MODES = {"CMYK": "CMYK", "LAB": "CIE Lab", "HSV": "HSV"}

_DEEP_JPEG = re.compile(r"cannot handle (12|16)-bit layers")

_PNG_MAX_RATIO = 1032
"""Deflate cannot say more than 1032 bytes with one (zlib's technical details)."""


@contextmanager
def image_errors(image_format: ImageFormat, data: bytes | memoryview) -> Iterator[None]:
    """Turn whatever a library raises on bad bytes into an `ImageError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageTooLargeError(f"the {image_format} does not fit in memory") from error
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError(f"the {image_format} declares too many pixels") from error
    # Pillow's plugins raise a dozen classes on hostile bytes, SyntaxError among them.
    except Exception as error:
        if _is_short_read(error) or is_cut_short(data, image_format):
            raise TruncatedImageError(f"the {image_format} ends before its picture") from error
        if depth := _DEEP_JPEG.search(str(error)):
            raise UnsupportedBitDepthError(f"{depth[1]} bits a channel; convert it to 8") from error
        if "unknown pixel mode" in str(error):  # such as floats in three channels of a TIFF
            raise UnsupportedFormatError(
                f"the {image_format} lays its pixels out in a way not decoded; {CONVERT}"
            ) from error
        raise CorruptImageError(f"the {image_format} contradicts itself: {error}") from error


def _is_short_read(error: Exception) -> bool:
    causes = (error, error.__cause__)
    if any(isinstance(cause, EOFError | IndexError) for cause in causes):
        return True
    text = " ".join(str(cause).lower() for cause in causes)
    return any(words in text for words in ("truncated", "end of file", "eof", "requires a buffer"))


def open_header(data: bytes, image_format: ImageFormat, max_pixels: int) -> ImageFile:
    """Read the header of a picture file, and refuse what its pixels need not be read for.

    Parameters
    ----------
    data : bytes
        The whole file.
    image_format : ImageFormat
        As its first bytes say.
    max_pixels : int
        Pixels it may declare.

    Raises
    ------
    ImageError
        If the header is broken, or says what cannot be judged.
    """
    header = _HEADER_READERS[image_format](BytesIO(data))
    width_px, height_px = header.size
    if image_format is ImageFormat.HEIC:
        # What is cropped away is decoded all the same.
        width_px, height_px = max((header.size, coded_size_px(data)), key=math.prod)
    if width_px <= 0 or height_px <= 0:
        raise CorruptImageError(f"the {image_format} declares {width_px} x {height_px} pixels")
    if width_px * height_px > max_pixels:
        raise ImageTooLargeError(
            f"the {image_format} declares {width_px} x {height_px} pixels, "
            f"{width_px * height_px / 1e6:.0f} million; the limit is {max_pixels / 1e6:.0f} million"
        )
    if isinstance(header, TiffImageFile):
        _refuse_foreign_tiff(header)
    # Of several pictures, HEIC names the primary one.
    if getattr(header, "is_animated", False) and image_format is not ImageFormat.HEIC:
        raise AnimatedImageError(f"the {image_format} holds more than one picture")
    if header.mode in _OTHER_COLOR_MODES:
        raise UnsupportedColorError(
            f"{_OTHER_COLOR_MODES[header.mode]} colours are not judged; convert them to RGB"
        )
    bits = _bits_per_channel(header, data)
    if bits > 8:
        raise UnsupportedBitDepthError(f"{bits} bits a channel; convert it to 8")
    if isinstance(header, PngImageFile) and width_px * height_px > 8 * _PNG_MAX_RATIO * len(data):
        raise TruncatedImageError(f"{len(data)} bytes cannot hold {width_px} x {height_px} pixels")
    return header


def _refuse_foreign_tiff(header: TiffImageFile) -> None:
    """Refuse what hides in a TIFF and is not decoded."""
    if header.info.get("compression") == "webp":
        raise UnsupportedFormatError(f"TIFF with WebP compression is not decoded; {CONVERT}")


def _bits_per_channel(header: ImageFile, data: bytes) -> int:
    """Pillow halves 16-bit colours without a word, so the files are asked."""
    if isinstance(header, PngImageFile):
        return data[24]
    if isinstance(header, TiffImageFile):
        bits = header.tag_v2.get(ExifTags.Base.BitsPerSample, (1,))
        return max(bits) if isinstance(bits, tuple) else int(bits)
    return 16 if header.mode in _DEEP_MODES else 8


def decode_with_pillow(header: ImageFile, *, luma_only: bool) -> DecodedImage:
    """Decode the pixels behind a header.

    Parameters
    ----------
    header : ImageFile
        As `open_header` gave it.
    luma_only : bool
        Leave the colours out.
    """
    image_format = header.format
    header.load()
    luma, color = _planes(header)
    # Only now: TIFF pixels come upright, and PNG may carry its EXIF behind them.
    orientation, settings = read_exif(header)
    decode = f"{str(image_format).lower()}/pillow"
    return decoded(luma, None if luma_only else color, orientation, settings, decode)


def _planes(image: ImageFile) -> tuple[LumaPlane, ColorImage | None]:
    if image.mode in _GREY_MODES:
        grey = image.convert("L") if image.mode == "1" else image.getchannel(0)
        return np.array(grey, np.uint8), None
    rgb = np.asarray(image if image.mode == "RGB" else image.convert("RGB"), np.uint8)
    color = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)
    return np.asarray(cv2.cvtColor(color, cv2.COLOR_BGR2GRAY), np.uint8), color
