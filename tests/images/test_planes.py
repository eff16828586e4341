"""Raw planes: stride, odd sizes, rotation, and counts that do not add up."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from capture.errors import EmptyImageError, ImageError, ImageTooLargeError, InvalidFrameError
from capture.images import EncodedImage, ImageEncoding, decode_image
from tests.images.pictures import MAX_PIXELS, scene


def planes(
    encoding: ImageEncoding, rgb: NDArray[np.uint8], stride: int = 0, rotation_deg: int = 0
) -> EncodedImage:
    """Lay out a picture as a camera does; padding is filled with 99."""
    height_px, width_px = rgb.shape[:2]
    stride = stride or width_px
    ycrcb = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)
    luma, cr, cb = (padded(ycrcb[..., index], stride) for index in range(3))
    half = (stride + 1) // 2
    if encoding is ImageEncoding.GRAY8:
        data = luma.tobytes()
    elif encoding is ImageEncoding.I420:
        data = b"".join(
            [luma.tobytes(), *(padded(ycrcb[::2, ::2, i], half).tobytes() for i in (2, 1))]
        )
    else:
        chroma = np.stack([ycrcb[::2, ::2, 1], ycrcb[::2, ::2, 2]], axis=2)
        rows = chroma.reshape(chroma.shape[0], -1)
        data = luma.tobytes() + padded(rows, max(stride, rows.shape[1])).tobytes()
    assert cr.shape == cb.shape
    return EncodedImage(data, encoding, width_px, height_px, stride, rotation_deg)


def padded(plane: NDArray[np.uint8], stride: int) -> NDArray[np.uint8]:
    padding = ((0, 0), (0, stride - plane.shape[1]))
    return np.pad(plane, padding, constant_values=99)


@pytest.mark.parametrize("encoding", [ImageEncoding.GRAY8, ImageEncoding.NV21, ImageEncoding.I420])
@pytest.mark.parametrize("size", [(48, 64), (47, 63), (1, 1), (3, 8)])
@pytest.mark.parametrize("padding", [0, 16])
def test_the_luma_plane_comes_out_as_it_stands(
    encoding: ImageEncoding, size: tuple[int, int], padding: int
) -> None:
    """Whatever the stride, and for odd sizes too."""
    rgb = scene(*size)
    even = size[1] + size[1] % 2  # an NV21 row of chroma is as long as an even row of luma
    image = planes(encoding, rgb, stride=even + padding)
    expected = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)[..., 0]
    np.testing.assert_array_equal(decode_image(image, MAX_PIXELS).luma, expected)


@pytest.mark.parametrize("encoding", [ImageEncoding.NV21, ImageEncoding.I420])
@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_colours_are_made_when_they_are_asked_for(
    encoding: ImageEncoding, size: tuple[int, int]
) -> None:
    """Full range, as JPEG has it; the scene is smooth, so half the chroma is enough."""
    rgb = scene(*size)
    stride = size[1] + size[1] % 2
    picture = decode_image(planes(encoding, rgb, stride), MAX_PIXELS)
    assert picture.color is None
    assert cv2.absdiff(picture.upright_color(), rgb[..., ::-1]).mean() < 4


@pytest.mark.parametrize("rotation_deg", [0, 90, 180, 270])
def test_rotation_turns_clockwise(rotation_deg: int) -> None:
    """Luma and colours alike."""
    rgb = scene()
    image = planes(ImageEncoding.I420, rgb, rotation_deg=rotation_deg)
    picture = decode_image(image, MAX_PIXELS)
    turned = np.rot90(rgb, -rotation_deg // 90)
    luma = cv2.cvtColor(np.ascontiguousarray(turned), cv2.COLOR_RGB2YCrCb)[..., 0]
    np.testing.assert_array_equal(picture.luma, luma)
    assert cv2.absdiff(picture.upright_color(), np.ascontiguousarray(turned[..., ::-1])).mean() < 4
    assert picture.luma.flags.c_contiguous


def test_grey_planes_give_grey_colours() -> None:
    picture = decode_image(planes(ImageEncoding.GRAY8, scene()), MAX_PIXELS)
    color = picture.upright_color()
    np.testing.assert_array_equal(color[..., 0], picture.luma)
    np.testing.assert_array_equal(color[..., 2], picture.luma)


def test_the_padding_of_the_last_row_may_be_missing() -> None:
    """Android leaves it out."""
    image = planes(ImageEncoding.NV21, scene(48, 64), stride=80)
    cut = EncodedImage(image.data[:-16], image.encoding, 64, 48, 80)
    expected = decode_image(image, MAX_PIXELS)
    np.testing.assert_array_equal(decode_image(cut, MAX_PIXELS).luma, expected.luma)
    np.testing.assert_array_equal(
        decode_image(cut, MAX_PIXELS).upright_color(), expected.upright_color()
    )


@pytest.mark.parametrize(
    ("width_px", "height_px", "stride", "rotation_deg", "says"),
    [
        (0, 4, 0, 0, "need a size"),
        (4, -1, 0, 0, "need a size"),
        (4, 4, 3, 0, "cannot be 3 bytes apart"),
        (4, 4, -8, 0, "cannot be -8 bytes apart"),
        (4, 4, 0, 45, "not 45 degrees"),
        (4, 5, 0, 0, "needs 20 bytes, got 16"),
        (4, 4, 5, 0, "needs 19 bytes, got 16"),
    ],
)
def test_planes_that_do_not_add_up_are_refused(
    width_px: int, height_px: int, stride: int, rotation_deg: int, says: str
) -> None:
    """And the message tells which number is wrong."""
    image = EncodedImage(bytes(16), ImageEncoding.GRAY8, width_px, height_px, stride, rotation_deg)
    with pytest.raises(InvalidFrameError, match=says):
        decode_image(image, MAX_PIXELS)


def test_planes_have_a_limit_too() -> None:
    with pytest.raises(ImageTooLargeError):
        decode_image(EncodedImage(bytes(16), ImageEncoding.GRAY8, 4, 4), 15)


def test_no_planes_are_empty() -> None:
    with pytest.raises(EmptyImageError):
        decode_image(EncodedImage(b"", ImageEncoding.NV21, 4, 4), MAX_PIXELS)


def test_an_encoded_image_travels_out_of_band() -> None:
    """Between processes its bytes are handed over, not copied into the pickle."""
    image = planes(ImageEncoding.GRAY8, scene())
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(image, protocol=5, buffer_callback=buffers.append)
    assert len(pickled) < 500
    assert len(buffers) == 1
    arrived = pickle.loads(pickled, buffers=[buffer.raw() for buffer in buffers])
    np.testing.assert_array_equal(
        decode_image(arrived, MAX_PIXELS).luma, decode_image(image, MAX_PIXELS).luma
    )


@settings(max_examples=300, deadline=None)
@given(
    encoding=st.sampled_from([ImageEncoding.GRAY8, ImageEncoding.NV21, ImageEncoding.I420]),
    byte_count=st.integers(0, 700),
    width_px=st.integers(-2, 40),
    height_px=st.integers(-2, 40),
    stride=st.integers(-2, 50),
    rotation_deg=st.sampled_from([0, 90, 180, 270, 1]),
)
def test_any_numbers_give_a_picture_or_an_image_error(
    encoding: ImageEncoding,
    byte_count: int,
    width_px: int,
    height_px: int,
    stride: int,
    rotation_deg: int,
) -> None:
    """Never a read past the end."""
    image = EncodedImage(bytes(byte_count), encoding, width_px, height_px, stride, rotation_deg)
    try:
        picture = decode_image(image, MAX_PIXELS)
    except ImageError:
        return
    sideways = rotation_deg in (90, 270)
    assert picture.luma.shape == ((width_px, height_px) if sideways else (height_px, width_px))
    assert picture.upright_color().shape == (*picture.luma.shape, 3)
