"""HEIC decodes as any other picture where its extra is installed, and says so where not."""

from __future__ import annotations

import io
import struct
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from capture.errors import (
    ImageError,
    ImageTooLargeError,
    TruncatedImageError,
    UnsupportedColorError,
    UnsupportedFormatError,
)
from capture.images import DecodedImage, EncodedImage, decode_image
from capture.images.extras import is_decoder_there_now
from tests.images.pictures import MAX_PIXELS, exif, scene

BRANDS = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)


def heic(pixels: np.ndarray | None = None, **options: object) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif", reason="HEIC needs the extra [heic]")
    stream = io.BytesIO()
    image = Image.fromarray(scene() if pixels is None else pixels)
    pillow_heif.from_pillow(image).save(stream, quality=95, **options)
    return stream.getvalue()


def decode(data: bytes, *, luma_only: bool = False) -> DecodedImage:
    return decode_image(EncodedImage(data), MAX_PIXELS, luma_only=luma_only)


def test_pixels_come_back() -> None:
    """To what HEVC costs, luma alone included."""
    picture = decode(heic())
    assert picture.color is not None
    assert np.abs(picture.color.astype(int) - scene()[..., ::-1]).mean() < 3
    assert decode(heic(), luma_only=True).color is None
    assert picture.decode.startswith("heif/")


def test_the_container_says_which_side_is_up() -> None:
    """Turned there, a picture is upright; what EXIF says beside it is for older programs."""
    turned = heic(exif=exif(6, exposure_time=0.01, f_number=4.0, iso=200).tobytes())
    picture = decode(turned)
    upright = np.rot90(decode(heic()).luma, 3)
    assert picture.luma.shape == upright.shape
    assert cv2.absdiff(picture.luma, upright.copy()).mean() < 3
    assert picture.settings.exposure_value == pytest.approx(9.64, abs=0.01)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.99])
def test_a_cut_file_is_truncated(share: float) -> None:
    whole = heic()
    with pytest.raises(TruncatedImageError):
        decode(whole[: int(share * len(whole))])


def test_absurd_sizes_are_refused_before_decoding() -> None:
    """Also where a crop hides them: what is cropped away would be decoded all the same."""
    whole = heic()
    at = whole.index(b"ispe") + 8
    huge = whole[:at] + struct.pack(">II", 30_000, 30_000) + whole[at + 8 :]
    with pytest.raises(ImageTooLargeError, match="900 million"):
        decode(huge)


def test_hdr_levels_are_refused() -> None:
    """Their luma is no gamma-encoded one: every exposure would read wrong."""
    whole = heic()
    at = whole.index(b"nclx") + 6
    with pytest.raises(UnsupportedColorError, match="PQ"):
        decode(whole[:at] + struct.pack(">H", 16) + whole[at + 2 :])


def test_damage_anywhere_gives_a_picture_or_an_image_error() -> None:
    """Nothing else leaves the decoder."""
    whole = bytearray(heic())
    rng = np.random.default_rng(7)
    for _ in range(60):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 4):
            data[at] = rng.integers(256)
        try:
            assert decode(bytes(data)).luma.size <= MAX_PIXELS
        except ImageError:
            continue


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a later run can tell that it has been installed since."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnsupportedFormatError, match=r"smart-capture\[heic\]") as raised:
        decode(BRANDS)
    assert not is_decoder_there_now(str(raised.value))
    monkeypatch.undo()
    pytest.importorskip("pillow_heif", reason="HEIC needs the extra [heic]")
    assert is_decoder_there_now(str(raised.value))
