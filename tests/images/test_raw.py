"""Camera RAW is judged by the preview in it; the sensor's own data is never developed."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from capture.errors import (
    ImageError,
    ImageTooLargeError,
    TruncatedImageError,
    UnsupportedFormatError,
)
from capture.images import DecodedImage, EncodedImage, decode_image
from tests.images.pictures import encoded, scene
from tests.images.raws import digital_negative

MAX_PIXELS = 2_000_000
HEADS = [
    b"II*\0\x10\0\0\0CR\2\0",
    b"\0\0\0\x18ftypcrx \0\0\0\0",
    b"FUJIFILMCCD-RAW",
    b"IIRO",
    b"IIU\0",
    b"FOVb",
    b"\0MRM",
]


@pytest.fixture(scope="module")
def preview() -> bytes:
    return encoded(scene(900, 1200), "JPEG", quality=95)


def decode(data: bytes, *, luma_only: bool = False) -> DecodedImage:
    pytest.importorskip("rawpy", reason="camera RAW needs the extra [raw]")
    return decode_image(EncodedImage(data), MAX_PIXELS, luma_only=luma_only)


def test_the_preview_is_what_is_decoded(preview: bytes) -> None:
    """Bit by bit as the JPEG that lies in it, and the record says so."""
    picture = decode(digital_negative(preview))
    alone = decode_image(EncodedImage(preview), MAX_PIXELS)
    np.testing.assert_array_equal(picture.luma, alone.luma)
    np.testing.assert_array_equal(picture.color, alone.color)
    assert picture.decode == "raw/libraw preview jpeg/simplejpeg"
    assert decode(digital_negative(preview), luma_only=True).color is None


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (6, 3), (3, 2), (8, 1)])
def test_it_comes_upright(preview: bytes, orientation: int, turns: int) -> None:
    """The file says how the camera was held; the preview itself does not."""
    picture = decode(digital_negative(preview, orientation=orientation))
    alone = decode_image(EncodedImage(preview), MAX_PIXELS)
    np.testing.assert_array_equal(picture.luma, np.rot90(alone.luma, turns))


def test_exif_of_the_file_tells_how_it_was_taken(preview: bytes) -> None:
    settings = decode(digital_negative(preview)).settings
    assert settings.exposure_value == pytest.approx(9.64, abs=0.01)
    assert settings.captured_at is not None


def test_a_preview_too_small_to_judge_by_is_refused() -> None:
    """Blur of the picture would not show in it."""
    small = digital_negative(encoded(scene(120, 160), "JPEG"), (160, 120))
    with pytest.raises(UnsupportedFormatError, match="160 x 120"):
        decode(small)


@pytest.mark.parametrize("preview", [None, b"no picture at all"])
def test_without_a_preview_it_is_refused(preview: bytes | None) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"preview.*convert it"):
        decode(digital_negative(preview))


def test_a_preview_of_too_many_pixels_is_refused_before_decoding() -> None:
    large = digital_negative(encoded(scene(1500, 2000), "JPEG"), (2000, 1500))
    with pytest.raises(ImageTooLargeError, match="2000 x 1500"):
        decode(large)


def test_a_damaged_preview_is_no_picture(preview: bytes) -> None:
    with pytest.raises(TruncatedImageError):
        decode(digital_negative(preview[: len(preview) // 2]))


def test_damage_anywhere_gives_a_picture_or_an_image_error(preview: bytes) -> None:
    """Nothing else leaves the decoder."""
    whole = digital_negative(preview)
    rng = np.random.default_rng(7)
    directories = np.arange(len(whole) - len(preview) - 700, len(whole))
    for _ in range(60):
        data = bytearray(whole)
        for at in rng.choice(directories[directories >= 0], 3):
            data[at] = rng.integers(256)
        try:
            assert decode(bytes(data)).luma.size <= MAX_PIXELS
        except ImageError:
            continue


@pytest.mark.parametrize("head", HEADS)
def test_every_makers_files_are_known_by_their_first_bytes(head: bytes) -> None:
    """What holds nothing else is answered with an error of ours."""
    with pytest.raises(ImageError):
        decode(head + bytes(1000))


@pytest.mark.parametrize("head", HEADS)
def test_without_the_extra_it_says_what_to_install(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(UnsupportedFormatError, match=r"smart-capture\[raw\]"):
        decode_image(EncodedImage(head + bytes(100)), MAX_PIXELS)


def test_a_tiff_of_pixels_is_no_camera_raw() -> None:
    picture = decode_image(EncodedImage(encoded(scene(), "TIFF")), MAX_PIXELS)
    assert picture.decode == "tiff/pillow"
