"""Pictures that look alike share most bits of their hash; others do not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from capture.measure.perceptual_hash import measure_perceptual_hash

NEAR = 6


def scene(seed: int, width_px: int = 640, height_px: int = 480) -> NDArray[np.uint8]:
    """Blobs of every size, as in a photo: coarse structure is strong, fine is weak."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height_px, width_px), np.float32)
    for cells in (3, 6, 12, 24, 48):
        coarse = rng.normal(0, 60 / cells**0.5, (cells, cells)).astype(np.float32)
        picture += cv2.resize(coarse, (width_px, height_px), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture + 128, 20, 235).astype(np.uint8)


def hamming_distance(one: str, other: str) -> int:
    """Count the bits in which two hashes differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    hashes = measure_perceptual_hash(one), measure_perceptual_hash(other)
    assert hashes[0] is not None
    assert hashes[1] is not None
    return hamming_distance(*hashes)


def encoded_again(luma: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    data = cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def resized(luma: NDArray[np.uint8], width_px: int, height_px: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(luma, (width_px, height_px), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("seed", range(8))
def test_copies_that_look_alike_are_near(seed: int) -> None:
    """Another size, a poorer JPEG, a little brighter, a little less contrast."""
    original = scene(seed)
    brighter = np.clip(original.astype(np.int16) + 15, 0, 255).astype(np.uint8)
    flatter = (128 + (original.astype(np.int16) - 128) * 0.8).astype(np.uint8)
    for copy in (
        *(resized(original, 320, 240), resized(original, 200, 150), resized(original, 1333, 1000)),
        *(encoded_again(original, 30), brighter, flatter),
    ):
        assert distance(original, copy) <= NEAR


def test_other_scenes_are_far() -> None:
    """No two of many scenes come anywhere near each other."""
    hashes = [measure_perceptual_hash(scene(seed)) for seed in range(40)]
    distances = [
        hamming_distance(one, other)
        for n, one in enumerate(hashes)
        for other in hashes[:n]
        if one is not None and other is not None
    ]
    assert len(distances) == 40 * 39 / 2
    assert min(distances) > 2 * NEAR
    assert 30 < np.mean(distances) < 34


def test_the_more_a_picture_moves_the_farther_it_gets() -> None:
    """The distance is a relation, not only a threshold: small shifts are nearer than large."""
    wide = scene(3, 800, 480)
    moved = [wide[:, shift_px : shift_px + 640] for shift_px in (0, 4, 80)]
    assert distance(moved[0], moved[1]) <= NEAR < distance(moved[0], moved[2])


def test_mirrored_and_turned_pictures_are_other_pictures() -> None:
    """What is left and right, up and down, belongs to what a picture shows."""
    original = scene(5)
    assert distance(original, np.ascontiguousarray(original[:, ::-1])) > 2 * NEAR
    assert distance(original, np.ascontiguousarray(original[::-1])) > 2 * NEAR


@pytest.mark.parametrize("level", [0, 100, 255])
def test_a_bare_wall_has_no_hash(level: int) -> None:
    """All walls look alike: that two pictures show none does not make them duplicates."""
    rng = np.random.default_rng(level)
    wall = np.clip(rng.normal(level, 3, (480, 640)), 0, 255).astype(np.uint8)
    assert measure_perceptual_hash(wall) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (7, 5), (31, 33), (3000, 40)])
def test_any_size_is_hashed(size: tuple[int, int]) -> None:
    """Tiny and odd pictures have a hash of 16 digits, or none; never an error."""
    rng = np.random.default_rng(1)
    found = measure_perceptual_hash(rng.integers(0, 256, size, np.uint8))
    assert found is None or len(bytes.fromhex(found)) == 8
