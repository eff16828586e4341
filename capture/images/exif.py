"""What EXIF says of a picture: which side is up, and how it was exposed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from PIL import ExifTags, Image

from capture.images.image import CaptureSettings
from capture.images.orientation import UPRIGHT

_DIGITS = re.compile(r"\d+")

_LEAST, _MOST = 1e-9, 1e9
"""Beyond them nothing is a time, an aperture or a sensitivity; their powers would overflow."""


def read_exif(image: Image.Image) -> tuple[int, CaptureSettings]:
    """Read the orientation, 1 to 8, and the settings of the camera.

    Pixels can be good where the EXIF is broken: what cannot be read counts as not said.
    """
    return _said_by(image.getexif)


def read_exif_of_tiff(data: bytes) -> tuple[int, CaptureSettings]:
    """Read the same from the bytes of a file that is laid out as a TIFF."""

    def load() -> Image.Exif:
        exif = Image.Exif()
        exif.load(data)
        return exif

    return _said_by(load)


def _said_by(load: Callable[[], Image.Exif]) -> tuple[int, CaptureSettings]:
    try:
        exif = load()
        orientation = exif.get(ExifTags.Base.Orientation)
        details = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # Pillow raises a dozen classes on broken EXIF
        return UPRIGHT, CaptureSettings()
    return (
        orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else UPRIGHT,
        CaptureSettings(
            exposure_time_s=_within_reason(details.get(ExifTags.Base.ExposureTime)),
            f_number=_within_reason(details.get(ExifTags.Base.FNumber)),
            iso=_within_reason(details.get(ExifTags.Base.ISOSpeedRatings)),
            captured_at=_moment(
                details.get(ExifTags.Base.DateTimeOriginal),
                details.get(ExifTags.Base.SubsecTimeOriginal),
            ),
        ),
    )


def _moment(text: object, fraction: object) -> datetime | None:
    """Return ``2026:11:21 07:30:00`` and the digits of its fraction as a moment."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.strptime(text.strip("\0 "), "%Y:%m:%d %H:%M:%S")
    except ValueError:  # cameras whose clock was never set write zeros or blanks
        return None
    digits = _DIGITS.match(fraction) if isinstance(fraction, str) else None
    return moment.replace(microsecond=int(f"{digits[0]:0<6.6}")) if digits else moment


def _within_reason(value: object) -> float | None:
    """Return a tag as a number within reason; a rational over zero, or text, is none."""
    if isinstance(value, tuple) and value:
        value = value[0]
    try:
        number = float(cast(Any, value))
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return number if _LEAST <= number <= _MOST else None
