"""Every real photo of the development corpus decodes; every hostile file is answered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from capture.errors import ImageError
from capture.images import EncodedImage, decode_image

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("SMART_CAPTURE_CORPUS", ROOT.parent / "shared" / "corpus"))
MAX_PIXELS = 120_000_000
PHOTOS = (
    "birds_pigeons_web", "blur_*", "camera_originals", "documents_phone", "exif_orientation",
    "exposure_*", "focus_stacks", "imagenet_one_per_class", "lowlight_dicm", "photos_*",
)  # fmt: skip

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}"),
]


def files(pattern: str) -> list[Path]:
    return sorted(file for file in CORPUS.glob(f"{pattern}/**/*") if file.is_file())


@pytest.mark.parametrize("collection", PHOTOS)
def test_real_photos_decode(collection: str) -> None:
    """However their camera wrote them. One in four, for the time."""
    chosen = files(collection)[::4]
    assert chosen
    for file in chosen:
        luma = decode_image(EncodedImage(file.read_bytes()), MAX_PIXELS, luma_only=True).luma
        assert luma.size > 10_000, file.name


@pytest.mark.parametrize("file", files("heic_samples"), ids=lambda file: file.name)
def test_heic_of_phones_decodes(file: Path) -> None:
    pytest.importorskip("pillow_heif", reason="HEIC needs the extra [heic]")
    picture = decode_image(EncodedImage(file.read_bytes()), MAX_PIXELS)
    assert picture.luma.size > 10_000_000
    assert picture.settings.exposure_time_s


@pytest.mark.parametrize("collection", ["gofuzz", "ljt_afl", "pillow", "pngsuite"])
def test_hostile_files_give_a_picture_or_an_image_error(collection: str) -> None:
    """Nothing else leaves the decoder, and nothing large is set aside."""
    chosen = files(f"hostile_{collection}")
    assert chosen
    for file in chosen:
        try:
            picture = decode_image(EncodedImage(file.read_bytes()), MAX_PIXELS)
        except ImageError:
            continue
        assert picture.luma.size <= 1_000_000, file.name
