"""Which format the first bytes are of; those we do not decode are refused by name."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from capture.errors import (
    AnimatedImageError,
    EmptyImageError,
    UnrecognizedFormatError,
    UnsupportedFormatError,
)


class ImageFormat(StrEnum):
    """The picture files that are decoded."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"
    TIFF = "TIFF"
    BMP = "BMP"
    GIF = "GIF"
    AVIF = "AVIF"
    HEIC = "HEIC"
    """Needs an extra."""
    RAW = "camera RAW"
    """Of any maker; by its embedded preview. Needs an extra."""


_DECODED: tuple[tuple[bytes, ImageFormat], ...] = (
    (b"\xff\xd8", ImageFormat.JPEG),
    (b"\x89PNG\r\n\x1a\n", ImageFormat.PNG),
    (b"GIF87a", ImageFormat.GIF),
    (b"GIF89a", ImageFormat.GIF),
    (b"II*\0", ImageFormat.TIFF),
    (b"MM\0*", ImageFormat.TIFF),
    (b"II+\0", ImageFormat.TIFF),
    (b"MM\0+", ImageFormat.TIFF),
    (b"BM", ImageFormat.BMP),
    (b"FUJIFILMCCD-RAW", ImageFormat.RAW),
    (b"IIRO", ImageFormat.RAW),  # Olympus (ORF), three times
    (b"IIRS", ImageFormat.RAW),
    (b"MMOR", ImageFormat.RAW),
    (b"IIU\0", ImageFormat.RAW),  # Panasonic (RW2)
    (b"FOVb", ImageFormat.RAW),  # Sigma (X3F)
    (b"\0MRM", ImageFormat.RAW),  # Minolta (MRW)
)

_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"8BPS", "Photoshop (PSD)"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"II\xbc", "JPEG XR"),
    (b"BPG\xfb", "BPG"),
    (b"FLIF", "FLIF"),
    (b"qoif", "QOI"),
    (b"gimp xcf", "GIMP (XCF)"),
    (b"\0\0\1\0", "Windows icon (ICO)"),
    (b"icns", "Apple icon (ICNS)"),
    (b"DDS ", "DirectDraw surface (DDS)"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript (EPS)"),
    (b"\xc5\xd0\xd3\xc6", "PostScript (EPS)"),
    (b"<svg", "SVG"),
    (b"SIMPLE  =", "FITS"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"\x01\xda\0", "Silicon Graphics (SGI)"),
    (b"\x01\xda\1", "Silicon Graphics (SGI)"),
    (b"\x0a\x05\x01", "PCX"),
    (b"AT&TFORM", "DjVu"),
    (b"\x1aE\xdf\xa3", "Matroska or WebM video"),
)

_HEIC_SEQUENCE_BRANDS = (b"hevc", b"hevx", b"hevm", b"hevs", b"msf1")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")
_CANON_BRAND = b"crx "

_NETPBM = tuple(
    b"P%d%b" % (kind, space) for kind in range(1, 8) for space in (b"\n", b" ", b"\t", b"\r")
)

CONVERT = "convert it to JPEG or PNG"


def recognize_format(data: bytes | memoryview) -> ImageFormat:
    """Tell the format of a picture file by its first bytes; names and types count nothing.

    Raises
    ------
    EmptyImageError
        If there are no bytes.
    AnimatedImageError
        If the first bytes already say that it is a sequence.
    UnsupportedFormatError
        If it is a picture of a format that is not decoded; says which.
    UnrecognizedFormatError
        If it is no picture format we know.
    """
    head = bytes(data[:64])
    if not head:
        raise EmptyImageError("there are no bytes")
    if head.startswith(b"II*\0") and head[8:10] == b"CR":
        return ImageFormat.RAW  # Canon (CR2)
    for magic, image_format in _DECODED:
        if head.startswith(magic):
            return image_format
    if head.startswith(b"RIFF"):
        return _riff(head)
    if head[4:8] == b"ftyp":
        return _ftyp(head)
    for magic, name in _REFUSED:
        if head.startswith(magic):
            raise _unsupported(name)
    if head.startswith(_NETPBM):
        raise _unsupported("Netpbm (PBM, PGM, PPM)")
    if head[4:6] in (b"\x11\xaf", b"\x12\xaf"):
        raise _unsupported("Autodesk animation (FLI)")
    raise UnrecognizedFormatError("the first bytes are of no picture format that is known here")


def _riff(head: bytes) -> ImageFormat:
    if head[8:12] == b"WEBP":
        return ImageFormat.WEBP
    if head[8:12] == b"AVI ":
        raise _unsupported("AVI video")
    raise UnrecognizedFormatError("a RIFF file, but not a picture")


def _ftyp(head: bytes) -> ImageFormat:
    """ISO base media: the major brand decides, or AVIF among the compatible ones."""
    brand = head[8:12]
    length = int.from_bytes(head[:4], "big")
    brands = {brand, *(head[i : i + 4] for i in range(16, min(length, len(head)), 4))}
    if brand == b"avis":
        raise AnimatedImageError("an AVIF image sequence holds more than one frame")
    if brand == b"avif" or (brand in (b"mif1", b"msf1") and b"avif" in brands):
        return ImageFormat.AVIF
    if brand in _HEIC_BRANDS:
        return ImageFormat.HEIC
    if brand == _CANON_BRAND:
        return ImageFormat.RAW
    is_sequence = brand in _HEIC_SEQUENCE_BRANDS
    raise _unsupported("HEIC image sequence" if is_sequence else "MP4 or QuickTime video")


def is_cut_short(data: bytes | memoryview, image_format: ImageFormat) -> bool:
    """Tell whether the outermost structure of a file ends behind its last byte.

    Asked when a file could not be decoded: then it tells a cut file from a damaged one.
    """
    data = bytes(data)
    match image_format:
        case ImageFormat.JPEG:
            return b"\xff\xd9" not in data
        case ImageFormat.PNG:
            return b"IEND" not in data
        case ImageFormat.WEBP:
            return len(data) < 12 or int.from_bytes(data[4:8], "little") + 8 > len(data)
        case ImageFormat.TIFF:
            order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
            return len(data) < 8 or int.from_bytes(data[4:8], order) >= len(data)
        case ImageFormat.AVIF | ImageFormat.HEIC:
            return _boxes_end(data) > len(data)
        case _:
            return False


def _boxes_end(data: bytes) -> int:
    """Return where the last box of ISO base media ends, as its length says."""
    position = 0
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        if length < 8:  # 0 runs to the end, 1 has a long length: neither tells
            return len(data)
        position += length
    return position


def _unsupported(name: str) -> UnsupportedFormatError:
    return UnsupportedFormatError(f"{name} is not decoded; {CONVERT}")
