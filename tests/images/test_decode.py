"""What a picture file becomes, and what is said of those that become nothing."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from capture.errors import (
    AnimatedImageError,
    CorruptImageError,
    EmptyImageError,
    ImageError,
    ImageTooLargeError,
    TruncatedImageError,
    UnrecognizedFormatError,
    UnsupportedBitDepthError,
    UnsupportedColorError,
    UnsupportedFormatError,
)
from capture.images import DecodedImage, EncodedImage, decode_image
from tests.images.pictures import (
    MAX_PIXELS,
    encoded,
    exif,
    jpeg_declaring,
    png_header,
    scene,
)

LOSSLESS = [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]
CARRIES_EXIF = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"]


def decode(data: bytes, *, luma_only: bool = False) -> DecodedImage:
    return decode_image(EncodedImage(data), MAX_PIXELS, luma_only=luma_only)


def luma_of(rgb: np.ndarray) -> np.ndarray:
    """BT.601, written out."""
    return np.round(rgb @ np.array([0.299, 0.587, 0.114]))


@pytest.mark.parametrize(("file_format", "options"), LOSSLESS)
def test_lossless_files_give_their_pixels_back(
    file_format: str, options: dict[str, object]
) -> None:
    """Colour comes back bit by bit, luma as BT.601 to a level."""
    rgb = scene()
    picture = decode(encoded(rgb, file_format, **options))
    assert picture.color is not None
    np.testing.assert_array_equal(picture.color, rgb[..., ::-1])
    assert np.abs(picture.luma - luma_of(rgb)).max() <= 1


def test_a_jpeg_measures_like_the_same_pixels_in_a_png() -> None:
    """Its luma is that of its decoded colours, as OpenCV decodes them."""
    data = encoded(scene(), "JPEG", quality=90)
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    picture = decode(data)
    np.testing.assert_array_equal(picture.color, bgr)
    np.testing.assert_array_equal(picture.luma, decode(encoded(bgr[..., ::-1].copy(), "PNG")).luma)


def test_the_luma_of_a_jpeg_is_its_own_y_plane_where_nothing_is_clipped() -> None:
    """Decoding the plane alone gives the same to 2 levels, and is what previews get."""
    data = encoded(scene(), "JPEG", quality=90)
    plane = decode(data, luma_only=True)
    assert plane.color is None
    assert cv2.absdiff(plane.luma, decode(data).luma).max() <= 2


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "BMP", "TIFF"])
def test_grey_files_have_no_colour(file_format: str) -> None:
    """And their luma is the plane as it stands; a classifier gets three equal channels."""
    grey = scene()[..., 1].copy()
    picture = decode(encoded(grey, file_format))
    assert picture.color is None
    assert cv2.absdiff(picture.luma, grey).max() <= (6 if file_format == "JPEG" else 0)
    color = picture.upright_color()
    assert color.shape == (60, 80, 3)
    np.testing.assert_array_equal(color[..., 0], color[..., 2])


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA"])
def test_palettes_masks_and_transparency_decode(mode: str) -> None:
    """Transparency is left out: the stored colours are judged."""
    stream = io.BytesIO()
    Image.fromarray(scene()).convert(mode).save(stream, "PNG")
    assert decode(stream.getvalue()).luma.shape == (60, 80)


@pytest.mark.parametrize("file_format", CARRIES_EXIF)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_eight_orientations_decode_alike(file_format: str, orientation: int) -> None:
    """However the camera was held, luma and the classifier's colours come upright."""
    upright = scene()
    image = Image.fromarray(upright)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transposes, inverted
    stored = image.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else image
    data = encoded(np.asarray(stored), file_format, exif=exif(orientation), quality=95)
    picture = decode(data)
    tolerance = 0 if file_format in ("PNG", "TIFF") else 30
    assert picture.luma.shape == (60, 80)
    assert np.abs(picture.luma - luma_of(upright)).max() <= tolerance + 1
    difference = cv2.absdiff(picture.upright_color(), upright[..., ::-1])
    assert difference.mean() <= (0 if tolerance == 0 else 3)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_exif_tells_how_it_was_taken(file_format: str) -> None:
    """1/100 s at f/4 and ISO 200 is EV100 9.64."""
    tags = exif(exposure_time=0.01, f_number=4.0, iso=200)
    settings = decode(encoded(scene(), file_format, exif=tags)).settings
    assert settings.exposure_time_s == pytest.approx(0.01)
    assert settings.f_number == pytest.approx(4.0)
    assert settings.iso == 200
    assert settings.exposure_value == pytest.approx(9.64, abs=0.01)


@pytest.mark.parametrize(
    ("tags", "moment"),
    [
        ({"taken_at": "2026:11:21 07:30:05"}, "2026-11-21T07:30:05"),
        ({"taken_at": "2026:11:21 07:30:05", "subsec": "08"}, "2026-11-21T07:30:05.080000"),
        ({"taken_at": "2026:11:21 07:30:05", "subsec": "1234567"}, "2026-11-21T07:30:05.123456"),
        ({"taken_at": "2026:11:21 07:30:05", "subsec": "  "}, "2026-11-21T07:30:05"),
        ({"taken_at": "0000:00:00 00:00:00"}, None),
        ({"taken_at": "yesterday"}, None),
        ({"subsec": "08"}, None),
    ],
)
def test_exif_tells_when_it_was_taken(tags: dict[str, str], moment: str | None) -> None:
    """Fractions of a second are digits after the point; a clock never set is no moment."""
    found = decode(encoded(scene(), "JPEG", exif=exif(**tags))).settings.captured_at
    assert (found and found.isoformat()) == moment


def test_broken_exif_counts_as_none() -> None:
    """A good picture is not refused for it."""
    data = encoded(scene(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff and no more")
    assert decode(data).settings.exposure_value is None


def test_zero_and_endless_settings_count_as_unknown() -> None:
    """An exposure time of 0 is what some phones write when they do not know."""
    tags = exif(exposure_time=0.0, f_number=4.0, iso=0)
    settings = decode(encoded(scene(), "JPEG", exif=tags)).settings
    assert (settings.exposure_time_s, settings.iso) == (None, None)


def exif_of_doubles(*tags: tuple[int, float]) -> bytes:
    """Exif whose settings are doubles, which hold more than the fractions of a camera."""
    start = 8 + 2 + 12 + 4
    values = start + 2 + 12 * len(tags) + 4
    body = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, start, 0)
    body += struct.pack("<H", len(tags))
    for number, (tag, _) in enumerate(tags):
        body += struct.pack("<HHII", tag, 12, 1, values + 8 * number)
    return b"Exif\0\0" + body + bytes(4) + struct.pack(f"<{len(tags)}d", *(v for _, v in tags))


@pytest.mark.parametrize("f_number", [1e200, 1e-200])
def test_settings_that_no_camera_has_count_as_unknown(f_number: float) -> None:
    """Their squares are beyond all numbers, or nothing."""
    tags = exif_of_doubles((0x829A, 0.01), (0x829D, f_number), (0x8827, 100.0))
    settings = decode(encoded(scene(), "JPEG", exif=tags)).settings
    assert (settings.exposure_time_s, settings.f_number, settings.iso) == (0.01, None, 100.0)
    assert settings.exposure_value is None


def test_the_classifier_gets_a_reduced_picture() -> None:
    """Whole blocks of pixels are averaged as long as the short edge stays above 448."""
    picture = decode(encoded(scene(960, 1000), "JPEG"))
    assert picture.upright_color().shape == (480, 500, 3)
    assert picture.upright_color(short_edge_px=2000).shape == (960, 1000, 3)


def test_no_two_pictures_share_memory() -> None:
    """What is used again is used only when nobody looks at it any more."""
    first = decode(encoded(scene(seed=1), "JPEG"))
    assert first.color is not None
    before = first.color.copy()
    second = decode(encoded(scene(seed=2), "JPEG"))
    assert second.color is not None
    assert not np.shares_memory(first.color, second.color)
    np.testing.assert_array_equal(first.color, before)


def test_no_bytes_are_empty() -> None:
    with pytest.raises(EmptyImageError):
        decode(b"")


@pytest.mark.parametrize("data", [b"\0", b"hello, world", b"<html></html>", b"\0" * 1000])
def test_what_is_no_picture_is_not_recognized(data: bytes) -> None:
    with pytest.raises(UnrecognizedFormatError):
        decode(data)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"8BPS\0\1", "PSD"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x0a\xfa", "JPEG XL"),
        (b"%PDF-1.7", "PDF"),
        (b"<svg xmlns=", "SVG"),
        (b"P6\n8 8\n255\n", "Netpbm"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
    ],
)
def test_formats_that_are_not_decoded_are_refused_by_name(head: bytes, name: str) -> None:
    """And the message says what to do."""
    with pytest.raises(UnsupportedFormatError, match=f"{name}.*convert it"):
        decode(head + bytes(100))


def test_four_inks_are_refused() -> None:
    stream = io.BytesIO()
    Image.fromarray(scene()).convert("CMYK").save(stream, "JPEG")
    with pytest.raises(UnsupportedColorError, match="CMYK"):
        decode(stream.getvalue())


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bits_a_channel_are_refused(file_format: str) -> None:
    deep = scene()[..., 0].astype(np.uint16) * 257
    with pytest.raises(UnsupportedBitDepthError, match="16 bits"):
        decode(encoded(deep, file_format))


def test_16_bit_colour_is_not_halved_silently() -> None:
    """Pillow would; the header is asked."""
    with pytest.raises(UnsupportedBitDepthError):
        decode(png_header(40, 30, bits=16))


def test_floats_in_three_channels_are_refused_by_name() -> None:
    """The file is whole; it is only not decoded."""
    written, tiff = cv2.imencode(".tif", scene().astype(np.float32))
    assert written
    with pytest.raises(UnsupportedFormatError, match=r"TIFF.*convert it"):
        decode(tiff.tobytes())


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_more_than_one_frame_is_refused(file_format: str) -> None:
    frames = [Image.fromarray(scene(seed=seed)) for seed in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, file_format, save_all=True, append_images=frames[1:])
    with pytest.raises(AnimatedImageError):
        decode(stream.getvalue())


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_a_file_cut_short_is_called_truncated(file_format: str, kept: float) -> None:
    """Not corrupt, and never half a picture."""
    data = encoded(scene(), file_format)
    with pytest.raises(TruncatedImageError):
        decode(data[: int(kept * len(data))])


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_anywhere_is_truncated(progressive: bool) -> None:
    data = encoded(scene(), "JPEG", progressive=progressive)
    for length in range(2, len(data), 37):
        with pytest.raises(TruncatedImageError):
            decode(data[:length])


def test_a_jpeg_with_damage_inside_is_corrupt() -> None:
    """A file that goes on to its end, with a marker where there can be none."""
    data = bytearray(encoded(scene(200, 200), "JPEG", quality=95))
    middle = len(data) // 2
    data[middle : middle + 2] = b"\xff\xc0"
    with pytest.raises(CorruptImageError):
        decode(bytes(data))


def test_junk_behind_the_picture_does_no_harm() -> None:
    """Phones append videos and second pictures."""
    data = encoded(scene(), "JPEG")
    assert decode(data + bytes(1000)).luma.shape == (60, 80)


def test_stray_bytes_between_the_markers_of_a_jpeg_do_no_harm() -> None:
    """libjpeg warns of them, and some cameras write them."""
    data = encoded(scene(), "JPEG")
    tables = data.index(b"\xff\xdb")
    picture = decode(data[:tables] + b"\0\0\0" + data[tables:])
    np.testing.assert_array_equal(picture.luma, decode(data).luma)


def test_zeros_behind_the_scan_of_a_jpeg_do_no_harm() -> None:
    """Some cameras pad with them."""
    data = encoded(scene(), "JPEG")
    picture = decode(data[:-2] + bytes(40) + data[-2:])
    np.testing.assert_array_equal(picture.luma, decode(data).luma)


def test_a_jpeg_with_scan_left_over_is_corrupt() -> None:
    """Where a flipped bit throws the decoder out of step, half a picture is made up."""
    data = bytearray(encoded(scene(200, 200), "JPEG", quality=95))
    random = np.random.default_rng(0)
    outcomes = set()
    for _ in range(30):
        damaged = data.copy()
        start = int(random.integers(len(data) // 2, len(data) - 100))
        damaged[start : start + 64] = random.integers(0, 255, 64).astype(np.uint8).tobytes()
        try:
            decode(bytes(damaged))
        except (CorruptImageError, TruncatedImageError) as error:
            outcomes.add(type(error))
    assert CorruptImageError in outcomes


@pytest.mark.parametrize("data", [png_header(65536, 65536), jpeg_declaring(56321, 7789)])
def test_absurd_sizes_are_refused_before_decoding(data: bytes) -> None:
    with pytest.raises(ImageTooLargeError, match=r"million; the limit is 1 million"):
        decode(data)


@pytest.mark.parametrize("data", [png_header(900, 900), jpeg_declaring(900, 900)])
def test_a_small_file_cannot_hold_a_large_picture(data: bytes) -> None:
    """So no memory is set aside for one."""
    with pytest.raises(TruncatedImageError, match="cannot hold"):
        decode(data)


def test_the_limit_itself_is_allowed() -> None:
    data = encoded(scene(60, 80), "PNG")
    assert decode_image(EncodedImage(data), 60 * 80).luma.shape == (60, 80)
    with pytest.raises(ImageTooLargeError):
        decode_image(EncodedImage(data), 60 * 80 - 1)


FILES = {
    file_format: encoded(scene(24, 32), file_format)
    for file_format in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
}


@settings(max_examples=400, deadline=None)
@given(
    file_format=st.sampled_from(sorted(FILES)),
    damage=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), max_size=6),
    kept=st.floats(0.05, 1),
)
def test_damage_gives_a_picture_or_an_image_error(
    file_format: str, damage: list[tuple[float, bytes]], kept: float
) -> None:
    """Whatever is changed in a file, no other exception leaves the decoder."""
    data = bytearray(FILES[file_format])
    for where, change in damage:
        start = int(where * len(data))
        data[start : start + len(change)] = change
    try:
        picture = decode(bytes(data[: int(kept * len(data))]))
    except ImageError:
        return
    assert picture.luma.ndim == 2
    assert picture.luma.dtype == np.uint8


@settings(max_examples=200, deadline=None)
@given(
    head=st.sampled_from([data[:length] for data in FILES.values() for length in (2, 12, 40)]),
    tail=st.binary(max_size=200),
)
def test_nonsense_behind_a_true_beginning_gives_an_image_error(head: bytes, tail: bytes) -> None:
    """A few bytes of a format, then anything."""
    try:
        picture = decode(head + tail)
    except ImageError:
        return
    assert picture.luma.size <= MAX_PIXELS
